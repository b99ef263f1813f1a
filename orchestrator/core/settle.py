"""What an attempt comes to: a status, or the next action of the item's list. Features go off and come back with it."""

from __future__ import annotations

from orchestrator.core.backoff import RESTARTS, delay
from orchestrator.core.item import DEGRADED, FAILED, GOOD, HEALED, OK, REMEDY, UNKNOWN, WAITING, WARNED
from orchestrator.core.phases import HEALTH, LAUNCH
from orchestrator.core.restarts import AFTER_READY
from orchestrator.core.words import DEGRADE, RESTART, SERVE, STOP, WARN
from orchestrator.core.words import REMEDY as REMEDY_WORD

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from orchestrator.core.item import Item, Outcome
    from orchestrator.core.state import State
    from orchestrator.core.turn import Turn
    from orchestrator.core.words import Lowered

DIAGNOSIS = 5.0
"""Seconds that waits get which can no longer change the verdict, so that what else is wrong is still reported."""


def failure(reason: str, summary: str) -> Outcome:
    """A failure that trying again does not fix."""
    return {"ok": False, "summary": summary, "reason": reason, "final": True}


def conclude(turn: Turn, name: str, outcome: Outcome) -> None:
    """Takes the last attempt's outcome."""
    item = turn.state.items[name]
    item.outcome, item.doing, item.due = outcome, "", None
    if outcome["ok"]:
        _succeed(turn, name, item)
    elif item.serve is not None:
        settle(turn, name, FAILED)  # checked again while something else is served
    else:
        if item.remedied:
            turn.do("no_help", name, item.remedied)
            item.remedied = ""
        follow(turn, name)


def follow(turn: Turn, name: str) -> None:
    """The next action of its list; behind the last one the item has failed."""
    item, actions = turn.state.items[name], actions_of(turn.state, name)
    while item.cursor < len(actions):
        action = actions[item.cursor]
        if action["do"] == RESTART and item.used < action["times"]:
            item.used += 1
            _restart(turn, name, item, action)
            return
        item.cursor, item.used = item.cursor + 1, 0
        if _applies(item, action):
            _ACTIONS[action["do"]](turn, name, item, action)
            return
    settle(turn, name, FAILED)


def actions_of(state: State, name: str) -> list[Lowered]:
    """The actions for an item."""
    found: list[Lowered] = state.plan["lists"].get(list_of(state, name), [])
    return found


def list_of(state: State, name: str) -> str:
    """The list for an item; once the service was ready, there is one for a server that fails in whatever way."""
    of_server = state.plan["nodes"][name]["phase"] in (LAUNCH, HEALTH)
    return AFTER_READY if state.was_ready and of_server else name


def settle(turn: Turn, name: str, status: str) -> None:
    """The item has come to its status."""
    item = turn.state.items[name]
    item.status, item.doing, item.remedied = status, "", ""
    turn.state.settled |= turn.state.plan["nodes"][name]["bit"]
    turn.do("item", name, status)
    if status == FAILED and item.serve is None and turn.state.over is None:
        turn.state.over = turn.now + DIAGNOSIS


def reopen(turn: Turn, name: str) -> None:
    """To be tried again as soon as it can be."""
    item = turn.state.items[name]
    item.status, item.doing, item.first, item.due = UNKNOWN, "", None, None
    item.lane += 1
    item.answers = {}
    turn.state.settled &= ~turn.state.plan["nodes"][name]["bit"]


def block(turn: Turn, name: str, by: str) -> None:
    item = turn.state.items[name]
    item.blocked_by = by
    item.outcome = {"ok": False, "summary": f"not tried: {by} is not well", "reason": "blocked"}
    settle(turn, name, "blocked")


def skip(turn: Turn, name: str, why: str) -> None:
    turn.state.items[name].outcome = {"ok": True, "summary": why}
    settle(turn, name, "skipped")


def off(state: State) -> list[str]:
    """The features that are off, in the order of the items."""
    return list(dict.fromkeys(name for item in state.items.values() for name in item.features))


def take_back(turn: Turn, name: str, outcome: Outcome) -> None:
    """The item was tolerated and cannot be: the app needs it. What follows in its list is tried."""
    item = turn.state.items[name]
    _switch_on(turn, name, item)
    item.essential, item.recheck, item.over = True, None, None
    item.outcome = outcome
    follow(turn, name)


def _applies(item: Item, action: Lowered) -> bool:
    """A verdict that goes on without the item is none for what the app cannot do without."""
    return not (item.essential and action["do"] in (WARN, DEGRADE)) and action["do"] != RESTART


def _succeed(turn: Turn, name: str, item: Item) -> None:
    _switch_on(turn, name, item)
    item.serve, item.recheck, item.over = None, None, None
    settle(turn, name, HEALED if item.cursor or item.used else OK)


def _switch_on(turn: Turn, name: str, item: Item) -> None:
    """What was off for the item's sake alone is on again."""
    before, item.features, item.feature = item.features, [], ""
    still = off(turn.state)
    seconds = 0.0 if item.off_since is None else turn.now - item.off_since
    for feature in before:
        if feature not in still:
            turn.do("feature", feature, True, name, seconds)


def _warn(turn: Turn, name: str, item: Item, action: Lowered) -> None:
    turn.do("fallback", name, action, "")
    item.feature = ""
    settle(turn, name, WARNED)


def _degrade(turn: Turn, name: str, item: Item, action: Lowered) -> None:
    turn.do("fallback", name, action, "")
    item.feature, item.recheck, item.restart_app = action["feature"], action["recheck"], action["restart_app"]
    item.off_since = turn.now if item.off_since is None else item.off_since
    item.over = None if action["max_degraded"] is None else turn.now + action["max_degraded"]
    item.due = None if item.recheck is None else turn.now + item.recheck
    if item.feature not in off(turn.state):
        turn.do("feature", item.feature, False, name, 0.0)
    if item.feature not in item.features:
        item.features.append(item.feature)
    settle(turn, name, DEGRADED)


def _serve(turn: Turn, name: str, item: Item, action: Lowered) -> None:
    turn.do("fallback", name, action, "")
    item.serve = action
    settle(turn, name, FAILED)


def _stop(turn: Turn, name: str, item: Item, action: Lowered) -> None:
    item.exit_code = action["code"]
    settle(turn, name, FAILED)


def _remedy(turn: Turn, name: str, item: Item, _: Lowered) -> None:
    item.status, item.doing = WAITING, REMEDY
    item.lane += 1
    turn.do("remedy", name, item.lane, list_of(turn.state, name), item.cursor - 1)


def _restart(turn: Turn, name: str, item: Item, action: Lowered) -> None:
    """The server again, after a pause that grows."""
    turn.do("fallback", name, action, f"restart {item.used} of {action['times']}")
    reopen(turn, name)
    item.remedied = action["name"]
    turn.state.restarts.streak += 1
    turn.server.purpose = ("relaunch", delay(RESTARTS, turn.state.restarts.streak, 1.0))


def is_good(state: State, name: str) -> bool:
    return state.items[name].status in GOOD


_ACTIONS: dict[str, Callable[[Turn, str, Item, Any], None]] = {
    WARN: _warn, DEGRADE: _degrade, SERVE: _serve, STOP: _stop, REMEDY_WORD: _remedy,
}  # fmt: skip
