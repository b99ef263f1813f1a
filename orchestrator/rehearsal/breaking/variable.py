"""A variable that is not set, or set to what its contract refuses."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any

from orchestrator.rehearsal.place import CannotBreak

if TYPE_CHECKING:
    from orchestrator.engine.work import Work
    from orchestrator.rehearsal.place import Place

_CANDIDATES = ("made to fail by the rehearsal", "0", "-1", "99999999999", "x", "")


def make(place: Place, work: Work, reason: str) -> None:
    name = work.id.partition(":")[2]
    _unset(place, name)
    if reason == "invalid":
        place.environ[name] = _wrong(work.item)


def _unset(place: Place, name: str) -> None:
    place.environ.pop(name, None)
    place.environ.pop(f"{name}_FILE", None)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(f"/run/secrets/{name.lower()}")


def _wrong(contract: Any) -> str:
    """A text that the contract refuses, and that is not as good as none."""
    for text in (*_CANDIDATES, *(contract.forbidden or ())):
        if text and contract.judge(text) is not None:
            return str(text)
    raise CannotBreak("no wrong value is known for its contract")
