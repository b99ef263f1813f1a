"""Something else is served while the service cannot: everything that failed is checked again, in rounds."""

from __future__ import annotations

from orchestrator.core import imports, settle
from orchestrator.core.backoff import ROUNDS, delay
from orchestrator.core.item import BLOCKED, FAILED
from orchestrator.core.phases import HEALTH, IMPORT, LAUNCH
from orchestrator.core.state import ABSENT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestrator.core.state import State
    from orchestrator.core.turn import Turn


def begin_early(turn: Turn) -> None:
    """What is decided is served at once, while the rest is still tried: as soon as the port is bound."""
    state = turn.state
    port = state.items.get("port")
    serving = (item.serve for item in state.items.values() if item.status == FAILED)
    action = next((each for each in serving if each is not None), None)
    if action is not None and port is not None and port.good and turn.server.phase == ABSENT:
        _begin(turn, action)


def keep(turn: Turn, failures: list[str]) -> None:
    """Nothing but what is served instead is left: the next round has its time."""
    state, held = turn.state, turn.state.hold
    action = state.items[failures[0]].serve
    assert action is not None
    _begin(turn, action)
    turn.show(
        "maintenance", "; ".join(f"{name}: {state.items[name].outcome['summary']}" for name in failures)
    )
    if held.due is None:
        state.restarts.rounds += 1
        held.due = turn.now + delay(ROUNDS, state.restarts.rounds, 1.0)
        if held.over is not None:
            held.due = min(held.due, held.over)


def adopt(state: State, since: float) -> None:
    """Maintenance is served already, by the process that this one was before."""
    state.hold.since = since
    state.hold.served = True


def on_due(turn: Turn) -> None:
    """A round begins, or the time of what is served is over."""
    held = turn.state.hold
    if held.over is not None and turn.now >= held.over:
        _give_up(turn)
    elif held.due is not None and turn.now >= held.due:
        held.due = None
        _check_again(turn)


def next_due(state: State) -> float | None:
    return min((due for due in (state.hold.due, state.hold.over) if due is not None), default=None)


def end(turn: Turn) -> None:
    """The service takes its address back."""
    held = turn.state.hold
    if held.served:
        turn.do("unmaintain")
    held.action, held.served, held.since, held.due, held.over = None, False, None, None, None


def _begin(turn: Turn, action: dict[str, object]) -> None:
    held = turn.state.hold
    if held.action == action:
        return
    held.action = action
    held.since = turn.now if held.since is None else held.since
    limit = action["for"]
    held.over = held.since + limit if isinstance(limit, int | float) else None
    if not held.served or action["app"] != "maintenance":
        held.served = True
        turn.do("maintain", action)


def _check_again(turn: Turn) -> None:
    """What failed and what was blocked by it; a step that was tried only if it can say that it is done."""
    state, nodes = turn.state, turn.state.plan["nodes"]
    again = [
        name
        for name, item in state.items.items()
        if item.status in (FAILED, BLOCKED) and (nodes[name]["repeatable"] or not item.attempts)
    ]
    for name in again:
        settle.reopen(turn, name)
    ready = state.imports.running or state.imports.ready
    if not ready or any(nodes[name]["phase"] in (IMPORT, LAUNCH, HEALTH) for name in again):
        imports.begin_again(turn)


def _give_up(turn: Turn) -> None:
    """Its time is over: the actions behind it follow."""
    held = turn.state.hold
    action, held.action, held.due, held.over, held.since = held.action, None, None, None, None
    for name, item in turn.state.items.items():
        if item.serve is not None and item.serve == action:
            item.serve = None
            settle.follow(turn, name)
