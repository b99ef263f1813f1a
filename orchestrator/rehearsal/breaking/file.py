"""A file that is not there, or that holds something else."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from orchestrator.rehearsal.sandbox_filesystem import CannotBreak

if TYPE_CHECKING:
    from orchestrator.engine.item import Work
    from orchestrator.rehearsal.sandbox_filesystem import Place

_ELSE = b"\x00{[ made to hold something else by the rehearsal\n"


def make(place: Place, work: Work, reason: str) -> None:
    item = work.item
    path = place.path(item.path)
    if reason == "missing":
        for each in (path, *(place.path(source) for source in (item.copy_from, item.template) if source)):
            _remove(each)
    else:
        _remove(path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(b"" if item.min_size else _ELSE)
        if item.mode is not None:
            os.chmod(path, item.mode)


def _remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        raise CannotBreak("it is a directory")
    if os.path.lexists(path):
        os.unlink(path)
