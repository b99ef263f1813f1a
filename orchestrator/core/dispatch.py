"""What begins when: each item as soon as what orders it is over; its attempts, its condition, its remedies."""

from __future__ import annotations

from orchestrator.core.backoff import Policy, pause
from orchestrator.core.conditions import Facts, evaluate
from orchestrator.core.item import (
    ASK,
    ATTEMPT,
    BLOCKED,
    DEGRADED,
    FAILED,
    IMPORT,
    PAUSE,
    PROBE,
    REMEDY,
    UNKNOWN,
    WAITING,
)
from orchestrator.core.phases import HEALTH, LAUNCH, STEP, WAIT
from orchestrator.core.settle import actions_of, block, conclude, failure, follow, is_good, reopen, skip

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from orchestrator.core.conditions import Condition, Evaluation
    from orchestrator.core.item import Item, Outcome
    from orchestrator.core.state import State
    from orchestrator.core.turn import Turn

    Node = dict[str, Any]


def begin_free(turn: Turn) -> bool:
    """Begins what nothing holds back any more; whether anything changed."""
    progressed = False
    for name, node in turn.state.plan["nodes"].items():
        item = turn.state.items[name]
        if item.status == UNKNOWN and node["phase"] < LAUNCH and _may_begin(turn, name, node):
            progressed = True
            if item.status == UNKNOWN:
                _gate(turn, name, node, item)
    return progressed


def attempt(turn: Turn, name: str) -> None:
    """One attempt, in a lane of its own."""
    item = turn.state.items[name]
    item.status, item.doing, item.due = WAITING, ATTEMPT, None
    item.first = turn.now if item.first is None else item.first
    item.attempts += 1
    item.lane += 1
    turn.do("attempt", name, item.lane)


def on_attempted(
    turn: Turn, name: str, lane: int, outcome: Outcome, values: dict[str, str | None] | None = None
) -> None:
    item = turn.state.items[name]
    if item.lane != lane or item.doing not in (ATTEMPT, PROBE):
        return
    _set_values(turn.state, values)
    if item.doing == PROBE:
        _probed(turn, name, item, outcome)
        return
    again = None if outcome["ok"] else _next_attempt(turn, name, item, outcome)
    if again is None:
        conclude(turn, name, outcome)
    else:
        item.outcome, item.doing, item.due = outcome, PAUSE, again
        turn.do("waiting", name, item.attempts, outcome)


def on_answered(turn: Turn, name: str, lane: int, leaf: Condition, holds: bool | None, why: str) -> None:
    """A leaf of the item's condition was asked."""
    item = turn.state.items[name]
    if item.lane == lane and item.doing == ASK:
        item.answers[leaf] = (holds, why)
        item.status, item.doing = UNKNOWN, ""


def on_remedied(
    turn: Turn,
    name: str,
    lane: int,
    ok: bool,
    summary: str,
    values: dict[str, str | None] | None = None,
) -> None:
    """A remedy is never believed: the item is checked again."""
    item = turn.state.items[name]
    if item.lane != lane or item.doing != REMEDY:
        return
    _set_values(turn.state, values)
    action = _action_before(turn.state, name, item)
    turn.do("fallback", name, action, summary)
    if ok and action["again"]:
        reopen(turn, name)
        item.remedied = action["name"]
        if turn.state.plan["nodes"][name]["phase"] == HEALTH and not action.get("beside", True):
            turn.server.purpose = ("relaunch", 0.0)
    else:
        follow(turn, name)


def items_due(turn: Turn) -> None:
    """What is attempted again now, what was off for too long, and waits that nothing depends on any more."""
    state = turn.state
    for name, item in state.items.items():
        if item.over is not None and item.status == DEGRADED and turn.now >= item.over:
            item.over = item.recheck = None
            _give_up(turn, name, item)
            follow(turn, name)
        elif item.due is not None and turn.now >= item.due:
            item.due = None
            if item.doing == PAUSE:
                attempt(turn, name)
            elif item.status == DEGRADED and state.plan["nodes"][name]["looks"]:
                item.doing, item.lane = PROBE, item.lane + 1
                turn.do("attempt", name, item.lane)
    if state.over is not None and turn.now >= state.over:
        _end_diagnosis(turn)


def next_due(state: State) -> float | None:
    """When `items_due` has something to do at the latest."""
    dues = [due for item in state.items.values() for due in (item.due, item.over) if due is not None]
    waiting = any(_is_open_wait(state, name) for name in state.items)
    return min(dues + ([state.over] if state.over is not None and waiting else []), default=None)


def give_up_all(turn: Turn) -> None:
    """Nothing that is under way is of interest any more."""
    for name, item in turn.state.items.items():
        _give_up(turn, name, item)
        item.due = item.over = None


def grace_of_steps(state: State) -> float:
    """Seconds that a running step has to end; 0 where none runs."""
    nodes = state.plan["nodes"]
    running = (nodes[name] for name, item in state.items.items() if item.doing == ATTEMPT)
    return max((float(node["grace"]) for node in running if node["phase"] == STEP), default=0.0)


def facts_of(state: State) -> Facts:
    """What is known while the conditions of items are evaluated."""
    given = state.facts
    return Facts(
        given["environ"],
        role=given["role"],
        environment=given["environment"],
        root=given["root"],
        late=given["late"],
        complete=given["complete"],
        steps={name: item.status for name, item in state.items.items() if name.startswith("step:")},
    )


