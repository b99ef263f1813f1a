"""Items that are tried again beside the server, by an engine for one item, and what its answers lead to."""

from __future__ import annotations

from orchestrator.core import features, restarts, stopping, watch
from orchestrator.core.server import NOT_READY, UNHEALTHY, restart_for
from orchestrator.core.state import BACKOFF, BOOTING, SERVING
from orchestrator.core.words import REMEDY, SERVE, STOP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from orchestrator.core.state import State
    from orchestrator.core.turn import Turn

    Answer = dict[str, Any]


def may_recheck(state: State) -> bool:
    """While the service runs or comes up again; not while it ends."""
    running = state.server.phase in (SERVING, BOOTING, BACKOFF)
    return bool(state.plan.get("engine")) and not state.stop.number and running


def begin_due(turn: Turn) -> None:
    """Tries the item again whose time has come."""
    off = turn.state.features
    if may_recheck(turn.state) and (entry := features.begin_due(off, turn.now)) is not None:
        turn.do("recheck", entry["item"], entry["tried"], off.last, entry["limit"])


def on_answered(turn: Turn, item: str, answer: Answer) -> None:
    """What became of an item that was tried again: `well`, `off`, `settled`, `next`, or `unknown`."""
    turn.state.features.running = ""
    if may_recheck(turn.state):  # else it will be tried again, if anything is
        _ANSWERS[answer["word"]](turn, item, answer)


def _off(turn: Turn, item: str, answer: Answer) -> None:
    if features.put_off(turn.state.features, item, turn.now, answer):
        turn.say("warning", f"{item} still fails: {answer['summary']}")


def _unknown(turn: Turn, item: str, answer: Answer) -> None:
    """Nothing came of the try itself: a bug, a spec that was changed, no memory."""
    if item.startswith("health:"):
        after = {"what": "another action", "do": REMEDY, "tried": turn.state.restarts.action + 1}
        _next(turn, item, answer | after | {"code": NOT_READY})
    elif features.put_off(turn.state.features, item, turn.now, answer):
        turn.say("error", f"cannot try {item} again: {answer['summary']}")


def _ok(turn: Turn, item: str, answer: Answer) -> None:
    state = turn.state
    if item.startswith("health:"):
        watch.tolerate_no_more(state.watch, item.partition(":")[2])
        restarts.passed(state.restarts, answer["tried"])
    back, restart = features.came_back(state.features, item, turn.now)
    turn.say("info", f"{item} holds: {answer['summary']}")
    for name, seconds in back:
        turn.do("feature", name, True, item, seconds)
    if back:
        turn.show_features()
    if restart:
        turn.do("environ", answer.get("environ") or {})
        restart_for(turn, ", ".join([name for name, _ in back]) or item)


def _settled(turn: Turn, item: str, answer: Answer) -> None:
    """Another verdict goes on without the item."""
    if item.startswith("health:"):
        restarts.passed(turn.state.restarts, answer["tried"])
    gone = features.settled(turn.state.features, item, answer)
    turn.say("warning", f"{item}: going on all the same: {answer['summary']}")
    for name in gone:
        turn.do("feature", name, False, item, 0.0)
    if gone:
        turn.show_features()


def _next(turn: Turn, item: str, answer: Answer) -> None:
    """An action that is more than can be done beside the server: it is ended for it."""
    state, server, summary = turn.state, turn.server, answer["summary"]
    turn.say("error", f"{item} fails for too long: {summary}; next: {answer['what']}")
    state.code = answer["code"]
    state.failed = {"item": item, "summary": summary, "code": state.code}
    state.about = UNHEALTHY if item.startswith("health:") else ""
    if item.startswith("health:"):
        state.restarts.action = answer["tried"]
        server.purpose = restarts.next_action(state.restarts, state.plan, state.code)
    elif answer["do"] == STOP:
        server.purpose = ("exit", state.code)
    else:
        server.purpose = ("engine", answer["tried"], answer["do"] == SERVE, None)
    turn.show_outage(summary)
    if server.phase in (SERVING, BOOTING):
        stopping.begin(turn, state.plan["drain"] if server.phase == SERVING else 0.0)
    else:
        stopping.sweep(turn)


_ANSWERS = {"off": _off, "unknown": _unknown, "well": _ok, "settled": _settled, "next": _next}
