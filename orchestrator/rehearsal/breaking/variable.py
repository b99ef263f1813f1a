"""A variable that is not set, or set to what its contract refuses."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from orchestrator.rehearsal import values
from orchestrator.rehearsal.sandbox_filesystem import CannotBreak

if TYPE_CHECKING:
    from orchestrator.engine.item import Work
    from orchestrator.rehearsal.sandbox_filesystem import Place


def make(place: Place, work: Work, reason: str) -> None:
    name = work.id.partition(":")[2]
    _unset(place, name)
    if reason != "missing":
        text = (values.outside if reason == "outside" else values.wrong)(work.item)
        if not text:
            raise CannotBreak("no wrong value is known for its contract")
        place.environ[name] = text


def _unset(place: Place, name: str) -> None:
    place.environ.pop(name, None)
    place.environ.pop(f"{name}_FILE", None)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(f"/run/secrets/{name.lower()}")
