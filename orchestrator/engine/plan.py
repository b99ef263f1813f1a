"""What a start does in which order, and how long that may take: from the items alone. Pure.

The engine follows the same edges that `orchestrator plan` prints. Three things order items: what an item `needs`, what
it takes a value from, and where neither says anything, the phases.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from orchestrator.engine.item import CHECK, HEALTH, IMPORT, LAUNCH, QUICK, STEP, WAIT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

PHASE_NAMES = {QUICK: "requirements", IMPORT: "imports", WAIT: "waits", CHECK: "checks", STEP: "steps", LAUNCH: "launch", HEALTH: "health"}  # fmt: skip
BEFORE = {
    QUICK: (),
    IMPORT: (QUICK,),
    WAIT: (QUICK,),
    CHECK: (QUICK, WAIT),
    STEP: (QUICK, WAIT, CHECK),
    LAUNCH: (QUICK, IMPORT, WAIT, CHECK, STEP),
    HEALTH: (LAUNCH,),
}
"""For each phase, those that come before it. Imports run beside waits, checks and steps."""


@dataclass(slots=True, eq=False)
class Node:
    """One item of the plan."""

    id: str
    phase: int
    needs: tuple[str, ...] = ()
    """What must be well before."""
    after: tuple[str, ...] = ()
    """What must only be over before."""
    outputs: bool = False
    """Whether it is a step that sets variables."""
    level: int = QUICK
    """The phase in which it can be at the earliest: not before what it needs."""
    below: frozenset[str] = field(default_factory=frozenset)
    """Everything that it needs or follows, directly or not."""


class Order:
    """The edges between the items of one start."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self.nodes = {node.id: node for node in nodes}
        self.late_imports = any(node.outputs for node in nodes)
        """Whether imports wait for the steps, because one of them sets variables."""
        self._known: dict[str, list[str]] = {}
        self._all_known: dict[str, frozenset[str]] = {}
        self._break_circles()
        for node in nodes:
            node.below = frozenset(self._below(node.id, {}))
        self._turn = {name: at for at, name in enumerate(self._steps_in_turn())}
        early = [node.below for node in nodes if node.phase not in (IMPORT, LAUNCH, HEALTH)]
        self._needed_early: frozenset[str] = frozenset().union(*early)
        for node in nodes:
            node.level = max((self.nodes[name].phase for name in (node.id, *node.below)), default=node.phase)

    def before(self, name: str) -> list[str]:
        """Everything that must have come to its end before an item begins."""
        if name not in self._known:
            node = self.nodes[name]
            direct = [each for each in (*node.needs, *node.after) if each in self.nodes]
            phases = (
                [each.id for each in self.nodes.values() if self._phase_orders(node, each)]
                if node.level != QUICK
                else []
            )
            self._known[name] = list(dict.fromkeys([*direct, *phases]))
        return self._known[name]

    def _phase_orders(self, node: Node, other: Node) -> bool:
        if other is node or node.id in other.below:
            return False
        if node.phase == STEP and other.phase == STEP:
            return self._turn[other.id] < self._turn[node.id]
        if node.phase == IMPORT and other.phase == STEP and self._is_late(node):
            return True
        if other.phase == IMPORT and node.level < LAUNCH:
            return False  # imports run beside all else
        return other.level in BEFORE[node.level] and other.level < node.level

    def _steps_in_turn(self) -> list[str]:
        """The steps as they are listed, but each behind those that it needs, directly or through something else."""
        steps = [node for node in self.nodes.values() if node.phase == STEP]
        turns: dict[str, None] = {}

        def put(node: Node) -> None:
            for other in steps:
                if other.id in node.below and other.id not in turns:
                    put(other)
            turns[node.id] = None

        for node in steps:
            if node.id not in turns:
                put(node)
        return list(turns)

    def _is_late(self, module: Node) -> bool:
        """It waits for the steps, for one of them sets variables; not so when something needs it before the launch."""
        return self.late_imports and module.id not in self._needed_early

    def all_before(self, name: str) -> frozenset[str]:
        """Everything that must have come to its end before an item begins, directly or not."""
        if name not in self._all_known:
            direct = self.before(name)
            self._all_known[name] = frozenset(direct).union(*(self.all_before(each) for each in direct))
        return self._all_known[name]

    def _below(self, name: str, found: dict[str, None]) -> dict[str, None]:
        node = self.nodes[name]
        for each in (*node.needs, *node.after):
            if each in self.nodes and each not in found:
                found[each] = None
                self._below(each, found)
        return found

    def _break_circles(self) -> None:
        """To follow one another for a value is a wish: it gives way where it would close a circle."""
        for node in self.nodes.values():
            wished, node.after = node.after, ()
            kept = [
                each
                for each in wished
                if each in self.nodes and each != node.id and node.id not in self._below(each, {})
            ]
            node.after = tuple(each for each in kept if each not in node.needs)


