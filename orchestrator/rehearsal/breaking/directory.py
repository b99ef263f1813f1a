"""A directory that cannot be there, that cannot be written to, or that is full."""

from __future__ import annotations

import errno
import os
import shutil
from typing import TYPE_CHECKING

from orchestrator.rehearsal import sandbox
from orchestrator.rehearsal.sandbox_filesystem import CannotBreak

if TYPE_CHECKING:
    from orchestrator.engine.item import Work
    from orchestrator.rehearsal.sandbox_filesystem import Place

_ROOM = "64k"


def make(place: Place, work: Work, reason: str) -> None:
    path = place.path(work.item.path)
    if os.path.commonpath([path, place.start.cwd]) == path:
        raise CannotBreak("the service itself stands in it")
    {"missing": _missing, "unwritable": _unwritable, "full": _full}[reason](path)


def _missing(path: str) -> None:
    """Something else has its name, so that it cannot be made either."""
    if os.path.ismount(path):
        raise CannotBreak("it is a mount")
    if os.path.lexists(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write("a file where a directory belongs\n")


def _unwritable(path: str) -> None:
    os.makedirs(path, exist_ok=True)
    sandbox.read_only(path)


def _full(path: str) -> None:
    os.makedirs(path, exist_ok=True)
    sandbox.mount("tmpfs", path, "tmpfs", options=f"size={_ROOM},mode=1777")
    try:
        with open(os.path.join(path, ".rehearsal"), "wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
