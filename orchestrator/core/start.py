"""From the first event to ready: what is still open, then the launch, its health, and what else is decided."""

from __future__ import annotations

from orchestrator.core import dispatch, hold, imports, outage, settle, stopping, watch
from orchestrator.core.exit_status import ending, exit_code
from orchestrator.core.item import BLOCKED, DEGRADED, FAILED, UNKNOWN, WAITING
from orchestrator.core.phases import HEALTH, LAUNCH
from orchestrator.core.state import (
    ABSENT,
    BACKOFF,
    BOOTING,
    ENDED,
    ENGINE,
    KILLING,
    PROVING,
    SERVING,
    SUPERVISOR,
    SWEEPING,
)
from orchestrator.core.verdict import blame
from orchestrator.core.verdict import exit_code as code_of_failures

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from orchestrator.core.item import Item
    from orchestrator.core.state import State
    from orchestrator.core.turn import Turn

HEALTH_DEADLINE = 60.0


def advance(turn: Turn) -> None:
    """Issues everything that is due by the state alone. A stop gates it: nothing begins any more."""
    state = turn.state
    while state.driver == ENGINE and not state.stop.number and state.server.phase != ENDED:
        if state.server.phase == ABSENT and state.server.purpose is not None:
            _relaunch_later(turn, state.server.purpose[1])
        progressed = dispatch.begin_free(turn)
        hold.begin_early(turn)
        if state.server.phase != BACKOFF:
            progressed = imports.advance(turn) or progressed
        if not progressed and not _go_on(turn):
            return


def on_serving(turn: Turn) -> None:
    if turn.server.phase == BOOTING:
        hold.end(turn)
        turn.server.phase, turn.server.due = PROVING, None
        settle.conclude(turn, "launch", {"ok": True, "summary": "the server serves"})


def on_exited(turn: Turn, code: int, why: str = "") -> None:
    """The server ended before the service was ready."""
    server = turn.server
    if not server.alive:
        return
    server.alive, turn.state.stop.ended = False, turn.now
    if server.purpose is None:
        summary = f"the server {ending(code)} before it was ready{why}"
        server.purpose = ("settle", settle.failure("boot", summary) | {"exit": exit_code(code)})
    stopping.sweep(turn)


def late(turn: Turn) -> None:
    """The server did not serve within its time."""
    limit = turn.state.plan["health"].get("deadline", HEALTH_DEADLINE)
    outcome = settle.failure("timeout", f"the server did not serve within {limit:g} s")
    turn.server.purpose = ("settle", outcome)
    stopping.begin(turn, 0.0)


def on_empty(turn: Turn) -> None:
    """Nothing of the server is left: what was open about it has come to its end, or the server starts again."""
    server = turn.server
    if server.phase not in (SWEEPING, KILLING) or server.alive:
        return
    if turn.state.stop.number:
        outage.on_empty(turn)
        return
    word, detail = server.purpose or ("settle", None)
    server.purpose, server.phase, server.due = None, ABSENT, None
    name = _open_about_the_server(turn.state)
    if word == "relaunch":
        server.purpose = (word, detail)
    elif detail is not None and name is not None:
        turn.state.items[name].essential = True  # going on all the same needs a server to go on with
        settle.conclude(turn, name, detail)


def _relaunch_later(turn: Turn, pause: float) -> None:
    turn.server.purpose = None
    turn.server.phase, turn.server.due = BACKOFF, turn.now + pause
    if pause:
        turn.say("info", f"restarting in {pause:g} s")


def relaunch(turn: Turn) -> None:
    turn.server.phase = ABSENT
    _launch_again(turn)


def on_resumed(turn: Turn) -> None:
    """The engine is back in the supervisor's place: what failed goes on with its next action."""
    state, failed = turn.state, turn.state.failed
    state.driver, state.was_ready = ENGINE, True
    turn.server.phase, turn.server.due = ABSENT, None
    _forget_what_came_back(state)
    name, outcome = failed["item"], settle.failure("ended", failed["summary"]) | {"exit": failed["code"]}
    item = state.items[name]
    settle.reopen(turn, name)
    item.status, item.cursor, item.serve = WAITING, failed["tried"], None
    _launch_again(turn)
    if failed["serve"]:
        hold.adopt(state, failed["since"])
    settle.conclude(turn, name, outcome)
    if state.plan["nodes"][name]["phase"] in (LAUNCH, HEALTH):
        state.items["launch"].cursor = item.cursor


def _go_on(turn: Turn) -> bool:
    """What follows once nothing begins by itself; whether something may begin by it."""
    state, phase = turn.state, turn.server.phase
    if phase == PROVING:
        return _prove(turn)
    return phase == ABSENT and _is_settled(state) and _conclude(turn)


