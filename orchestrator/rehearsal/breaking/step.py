"""A step that ends with 1, or that does not end. What would have it skipped is taken out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.rehearsal.breaking._commands import failing
from orchestrator.rehearsal.sandbox_filesystem import milliseconds

if TYPE_CHECKING:
    from orchestrator.engine.item import Work
    from orchestrator.rehearsal.sandbox_filesystem import Place

SOON = 2.0
"""Seconds after which a step that does not end has failed."""


def make(place: Place, work: Work, reason: str) -> None:
    item = place.item(work)
    argv = work.item.run or ("sh", "-c", work.item.shell)
    for key in ("shell", "unless", "creates", "lock"):
        item.pop(key, None)
    item["run"] = failing(place, item, reason, argv)
    if reason == "timeout":
        item["deadline"], item["grace"] = milliseconds(min(work.item.deadline, SOON)), "500ms"
