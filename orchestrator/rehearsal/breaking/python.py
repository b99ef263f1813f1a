"""A Python of another version: the real one stays, the version that is asked for is one that nobody has."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator.engine.item import Work
    from orchestrator.rehearsal.sandbox_filesystem import Place


def make(place: Place, work: Work, reason: str) -> None:
    del work, reason
    place.section("python", "version")["version"] = ">=99"
