"""What an engine leaves to the one that is started after it: packed as builtins at the hand-over, laid on a fresh start.

Knows the form of a start's state; nothing of how the next engine is started.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from orchestrator.core.item import Item
from orchestrator.core.outcome import Status
from orchestrator.core.phases import HEALTH, IMPORT, LAUNCH, STEP

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.engine.item import Work
    from orchestrator.engine.report import Report
    from orchestrator.engine.run import Start
    from orchestrator.launch.plan import LaunchPlan

Memory = dict[str, Any]

KEPT = (*Item.__slots__, "started", "used_values")


def remember(start: Start, report: Report, plan: LaunchPlan) -> Memory:
    """Everything that a start later cannot find out by itself. Holds secrets: it never leaves the memory."""
    found = {
        "argv": sys.orig_argv[1:],
        "environ": start.variables.handed,
        "changes": start.variables.changes,
        "installed_in": start.installed_in,
        "began": start.stream.began,
        "identity": _identity(start),
        "works": {work.id: _packed(work) for work in start.works},
        "report": vars(report),
        "plan": {"host": plan.host, "port": plan.port, "unix": plan.unix, "state_dir": plan.state_dir},
    }
    plain: Memory = json.loads(json.dumps(found, default=str))
    return plain


def _identity(start: Start) -> dict[str, Any]:
    """Who the service is, and whether it was started as root: neither can be found out later."""
    found = start.launched_as or start.identity
    environ = dict(found.environ) if found is not None else {}
    escalation = found is not None and found.escalation
    return {"user": asdict(start.user), "environ": environ, "root": start.as_root, "escalation": escalation}


def _packed(work: Work) -> dict[str, Any]:
    return {name: getattr(work, name) for name in KEPT}


def restore(start: Start, work: Work) -> bool:
    """Lays what an earlier engine knew of an item on it; whether that one knew it."""
    known = start.memory.get("works", {}).get(work.id)
    if known is None:
        return False
    for name in KEPT:
        setattr(work, name, known[name])
    if work.used_values:
        from orchestrator.fallbacks.use import using

        work.item = using(work.item, *work.used_values) or work.item
    return True


def take_up(report: Report, memory: Memory) -> None:
    """The report goes on where it was."""
    for name, value in memory["report"].items():
        setattr(report, name, value)


def up_to_date(orders: Mapping[str, Any]) -> Memory:
    """What is known, with what engines for single items have found and set since."""
    memory, settled = orders["memory"], orders["settled"]
    works = {name: known | settled.get(name, {}) for name, known in memory["works"].items()}
    plain: Memory = memory | {"works": works, "changes": memory["changes"] | orders["changes"]}
    return plain


def state_of(work: Work) -> dict[str, Any]:
    """What an engine for a single item has found, in the form of `up_to_date`."""
    plain: dict[str, Any] = json.loads(json.dumps(_packed(work), default=str))
    return plain


# For the supervisor


def supervised(start: Start, report: Report, restarts: Mapping[str, Any], blamed: str) -> dict[str, Any]:
    """What it has to know of the items, beside its plan."""
    off = [entry_of(start, work) for work in start.works if work.status == Status.DEGRADED or work.features]
    watched = [
        work for work in start.works if work.phase in (LAUNCH, HEALTH) or work.status == Status.DEGRADED
    ]
    known = {work.id: _said_of(start, report, work) for work in watched}
    return {"features": off, "restarts": dict(restarts), "blamed": blamed, "known": known}


def _said_of(start: Start, report: Report, work: Work) -> dict[str, Any]:
    """What is to be said of an item if the service ends for it."""
    place, outcome = work.place, work.result
    bad = outcome is not None and not outcome.ok
    said = {
        "place": f"{place.file}:{place.line}" if place else "",
        "why": getattr(work.item, "why", None) or "",
        "hint": outcome.hint if outcome is not None and bad else "",
        "code": outcome.code if outcome is not None and bad else "",
        "tried": [f"{each['action']}: {each['result']}" for each in report.fallbacks.get(work.id, ())],
    }
    cleaned: dict[str, Any] = start.stream.secrets.clean(said)
    return cleaned


def entry_of(start: Start, work: Work) -> dict[str, Any]:
    """An item that is off, as `core.state.Features` keeps it."""
    since = work.off_since or time.monotonic()
    watched = work.status == Status.DEGRADED and work.recheck is not None
    again = watched and can_be_repeated(work)
    return {
        "item": work.id,
        "features": list(work.features),
        "recheck": work.recheck if again else None,
        "since": since,
        "due": max(since + (work.recheck or 0), time.monotonic()) if again else None,
        "over": work.over if watched else None,
        "restart": work.restart_app,
        "tried": work.cursor,
        "summary": start.stream.secrets.masked(work.result.summary) if work.result else "",
        "limit": limit_of(start, work),
    }


def can_be_repeated(work: Work) -> bool:
    """A step that was tried is tried again only if it can say that it is done."""
    if work.phase != STEP or not work.attempts:
        return True
    return work.item.unless is not None or work.item.creates is not None


def limit_of(start: Start, work: Work) -> float | None:
    """Seconds that one try of an item with its remedies may take; None where nothing limits it."""
    from orchestrator.engine.imports import IMPORT_DEADLINE

    item = work.item
    own = getattr(item, "deadline", None)
    if work.phase == STEP:
        one = own if own is not None else None
    elif work.phase == IMPORT:
        one = own or getattr(item, "timeout", None) or IMPORT_DEADLINE
    else:
        one = getattr(item, "timeout", None) or own or start.default_timeout
    if one is None:
        return None
    seconds = float(one)
    limits = (each.lowered().get("limit", 0.0) for each in start.actions(work)[work.cursor :])
    return seconds + sum(float(limit) + seconds for limit in limits)


def blamed(start: Start) -> str:
    """The item that has failed when the server ends by itself: what its health is measured by, or the launch."""
    names = [work.id for work in start.works if work.phase == HEALTH]
    return next(
        (name for name in ("health:ready", "health:live") if name in names), names[0] if names else "launch"
    )


def inherited(descriptor: int) -> Any:
    """A socket that was left at a number."""
    import socket

    if descriptor < 0:
        return None
    os.set_inheritable(descriptor, False)
    return socket.socket(fileno=descriptor)
