"""An event changes the state and leads to commands: `transition` decides everything, and a driver does it."""

from __future__ import annotations

from orchestrator.core import features, outage, recheck, server, stopping, watch
from orchestrator.core.exit_status import ending
from orchestrator.core.state import (
    BACKOFF,
    BOOTING,
    DRAINING,
    DUMPING,
    ENDED,
    KILLING,
    MAINTENANCE,
    STOPPING,
    SWEEPING,
    State,
)
from orchestrator.core.turn import Turn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from orchestrator.core.state import Plan
    from orchestrator.core.turn import Command

    Event = tuple[Any, ...]


def launched(plan: Plan, now: float, status: str = "ready") -> State:
    """The state of a service that has just become ready."""
    state = State(plan, now, status)
    watch.plan_round(state.watch, plan["health"], now)
    return state


def transition(state: State, event: Event, now: float) -> list[Command]:
    """Takes an event, at a time in seconds; gives what is to be done, in order."""
    turn = Turn(state, now)
    if state.server.phase != ENDED:
        _EVENTS[event[0]](turn, *event[1:])
    return turn.commands


def deadline(state: State) -> float | None:
    """When to send `tick` at the latest."""
    off = features.deadline(state.features) if recheck.may_recheck(state) else None
    return min((each for each in (state.server.due, state.watch.due, off) if each is not None), default=None)


def _tick(turn: Turn) -> None:
    due = turn.server.due
    if due is not None and turn.now >= due:
        turn.server.due = None
        _OVERDUE[turn.server.phase](turn)
    server.probe_due(turn)
    recheck.begin_due(turn)


def _maintenance_ended(turn: Turn, code: int) -> None:
    outage.on_maintenance_ended(turn, ending(code))


_EVENTS: dict[str, Callable[..., None]] = {
    "signal": stopping.on_signal,
    "exited": server.on_exited,
    "serving": server.on_serving,
    "probed": server.on_probed,
    "empty": outage.on_empty,
    "maintenance_ended": _maintenance_ended,
    "dumped": stopping.on_dumped,
    "answered": recheck.on_answered,
    "scouted": outage.on_scouted,
    "tick": _tick,
}
_OVERDUE: dict[str, Callable[[Turn], None]] = {
    DRAINING: stopping.tell,
    STOPPING: stopping.overdue,
    DUMPING: stopping.kill,
    SWEEPING: stopping.kill,
    KILLING: outage.never_ended,
    BACKOFF: server.spawn,
    BOOTING: server.never_ready,
    MAINTENANCE: outage.leave_maintenance,
}
"""What follows when the time of a phase is over."""