@dataclass(frozen=True, slots=True)
class Timed:
    """An item in time: seconds from the start, at worst. None is without a bound."""

    id: str
    phase: int
    start: float | None
    worst: float | None
    end: float | None
    before: tuple[str, ...]
    because: str = ""
    """What it begins after: the last to end of what comes before."""
    when: str = ""
    """`skipped`: its condition does not hold; `maybe`: a start decides; empty where it has none, or it holds."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The whole start in time."""

    items: tuple[Timed, ...]
    worst: float | None
    critical: tuple[str, ...]
    unbounded: tuple[str, ...]

    def record(self) -> dict[str, Any]:
        """What `plan --format json` prints."""
        return {
            "worst_case_s": self.worst,
            "critical_path": list(self.critical),
            "unbounded": list(self.unbounded),
            "items": [
                {"id": each.id, "phase": PHASE_NAMES[each.phase], "after": list(each.before), "start_s": each.start, "worst_s": each.worst,
                 "end_s": each.end, "when": each.when}
                for each in self.items
            ],
        }  # fmt: skip


def timed(order: Order, worst: Mapping[str, float | None], when: Mapping[str, str] | None = None) -> Plan:
    """The earliest time at which everything is over if all takes as long as it may."""
    asked = when or {}
    done: dict[str, Timed] = {}
    for name in _sorted(order):
        before = tuple(order.before(name))
        last = max((done[each] for each in before), key=lambda each: _long(each.end), default=None)
        start = last.end if last is not None else 0.0
        took = worst.get(name, 0.0)
        end = None if start is None or took is None else start + took
        done[name] = Timed(
            name,
            order.nodes[name].phase,
            start,
            took,
            end,
            tuple(reduced(order, before)),
            last.id if last else "",
            asked.get(name, ""),
        )
    last = max(done.values(), key=lambda each: _long(each.end), default=None)
    unbounded = tuple(each.id for each in done.values() if each.worst is None)
    return Plan(tuple(done.values()), last.end if last else 0.0, _path(done, last), unbounded)


def reduced(order: Order, names: Iterable[str]) -> list[str]:
    """Those of several items that no other of them comes after anyway."""
    given = list(names)
    earlier = {each for name in given for each in order.all_before(name)}
    return [name for name in given if name not in earlier]


def _long(seconds: float | None) -> float:
    return float("inf") if seconds is None else seconds


def _path(done: Mapping[str, Timed], last: Timed | None) -> tuple[str, ...]:
    """The chain that decides how long it takes; what takes no time is left out."""
    names: list[str] = []
    while last is not None:
        if last.worst is None or last.worst > 0:
            names.append(last.id)
        last = done.get(last.because)
    return tuple(reversed(names))


def _sorted(order: Order) -> list[str]:
    """Every item behind what comes before it; else in the order of phases and of the spec."""
    left = sorted(order.nodes, key=lambda name: (order.nodes[name].level, order.nodes[name].phase))
    before = {name: set(order.before(name)) for name in left}
    result: list[str] = []
    while left:
        name = next((each for each in left if before[each] <= set(result)), None)
        assert name is not None, f"a circle among {left}"
        result.append(name)
        left.remove(name)
    return result
