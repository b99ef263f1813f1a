"""What follows when nothing of the last server is left: another one, maintenance, the engine, or the end."""

from __future__ import annotations

from orchestrator.core import restarts, stopping
from orchestrator.core.state import BACKOFF, ENDED, KILLING, MAINTENANCE, RETURNING, SWEEPING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestrator.core.turn import Turn

FORCED = 137


def on_empty(turn: Turn) -> None:
    if turn.server.phase in (SWEEPING, KILLING) and not turn.server.alive:
        _go_on(turn)


def never_ended(turn: Turn) -> None:
    """A killed process may hang in the kernel."""
    turn.say("error", "a killed process does not end; leaving it behind")
    turn.server.alive, turn.state.stop.ended = False, turn.now


def on_scouted(turn: Turn, ok: bool, why: str) -> None:
    """Whether the engine can be started again."""
    server, failed = turn.server, turn.state.failed
    if server.phase != RETURNING:
        return
    if ok:
        turn.do("come_back", failed)
        return
    turn.say("error", f"the engine cannot come back: {why}")
    if failed["serve"]:  # on, but nothing is checked any more
        server.phase, server.due = MAINTENANCE, failed["over"]
    else:
        leave_maintenance(turn)


def on_maintenance_ended(turn: Turn, how: str) -> None:
    if turn.server.phase == MAINTENANCE:
        turn.say("error", f"maintenance {how}")
        leave_maintenance(turn)
    elif turn.server.phase == RETURNING:
        turn.state.failed["serve"] = False  # the engine begins it again, or the next action follows


def leave_maintenance(turn: Turn) -> None:
    """Its time is over, or it failed: the next action follows."""
    turn.server.purpose = restarts.next_action(turn.state.restarts, turn.state.plan, turn.state.code)
    turn.do("refuse")
    stopping.sweep(turn)


def _go_on(turn: Turn) -> None:
    what, *more = turn.server.purpose or ("exit", turn.state.code)
    turn.server.purpose, turn.server.due = None, None
    PURPOSES[what](turn, *more)


def _back_off(turn: Turn, delay: float) -> None:
    turn.server.phase, turn.server.due = BACKOFF, turn.now + delay
    if delay:
        turn.say("info", f"restarting in {delay:g} s")


def _maintain(turn: Turn, limit: float | None) -> None:
    turn.server.phase, turn.server.due = MAINTENANCE, turn.now + limit if limit else None
    turn.show("maintenance", turn.state.failed.get("summary") or "the server failed")
    turn.do("maintain")


def _call_the_engine(turn: Turn, tried: int, serve: bool, limit: float | None) -> None:
    """Maintenance is served at once, by what needs no engine: it stays where the engine cannot come back."""
    spent = turn.state.restarts
    since = spent.since = turn.now if spent.since is None else spent.since
    if serve:
        _maintain(turn, max(since + limit - turn.now, 0.001) if limit else None)
    over = turn.server.due
    turn.state.failed = turn.state.failed | {"tried": tried, "serve": serve, "since": since, "over": over}
    turn.server.phase, turn.server.due = RETURNING, None
    turn.do("scout")


def leave(turn: Turn, code: int) -> None:
    state, requested = turn.state, turn.state.stop.number
    if requested:
        code = FORCED if state.stop.forced else code
        stopping.report_duration(turn)
    turn.server.phase = ENDED
    state.watch.due = None
    why = state.failed.get("summary", "") if code and not requested else ""
    status = "stopped" if requested or not code else "failed"
    turn.show(status, f"exit code {code}" + (f": {why}" if why else ""))
    turn.do("exit", code)


PURPOSES: dict[str, Callable[..., None]] = {
    "spawn": _back_off, "maintain": _maintain, "engine": _call_the_engine, "exit": leave,
}  # fmt: skip
"""What can follow, by the first word of a purpose."""
