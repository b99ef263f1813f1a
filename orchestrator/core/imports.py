"""Importing early is a bet: it begins beside the waits, and failures that something may still fix are held back."""

from __future__ import annotations

from orchestrator.core.item import DEGRADED, FAILED, HEALED, IMPORT, OK, REMEDY, UNKNOWN, WAITING, WARNED
from orchestrator.core.phases import LAUNCH, QUICK, STEP
from orchestrator.core.settle import block, conclude, off, take_back

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestrator.core.item import Outcome
    from orchestrator.core.state import State
    from orchestrator.core.turn import Turn

MOST_ROUNDS = 20


def advance(turn: Turn) -> bool:
    """Starts a round when all is ready for one, or judges what was held back; whether anything changed."""
    state, imports = turn.state, turn.state.imports
    if imports.outdated:
        imports.outdated = False
        if imports.running or imports.ready:
            discard(turn)
    if imports.running or imports.ready:
        return False
    another = _needed(state) and _may_begin(state) and (not imports.ended or _another_round(state))
    if not another:
        return _judge_held(turn)
    imports.round += 1
    imports.running, imports.ended, imports.held = True, False, {}
    imports.last, imports.features = _others_settled(state), off(state)
    turn.do("import", imports.round, to_import(state))
    return True


def is_settled(state: State) -> bool:
    """Whether nothing is to come from here any more."""
    if _waiting(state):
        return False
    if "launch" not in state.items or _hopeless(state):
        return True
    return state.imports.ready or state.items["launch"].settled


def discard(turn: Turn) -> None:
    """What was imported so far is not what is to be served."""
    turn.do("discard")
    turn.state.imports.running = turn.state.imports.ready = False
    for name in _modules(turn.state):
        _import_again(turn, name)


def begin_again(turn: Turn) -> None:
    """Forgets what was tried: a fresh process imports once all is ready for it."""
    imports = turn.state.imports
    if imports.running or imports.ready:
        turn.do("discard")
    imports.round, imports.running, imports.ready, imports.ended, imports.held = 0, False, False, False, {}
    for name in _modules(turn.state):
        _import_again(turn, name)


def on_imported(turn: Turn, round_: int, name: str, outcome: Outcome) -> None:
    """A module was imported, or what was imported is not what is asked for."""
    item = turn.state.items.get(name)
    if round_ == turn.state.imports.round and item is not None and item.doing == IMPORT:
        item.attempts += 1
        conclude(turn, name, outcome)


def on_not_imported(turn: Turn, round_: int, name: str, outcome: Outcome, needed: list[str]) -> None:
    """An import failed; `needed` are the items that were tolerated and that the app itself imports."""
    state, imports = turn.state, turn.state.imports
    if round_ != imports.round or not imports.running or state.items[name].settled:
        return
    state.items[name].attempts += 1
    if name == "launch" or not (outcome.get("final") or imports.last):
        imports.held[name] = [outcome, needed]
    else:
        conclude(turn, name, outcome)


def on_ready(turn: Turn, round_: int) -> None:
    if round_ == turn.state.imports.round and turn.state.imports.running:
        turn.state.imports.running, turn.state.imports.ready = False, True


def on_ended(turn: Turn, round_: int) -> None:
    """The importing process has ended: what was not imported has failed."""
    state, imports = turn.state, turn.state.imports
    if round_ != imports.round or not imports.running:
        return
    imports.running, imports.ended = False, True
    held = imports.held.get("launch")
    if held is not None and not state.items["launch"].settled:
        _judge_app(turn, *held)


def to_import(state: State) -> list[str]:
    """The modules that are imported before the app: not those that were tolerated."""
    return [
        name
        for name in _modules(state)
        if not state.items[name].settled or state.items[name].status in (OK, HEALED)
    ]


def _modules(state: State) -> list[str]:
    return [name for name, node in state.plan["nodes"].items() if node["imported"]]


def _waiting(state: State) -> list[str]:
    return [name for name in _modules(state) if not state.items[name].settled]


def _launch_open(state: State) -> bool:
    return "launch" in state.items and not state.items["launch"].settled