def _is_settled(state: State) -> bool:
    nodes = state.plan["nodes"]
    early = all(item.settled for name, item in state.items.items() if nodes[name]["phase"] < LAUNCH)
    return early and imports.is_settled(state)


def _conclude(turn: Turn) -> bool:
    """Everything is settled: the end, something else that is served, or the launch."""
    state = turn.state
    failures = [name for name, item in state.items.items() if item.status == FAILED]
    if any(state.items[name].serve is None for name in failures):
        _fail(turn, [name for name in failures if state.items[name].serve is None])
    elif failures:
        hold.keep(turn, failures)
    elif "launch" not in state.items:
        outage.leave(turn, 0)
    else:
        return _launch(turn)
    return False


def _fail(turn: Turn, names: list[str]) -> None:
    state = turn.state
    launch = state.items.get("launch")
    if launch is not None and not launch.settled:
        settle.block(turn, "launch", names[0])
    items = [state.items[name] for name in names]
    written = [item.exit_code for item in items if item.exit_code is not None]
    of_server = (
        [item.outcome["exit"] for item in items if item.outcome.get("exit")] if state.was_ready else []
    )
    kinds = [
        blame(name.partition(":")[0], outcome.get("reason", ""), final=bool(outcome.get("final")))
        for name, outcome in ((name, state.items[name].outcome) for name in names)
    ]
    state.failed = {"item": names[0], "summary": items[0].outcome["summary"]}
    dispatch.give_up_all(turn)
    outage.leave(turn, [*written, *of_server, code_of_failures(kinds)][0])


def _launch(turn: Turn) -> bool:
    """Starts the server; whether something else has to come first."""
    state, item = turn.state, turn.state.items["launch"]
    without = next(
        (each for each in state.plan["nodes"]["launch"]["variables"] if _has_no_value(state, each)), ""
    )
    if without:
        settle.conclude(turn, "launch", dispatch.no_value(without))
        return True
    if not state.imports.ready:
        return False
    if state.imports.features != settle.off(state):
        state.imports.outdated = True
        return True
    item.status, item.first, item.attempts = WAITING, turn.now, item.attempts + 1
    state.imports.ready = False
    turn.server.phase, turn.server.alive = BOOTING, True
    turn.server.due = turn.now + state.plan["health"].get("deadline", HEALTH_DEADLINE)
    turn.do("spawn")
    return False


def _has_no_value(state: State, variable: str) -> bool:
    known = state.items.get(variable)
    return known is not None and known.settled and not known.outcome["ok"]


def _prove(turn: Turn) -> bool:
    """Every endpoint, one after another, while the server lives; then the service is ready."""
    state = turn.state
    if turn.server.purpose is not None:
        stopping.begin(turn, 0.0)
        return False
    for name in _health(state):
        item = state.items[name]
        if item.status == UNKNOWN:
            dispatch.attempt(turn, name)
        if item.status == WAITING:
            return False
        if item.status in (FAILED, BLOCKED):
            turn.server.purpose = ("settle", None)
            stopping.begin(turn, 0.0)
            return False
    _ready(turn)
    return False


def _ready(turn: Turn) -> None:
    state = turn.state
    state.driver, state.was_ready = SUPERVISOR, True
    turn.server.phase, turn.server.served_since = SERVING, turn.now
    state.features.entries = [_entry(turn, name, item) for name, item in state.items.items() if item.features]
    turn.show_healthy()
    watch.plan_round(state.watch, state.plan["health"], turn.now)
    turn.do("supervise")


def _entry(turn: Turn, name: str, item: Item) -> dict[str, Any]:
    """An item that is off, as it is tried again after ready."""
    node = turn.state.plan["nodes"][name]
    recheck = item.recheck if item.status == DEGRADED and node["repeatable"] else None
    return {
        "item": name,
        "features": list(item.features),
        "recheck": recheck,
        "since": item.off_since,
        "due": None if recheck is None else turn.now + recheck,
        "over": item.over,
        "restart": item.restart_app,
        "tried": item.cursor,
        "summary": item.outcome["summary"],
        "limit": node["limit"],
    }


def _health(state: State) -> list[str]:
    return [name for name, node in state.plan["nodes"].items() if node["phase"] == HEALTH]


def _open_about_the_server(state: State) -> str | None:
    return next((name for name in ("launch", *_health(state)) if not state.items[name].settled), None)


def _launch_again(turn: Turn) -> None:
    imports.begin_again(turn)
    for name in ("launch", *_health(turn.state)):
        settle.reopen(turn, name)


def _forget_what_came_back(state: State) -> None:
    off = {entry["item"]: entry for entry in state.features.entries}
    for name, item in state.items.items():
        item.features = list(off[name]["features"]) if name in off else []
