"""The server: it boots, serves, is watched, fails, and is started again."""

from __future__ import annotations

from orchestrator.core import features, restarts, stopping, watch
from orchestrator.core.exit_status import ending, exit_code
from orchestrator.core.restarts import STABLE
from orchestrator.core.state import BOOTING, SERVING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestrator.core.state import Purpose
    from orchestrator.core.turn import Turn

NOT_READY = 5
"""The exit code of a service whose server did not boot or was never ready."""
FIRST_PROBES = 0.25
"""Seconds between the first probes of a server that boots."""
DIED, NEVER_READY, UNHEALTHY = "ORC704", "ORC703", "ORC706"
"""The page that explains an end, where that is the server's."""


def spawn(turn: Turn) -> None:
    server, within = turn.server, turn.state.plan["health"].get("deadline", STABLE)
    server.phase, server.alive, server.served_since = BOOTING, True, None
    server.due = turn.now + within
    server.outdated = False
    turn.show("starting", "restarted")
    turn.do("spawn")


def on_serving(turn: Turn) -> None:
    """A restarted server accepts connections."""
    if turn.server.phase != BOOTING:
        return
    turn.server.served_since = turn.now
    if turn.state.plan["health"].get("ready"):
        turn.state.watch.due = turn.now
    else:
        _ready(turn)


def on_exited(turn: Turn, code: int, why: str = "") -> None:
    server, state = turn.server, turn.state
    if not server.alive:
        return
    server.alive, state.stop.ended = False, turn.now
    stopping.end_drain(turn)
    if server.purpose is None:
        _failed(turn, code, why, booted=server.phase != BOOTING)
    if not state.stop.number:
        turn.do("refuse")
    stopping.sweep(turn)


def never_ready(turn: Turn) -> None:
    within = turn.state.plan["health"].get("deadline", STABLE)
    _unhealthy(turn, "ready", f"the restarted server was not ready within {within:g} s")


def restart_for(turn: Turn, what: str) -> None:
    """Starts the server again, which learns of its features at its start alone."""
    if turn.server.phase == BOOTING:
        turn.server.outdated = True
    elif turn.server.phase == SERVING:
        turn.say("info", f"restarting the server for {what}")
        turn.server.purpose = ("spawn", 0.0)
        turn.show("starting", f"restarting for {what}")
        stopping.begin(turn, turn.state.plan["drain"])


def probe_due(turn: Turn) -> None:
    """Begins a round of probes when it is time for one."""
    state = turn.state
    if (
        state.watch.due is not None
        and turn.now >= state.watch.due
        and turn.server.phase in (SERVING, BOOTING)
    ):
        booting = turn.server.phase == BOOTING
        turn.do("probe", watch.begin_round(state.watch, state.plan["health"], booting=booting))


def on_probed(turn: Turn, name: str, ok: bool, why: str) -> None:
    if turn.server.phase == BOOTING and name == "ready":
        if ok:
            _ready(turn)
        elif turn.server.alive:
            turn.state.watch.due = turn.now + FIRST_PROBES
    elif turn.server.phase == SERVING:
        _watched(turn, name, ok, why)


def _failed(turn: Turn, code: int, why: str, *, booted: bool) -> None:
    """The server ended by itself."""
    state, how = turn.state, f"the server {ending(code)}{why}"
    summary = f"the server {ending(code)}" + ("" if booted else " before it served") + why
    turn.say("error" if code else "info", summary)
    restarts.forgive(state.restarts, state.plan, turn.now, turn.server.served_since)
    state.code = exit_code(code) if booted else NOT_READY
    state.failed = {"item": state.plan.get("blamed", "launch"), "summary": summary, "code": state.code}
    state.about = DIED
    turn.server.purpose = _after_exit(turn, code if booted else NOT_READY)
    turn.show_outage(how)


def _after_exit(turn: Turn, code: int) -> Purpose:
    """The restart policy first, then the list of actions."""
    spent, plan = turn.state.restarts, turn.state.plan
    again = restarts.after_exit(spent, plan, turn.now, code)
    if again is not None:
        return again
    if restarts.wants_restart(plan, code):
        turn.say("error", "its restarts are spent")
    return restarts.next_action(spent, plan, turn.state.code) if code else ("exit", 0)


def _ready(turn: Turn) -> None:
    turn.server.phase, turn.server.due = SERVING, None
    turn.say("info", "the server is ready again")
    turn.show_healthy()
    watch.restart(turn.state.watch, turn.state.plan["health"], turn.now)
    if turn.server.outdated:
        restart_for(turn, "features that came back")


def _watched(turn: Turn, name: str, ok: bool, why: str) -> None:
    watched, health = turn.state.watch, turn.state.plan["health"]
    watch.count(watched, name, ok=ok)
    if (seconds := watch.verdict_for(health, name)) is not None:
        turn.do("verdict", name, ok, why, seconds)
    if ok and f"health:{name}" != turn.state.features.running:
        watch.tolerate_no_more(watched, name)
    if watch.interval(health) and name == "live" and _is_dead(turn):
        _unhealthy(turn, name, f"live failed {watched.failures[name]} times: {why}")
        if turn.server.phase != SERVING:
            return
    if watch.interval(health) and name == "ready":
        _judge_ready(turn, why)
    if watched.round:
        turn.do("probe", watched.round.pop(0))
    else:
        watch.plan_round(watched, health, turn.now, first=False)


def _is_dead(turn: Turn) -> bool:
    watched = turn.state.watch
    return watch.has_failed(watched, turn.state.plan["health"], "live") and "live" not in watched.tolerated


def _judge_ready(turn: Turn, why: str) -> None:
    """Not ready may be a dependency's fault: it takes the traffic away and never the server."""
    state, health = turn.state, turn.state.plan["health"]
    healthy = "degraded" if features.names(state.features) else "ready"
    if watch.has_failed(state.watch, health, "ready"):
        turn.show("degraded", f"ready fails: {why}")
    elif state.status != healthy and watch.is_healthy(state.watch, health, "ready"):
        turn.show_healthy()


def _unhealthy(turn: Turn, name: str, why: str) -> None:
    """The server lives and is not healthy: what can be done beside it is tried, or it is ended for the next action."""
    state, booting = turn.state, turn.server.phase == BOOTING
    turn.say("error", why)
    state.code = NOT_READY
    state.failed = {"item": f"health:{name}", "summary": why, "code": NOT_READY}
    state.about = NEVER_READY if booting else UNHEALTHY
    if booting:
        turn.server.purpose = _after_exit(turn, NOT_READY)
    else:
        restarts.forgive(state.restarts, state.plan, turn.now, turn.server.served_since)
        if _remedied_beside(turn, name):
            return
        turn.server.purpose = restarts.next_action(state.restarts, state.plan, state.code)
    turn.say("info", "ending the server")
    turn.show_outage(why)
    stopping.begin(turn, 0.0)


def _remedied_beside(turn: Turn, name: str) -> bool:
    """Whether the next action keeps the server: an engine beside it applies that, and asks the endpoint again."""
    state = turn.state
    action = restarts.beside(state.restarts, state.plan)
    if action is None:
        return False
    state.watch.failures[name] = 0
    if not state.features.running:
        state.features.running = f"health:{name}"
        state.watch.tolerated.append(name)  # until there is an answer
        turn.do("recheck", f"health:{name}", state.restarts.action, True, action.get("limit"))
    return True