def _import_again(turn: Turn, name: str) -> None:
    item = turn.state.items[name]
    if item.status in (OK, HEALED):
        item.status, item.doing = WAITING, IMPORT
        turn.state.settled &= ~turn.state.plan["nodes"][name]["bit"]


def _needed(state: State) -> bool:
    return "launch" in state.items or any(
        not state.items[name].settled or state.items[name].good for name in _modules(state)
    )


def _may_begin(state: State) -> bool:
    nodes, items = state.plan["nodes"], state.items
    quick = (name for name, node in nodes.items() if node["phase"] == node["level"] == QUICK)
    if not all(items[name].settled for name in quick):
        return False
    if state.plan["late_imports"] and not _others_settled(state):
        return False
    if any(item.doing == REMEDY and nodes[name]["phase"] >= LAUNCH for name, item in items.items()):
        return False  # the server is remedied
    if any(
        items[name].status == UNKNOWN or items[name].doing not in ("", IMPORT) for name in _modules(state)
    ):
        return False
    return bool(_waiting(state)) or _launch_open(state)


def _another_round(state: State) -> bool:
    """After a round that failed: when what failed was remedied or tolerated, or may have been fixed meanwhile."""
    if state.imports.round >= MOST_ROUNDS:
        return False
    failures = _failures(state)
    if state.imports.held:
        return _others_settled(state) and not failures
    return bool(_waiting(state)) or (_launch_open(state) and not failures)


def _failures(state: State) -> list[str]:
    return [name for name, item in state.items.items() if item.status == FAILED]


def _others_settled(state: State) -> bool:
    """Whether everything is over that an import may have waited for: not what waits for an import itself."""
    nodes = state.plan["nodes"]
    open_ones = 0
    for name in _waiting(state):
        open_ones |= nodes[name]["bit"]
    return all(
        state.items[name].settled or node["below"] & open_ones
        for name, node in nodes.items()
        if node["phase"] <= STEP and not node["imported"]
    )


def _hopeless(state: State) -> bool:
    """Whether something failed for good, so that no process of ours will serve, and each module was tried."""
    imports = state.imports
    return bool(_failures(state)) and imports.round > 0 and not (imports.running or imports.ready)


def _judge_app(turn: Turn, outcome: Outcome, needed: list[str]) -> None:
    """The app's own failure is judged when no module is to blame, or nothing will be tried again."""
    state, imports = turn.state, turn.state.imports
    items = [state.items[name] for name in _modules(state)]
    failed = any(item.status == FAILED for item in items)
    tolerated = any(item.status in (DEGRADED, WARNED) and item.attempts for item in items)
    if tolerated and not failed and imports.round == 1:
        del imports.held["launch"]  # the next round, without that module, tells
    elif (outcome.get("final") or imports.last) and len(imports.held) == 1:
        del imports.held["launch"]
        _conclude_app(turn, outcome, needed)


def _conclude_app(turn: Turn, outcome: Outcome, needed: list[str]) -> None:
    """What the app itself imports can be tolerated by nobody: then not the app has failed, but what it needs."""
    state = turn.state
    tolerated = [name for name in needed if state.items[name].status in (DEGRADED, WARNED)]
    if not tolerated:
        conclude(turn, "launch", outcome)
        return
    for name in tolerated:
        take_back(turn, name, {**outcome, "summary": f"the app needs it: {outcome['summary']}"})
    lost = next((name for name in tolerated if state.items[name].status == FAILED), None)
    if lost is not None:
        block(turn, "launch", lost)
    else:
        begin_again(turn)


def _judge_held(turn: Turn) -> bool:
    """Failures that were held back because something might have fixed them: now nothing will."""
    state, imports = turn.state, turn.state.imports
    if not imports.held or not _others_settled(state) or (imports.ended and _another_round(state)):
        return False
    held, imports.held = imports.held, {}
    for name, (outcome, needed) in held.items():
        if state.items[name].settled:
            continue
        if state.plan["nodes"][name]["phase"] == LAUNCH:
            _conclude_app(turn, outcome, needed)
        else:
            conclude(turn, name, outcome)
    return True
