"""Making something fail for real, in a private place: one file for each kind of item, found by the first word of its id.

Each has `make(place, work, reason)`, which changes the place (its files, its environment, its servers, its spec as
data), or raises `CannotBreak` with the reason.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

from orchestrator.rehearsal.sandbox_filesystem import CannotBreak

if TYPE_CHECKING:
    from orchestrator.engine.item import Work
    from orchestrator.rehearsal.sandbox_filesystem import Place


def make(place: Place, work: Work, reason: str) -> None:
    """Has an item fail for a reason."""
    name = f"{__name__}.{work.kind}"
    if find_spec(name) is None:
        raise CannotBreak(f"nothing here can make a {work.kind} fail")
    try:
        import_module(name).make(place, work, reason)
    except OSError as error:  # what belongs to somebody else cannot be changed in a copy of ours either
        raise CannotBreak(
            f"cannot change {error.filename or 'it'}: {(error.strerror or str(error)).lower()}"
        ) from error
