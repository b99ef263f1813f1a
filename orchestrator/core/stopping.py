"""How a server is ended: drained, asked, asked for its stacks, swept up with what it left, killed."""

from __future__ import annotations

from orchestrator.core.exit_status import INT, forces, named
from orchestrator.core.state import (
    ABSENT,
    BACKOFF,
    BOOTING,
    DRAINING,
    DUMPING,
    HAS_SERVER,
    KILLING,
    MAINTENANCE,
    PROVING,
    RETURNING,
    SERVING,
    STOPPING,
    SWEEPING,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from orchestrator.core.state import Plan
    from orchestrator.core.turn import Turn

QUIT, KILL, TERM, DUMP = 3, 9, 15, 63
STOPS = (TERM, INT)

LINGER = 1.0
"""What a server left behind is asked to end, and this much later killed."""
LAST_WAIT = 5.0
"""A killed process may hang in the kernel; nothing waits longer for it."""
TO_DUMP, EACH_DUMP = 0.3, 0.03
"""For a server that hangs to write its stacks before it is killed, and for each of its workers."""
LAST_DUMP = 3.0
"""No round of stacks takes longer."""
IN_PROCESS = ("uvicorn", "hypercorn")
"""Servers in the process that imports: they write their stacks by themselves, and have their workers do so."""


def on_signal(turn: Turn, number: int) -> None:
    """TERM and INT ask for the end; all others are for the server. A second INT forces, a further TERM changes nothing."""
    stop = turn.state.stop
    if number not in STOPS:
        if turn.server.phase in HAS_SERVER:
            _pass_on(turn, number)
    elif not stop.number:
        _request(turn, number)
    elif number == INT:
        if forces(number, stop.number, turn.now - stop.at):
            _force(turn)
        stop.number, stop.at = number, turn.now


def begin(turn: Turn, drain: float) -> None:
    """Ends the server that lives, for its `purpose`."""
    turn.state.watch.due = None
    if drain > 0:
        turn.server.phase, turn.server.due = DRAINING, turn.now + drain
    else:
        tell(turn)


def tell(turn: Turn) -> None:
    """Asks the server to end."""
    grace = turn.state.plan["grace"]
    turn.server.phase, turn.server.due, turn.state.stop.told = STOPPING, turn.now + grace, turn.now
    turn.do("send", turn.state.plan["stop_signal"])


def end_drain(turn: Turn) -> None:
    if turn.server.phase == DRAINING:
        turn.state.stop.told = turn.now


def sweep(turn: Turn) -> None:
    """Asks whatever is left to end."""
    turn.state.watch.due = None
    if turn.server.phase == KILLING:
        return
    turn.server.phase, turn.server.due = SWEEPING, turn.now + LINGER
    turn.state.features.running = ""  # what tried is swept away, too
    turn.do("sweep", TERM)


def kill(turn: Turn) -> None:
    turn.server.phase, turn.server.due = KILLING, turn.now + LAST_WAIT
    turn.state.features.running = ""
    turn.do("sweep", KILL)


def overdue(turn: Turn) -> None:
    """The server did not end within its grace: it writes its stacks before it is killed."""
    grace = turn.state.plan["grace"]
    turn.say("error", f"the server did not end within its grace of {grace:g} s: killed")
    turn.state.stop.forced = bool(turn.state.stop.number)
    turn.server.phase, turn.server.due = DUMPING, turn.now + _dump_time(turn.state.plan)
    turn.do(*(("send", DUMP) if _is_in_process(turn.state.plan) else ("dump", 0)))


def on_dumped(turn: Turn) -> None:
    if turn.server.phase == DUMPING and not _is_in_process(turn.state.plan):
        kill(turn)


def report_duration(turn: Turn) -> None:
    """How long each part of a requested end took."""
    stop = turn.state.stop
    parts = {
        "drain": stop.told - stop.asked,
        "server": max(stop.ended - stop.told, 0.0),
        "rest": turn.now - max(stop.ended, stop.told),
    }
    shown = f"draining {parts['drain']:.1f} s, the server {parts['server']:.1f} s, what it left {parts['rest']:.1f} s"
    facts: dict[str, Any] = {f"{name}_ms": round(seconds * 1000) for name, seconds in parts.items()}
    turn.say("info", f"stopped after {turn.now - stop.asked:.1f} s: {shown}", facts | {"forced": stop.forced})


def _request(turn: Turn, number: int) -> None:
    stop, server = turn.state.stop, turn.server
    stop.number, stop.at = number, turn.now
    stop.asked = stop.told = stop.ended = turn.now
    turn.say("info", f"stopping: asked by {named(number)}")
    turn.show("stopping", named(number))
    turn.do("close")
    server.purpose = ("exit", 0 if turn.state.was_ready else 128 + number)
    if server.phase in (SERVING, BOOTING, PROVING):
        begin(turn, turn.state.plan["drain"] if server.phase == SERVING else 0.0)
    elif server.phase in (ABSENT, BACKOFF, MAINTENANCE, RETURNING):
        sweep(turn)


def _force(turn: Turn) -> None:
    turn.say("error", "asked again: killed")
    end_drain(turn)
    turn.state.stop.forced = True
    kill(turn)


def _pass_on(turn: Turn, number: int) -> None:
    """What asks for stacks and is another program's business: all of its processes are asked first."""
    asks = number in (QUIT, DUMP) and not _is_in_process(turn.state.plan)
    turn.do("dump" if asks else "send", number)


def _is_in_process(plan: Plan) -> bool:
    return not plan.get("command") and plan.get("server") in IN_PROCESS


def _dump_time(plan: Plan) -> float:
    return float(TO_DUMP + EACH_DUMP * plan.get("workers", 1)) if _is_in_process(plan) else LAST_DUMP
