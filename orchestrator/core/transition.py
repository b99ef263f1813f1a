"""An event changes the state and leads to commands: `transition` decides everything, and a driver does it."""

from __future__ import annotations

from orchestrator.core import (
    dispatch,
    features,
    hold,
    imports,
    outage,
    recheck,
    server,
    start,
    stopping,
    watch,
)
from orchestrator.core.exit_status import ending
from orchestrator.core.state import (
    BACKOFF,
    BOOTING,
    DRAINING,
    DUMPING,
    ENDED,
    ENGINE,
    KILLING,
    MAINTENANCE,
    STOPPING,
    SUPERVISOR,
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
    state = State(plan, now, status, SUPERVISOR)
    watch.plan_round(state.watch, plan["health"], now)
    return state


def starting(plan: Plan, facts: dict[str, Any], now: float, seed: int = 1) -> State:
    """The state of a service of which nothing has been tried yet."""
    state = State(plan, now, "starting", ENGINE)
    state.facts, state.seed = facts, seed
    return state


def transition(state: State, event: Event, now: float) -> list[Command]:
    """Takes an event, at a time in seconds; gives what is to be done, in order."""
    turn = Turn(state, now)
    if state.server.phase != ENDED and (not state.stop.number or event[0] in _AFTER_A_STOP):
        _EVENTS[event[0]][state.driver](turn, *event[1:])
        start.advance(turn)
    return turn.commands


def deadline(state: State) -> float | None:
    """When to send `tick` at the latest."""
    dues = [state.server.due, state.watch.due]
    if state.driver == ENGINE:
        dues += [dispatch.next_due(state), hold.next_due(state)]
    elif recheck.may_recheck(state):
        dues.append(features.deadline(state.features))
    return min((each for each in dues if each is not None), default=None)


def _tick(turn: Turn) -> None:
    due = turn.server.due
    if due is not None and turn.now >= due:
        turn.server.due = None
        _OVERDUE[turn.server.phase](turn)
    if turn.state.driver == ENGINE and not turn.state.stop.number:
        dispatch.items_due(turn)
        hold.on_due(turn)
    elif turn.state.driver != ENGINE:
        server.probe_due(turn)
        recheck.begin_due(turn)


def _backed_off(turn: Turn) -> None:
    (start.relaunch if turn.state.driver == ENGINE else server.spawn)(turn)


def _booting_too_long(turn: Turn) -> None:
    (start.late if turn.state.driver == ENGINE else server.never_ready)(turn)


def _never_ended(turn: Turn) -> None:
    outage.never_ended(turn)
    (start.on_empty if turn.state.driver == ENGINE else outage.on_empty)(turn)


def _signal(turn: Turn, number: int) -> None:
    """Before ready, a request to stop ends what is under way; a step has its grace."""
    grace = 0.0
    if number in stopping.STOPS and not turn.state.stop.number:
        grace = dispatch.grace_of_steps(turn.state)
        dispatch.give_up_all(turn)
    stopping.on_signal(turn, number)
    if grace and turn.server.due is not None:
        turn.server.due = max(turn.server.due, turn.now + grace)


def _maintenance_ended(turn: Turn, code: int) -> None:
    outage.on_maintenance_ended(turn, ending(code))


def _nobodys(_: Turn, *__: Any) -> None:
    """An event that is of no interest to who drives now: it comes late, or `advance` alone does what follows."""


_BEFORE_READY: dict[str, Callable[..., None]] = {
    "started": _nobodys,
    "answered": dispatch.on_answered,
    "attempted": dispatch.on_attempted,
    "remedied": dispatch.on_remedied,
    "imported": imports.on_imported,
    "not_imported": imports.on_not_imported,
    "import_ready": imports.on_ready,
    "import_ended": imports.on_ended,
    "signal": _signal,
    "serving": start.on_serving,
    "exited": start.on_exited,
    "empty": start.on_empty,
}
_AFTER_READY: dict[str, Callable[..., None]] = {
    "signal": stopping.on_signal,
    "exited": server.on_exited,
    "serving": server.on_serving,
    "probed": server.on_probed,
    "empty": outage.on_empty,
    "maintenance_ended": _maintenance_ended,
    "rechecked": recheck.on_answered,
    "scouted": outage.on_scouted,
    "resumed": start.on_resumed,
}
_ALWAYS: dict[str, Callable[..., None]] = {"dumped": stopping.on_dumped, "tick": _tick}
_EVENTS: dict[str, dict[str, Callable[..., None]]] = {
    event: {
        ENGINE: (_ALWAYS | _BEFORE_READY).get(event, _nobodys),
        SUPERVISOR: (_ALWAYS | _AFTER_READY).get(event, _nobodys),
    }
    for event in (*_BEFORE_READY, *_AFTER_READY, *_ALWAYS)
}
"""What takes an event, by who drives."""
_AFTER_A_STOP = frozenset({"signal", "exited", "dumped", "empty", "tick", "maintenance_ended"})
"""After a request to stop, only the end of what runs is of interest."""
_OVERDUE: dict[str, Callable[[Turn], None]] = {
    DRAINING: stopping.tell,
    STOPPING: stopping.overdue,
    DUMPING: stopping.kill,
    SWEEPING: stopping.kill,
    KILLING: _never_ended,
    BACKOFF: _backed_off,
    BOOTING: _booting_too_long,
    MAINTENANCE: outage.leave_maintenance,
}
"""What follows when the time of a phase is over."""