def _may_begin(turn: Turn, name: str, node: Node) -> bool:
    """Whether everything that orders it is over; blocks or skips it where something that it needs failed."""
    state = turn.state
    for need in node["needs"]:
        if need in state.items and not is_good(state, need):
            if state.items[need].settled:
                block(turn, name, need)
            return state.items[need].settled
    for variable in node["variables"]:
        known = state.items.get(variable)
        if known is not None and not known.settled:
            return False
        if known is not None and not known.outcome["ok"]:
            _without(turn, name, variable, known)
            return True
    if node["before"] & ~state.settled:
        return False
    return node["phase"] != STEP or _step_may_begin(turn, name)


def _step_may_begin(turn: Turn, name: str) -> bool:
    """Steps run one by one, and none once something failed for good: a migration is no diagnosis."""
    state = turn.state
    for other, item in state.items.items():
        if item.status in (FAILED, BLOCKED) and other != name:
            block(turn, name, other if item.status == FAILED else item.blocked_by)
            return True
    nodes = state.plan["nodes"]
    return not any(item.doing and nodes[other]["phase"] == STEP for other, item in state.items.items())


def _without(turn: Turn, name: str, variable: str, known: Item) -> None:
    """It is written with a variable that has no usable value: blocked by it, or skipped where that was tolerated."""
    if known.status in (FAILED, BLOCKED):
        block(turn, name, variable)
    elif name == "port":
        conclude(turn, name, no_value(variable))
    else:
        skip(turn, name, f"`{variable}` has no usable value, and the service goes on without it")


def no_value(variable: str) -> Outcome:
    """What the port or the launch comes to whose variable was tolerated."""
    return failure("missing", f"it is written with `{variable.partition(':')[2]}`, which has no usable value")


def _gate(turn: Turn, name: str, node: Node, item: Item) -> None:
    """Evaluates its condition; a leaf that must be asked is asked first."""
    holds, why, leaf = _applies(turn.state, node, item)
    if leaf is not None:
        item.status, item.doing, item.lane = WAITING, ASK, item.lane + 1
        turn.do("ask", name, item.lane, leaf)
    elif holds is None:
        conclude(turn, name, failure("condition", f"cannot tell whether it applies: {why}"))
    elif not holds:
        skip(turn, name, why)
    elif node["imported"]:
        item.status, item.doing = WAITING, IMPORT
        turn.state.imports.outdated = turn.state.imports.outdated or bool(item.remedied)
    else:
        attempt(turn, name)


def _applies(state: State, node: Node, item: Item) -> Evaluation:
    if node["when"] is None:
        return True, "", None
    facts = facts_of(state)
    facts.answers = item.answers
    return evaluate(node["when"], facts)


def _next_attempt(turn: Turn, name: str, item: Item, outcome: Outcome) -> float | None:
    """When it is attempted again; None where this was the last attempt."""
    node, state = turn.state.plan["nodes"][name], turn.state
    if node["retry"] is None or outcome.get("final") or item.first is None:
        return None
    policy = Policy(*node["retry"])
    if policy.times is not None and item.attempts >= policy.times:
        return None
    again = turn.now + pause(policy, item.attempts, turn.now - item.first, state.draw())
    over = [] if node["deadline"] is None else [_start_of(state, node, item.first) + node["deadline"]]
    if state.over is not None and node["phase"] == WAIT:
        over.append(state.over)
    return None if any(again >= each for each in over) else again


def _start_of(state: State, node: Node, first: float) -> float:
    """Health has the time since the launch."""
    launched = state.items["launch"].first if node["phase"] == HEALTH else None
    return first if launched is None else launched


def _probed(turn: Turn, name: str, item: Item, outcome: Outcome) -> None:
    """What was degraded was tried again."""
    item.doing = ""
    if item.status == DEGRADED and outcome["ok"]:
        conclude(turn, name, outcome)
    elif item.recheck is not None:
        item.due = turn.now + item.recheck


def _is_open_wait(state: State, name: str) -> bool:
    item = state.items[name]
    return state.plan["nodes"][name]["phase"] == WAIT and item.doing in (ATTEMPT, PAUSE)


def _end_diagnosis(turn: Turn) -> None:
    for name, item in turn.state.items.items():
        if _is_open_wait(turn.state, name):
            _give_up(turn, name, item)
            known = item.outcome if item.outcome.get("summary") else failure("timeout", "it did not answer")
            conclude(turn, name, known)


def _give_up(turn: Turn, name: str, item: Item) -> None:
    if item.doing in (ATTEMPT, PROBE, REMEDY, ASK):
        turn.do("give_up", name, item.lane)
    item.lane += 1
    item.doing = ""


def _action_before(state: State, name: str, item: Item) -> dict[str, Any]:
    return actions_of(state, name)[item.cursor - 1]


def _set_values(state: State, values: dict[str, str | None] | None) -> None:
    """Variables that a step or a remedy set; None takes one out."""
    environ: dict[str, str] = state.facts["environ"]
    for name, value in (values or {}).items():
        if value is None:
            environ.pop(name, None)
        else:
            environ[name] = value
    if values:
        state.imports.outdated = True
