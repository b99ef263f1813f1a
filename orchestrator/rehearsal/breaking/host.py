"""A host that is too small or otherwise: it stays what it is, what is asked of it is more than there can be."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from orchestrator.rehearsal.sandbox_filesystem import CannotBreak

if TYPE_CHECKING:
    from orchestrator.engine.item import Work
    from orchestrator.rehearsal.sandbox_filesystem import Place

_TOO_MUCH: dict[str, Any] = {
    "memory": ">=1000000GB", "cpus": ">=1000000", "open_files": ">=2000000000", "user": "4000000000-4000000001",
    "timezone": "Antarctica/Troll", "read_only_root": True,
}  # fmt: skip


def make(place: Place, work: Work, reason: str) -> None:
    del reason
    key = str(work.path[1])
    wanted = "none" if key == "capabilities" and os.geteuid() == 0 else _TOO_MUCH.get(key)
    if wanted is None or (key == "read_only_root" and work.item.is_):
        raise CannotBreak(f"the host's {key} cannot be changed for one start")
    place.item(work)["is"] = wanted
