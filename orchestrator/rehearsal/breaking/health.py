"""A health endpoint that says no or says nothing: a server of ours is asked in the app's place."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from orchestrator.rehearsal.breaking._commands import failing
from orchestrator.rehearsal.fake_servers import FAULTS, serving
from orchestrator.rehearsal.sandbox_filesystem import milliseconds

if TYPE_CHECKING:
    from orchestrator.engine.item import Work
    from orchestrator.rehearsal.sandbox_filesystem import Place


def make(place: Place, work: Work, reason: str) -> None:
    health = place.data["health"]
    name = work.id.partition(":")[2]
    among = health if name in ("live", "ready") else health["endpoints"]
    endpoint: dict[str, Any] = among[name] if isinstance(among[name], dict) else {"path": among[name]}
    among[name] = endpoint
    health["deadline"] = milliseconds(deadline(place))
    if "command" in endpoint:
        endpoint["command"] = failing(place, {}, reason)
    elif "heartbeat" in endpoint:
        endpoint["heartbeat"]["file"] = _old(place)
    else:
        port = place.held.enter_context(serving("127.0.0.1", 0, FAULTS[reason]))
        endpoint.update(port=port, scheme="http", timeout="1s")


def deadline(place: Place) -> float:
    """Time to boot, and no more: what is broken stays so."""
    given = place.start.spec.health.deadline if place.start.spec.health is not None else None
    return float(min(given if given is not None else 60.0, max(8.0, 4 * place.job.ready)))


def _old(place: Place) -> str:
    path = place.tool("heartbeat", "")
    os.utime(path, (0, 0))
    return path
