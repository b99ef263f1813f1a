"""The order of a start: what an item needs, what it takes a value from, and where neither says anything, the phases.

Phases are barriers and not edges, and sets of items are the bits of a number: thousands of items are ordered at once.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush

from orchestrator.core.phases import BEFORE, HEALTH, IMPORT, LAUNCH, QUICK, STEP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Node:
    """One item of the plan."""

    __slots__ = ("after", "id", "level", "needs", "outputs", "phase")

    def __init__(
        self,
        id: str,  # noqa: A002 - it is one
        phase: int,
        needs: Sequence[str] = (),
        after: Sequence[str] = (),
        *,
        outputs: bool = False,
    ) -> None:
        self.id, self.phase = id, phase
        self.needs = tuple(needs)
        """What must be ok before."""
        self.after = tuple(after)
        """What must only be over before; given up where it would close a circle."""
        self.outputs = outputs
        """Whether it is a step that sets variables."""
        self.level = phase
        """The phase in which it can be at the earliest: not before what it needs."""


class Order:
    """The edges and barriers between the items of one start. A set of items is a number, see `mask`."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self.nodes = {node.id: node for node in nodes}
        self.late_imports = any(node.outputs for node in nodes)
        """Whether imports wait for the steps, because one of them sets variables."""
        self._place = {name: at for at, name in enumerate(self.nodes)}
        self._break_circles()
        below = self._below()
        self._previous = self._step_before_each(below)
        early = _union(below[node.id] for node in nodes if node.phase not in (IMPORT, LAUNCH, HEALTH))
        self._late = {
            node.id
            for at, node in enumerate(self.nodes.values())
            if self.late_imports and node.phase == IMPORT and not early >> at & 1
        }
        """Modules that wait for the steps; not so what something needs before the launch."""
        self.sorted = self._sorted()
        """Every item behind what comes before it, else in the order of phases and of the spec."""
        self._bits = {name: 1 << at for at, name in enumerate(self.sorted)}
        self._barriers = self._masks_of_barriers()
        self._all: dict[str, int] = {}
        for name in self.sorted:
            self._all[name] = self._with_all_before(self.before_mask(name))

    # Asking

    def mask(self, names: Iterable[str]) -> int:
        """A set of items as the bits of a number."""
        return _union(self._bits[name] for name in names if name in self._bits)

    def before_mask(self, name: str) -> int:
        """Everything that must have come to its end before an item begins."""
        node = self.nodes[name]
        found = self.mask(self._direct(node))
        for phase in BEFORE[node.level]:
            if phase < node.level:
                found |= self._barriers[phase, node.level >= LAUNCH]
        if node.phase == STEP:
            previous = self._previous.get(name)
            found |= self._steps_up_to(previous) if previous else 0
        return found | (self._barriers[STEP, None] if name in self._late else 0)

    def all_mask(self, name: str) -> int:
        """Everything that must have come to its end before an item begins, directly or not."""
        return self._all[name]

    def names(self, mask: int) -> list[str]:
        """The items of a set, in their order."""
        return [name for name in self.sorted if self._bits[name] & mask]

    def reduced(self, name: str) -> list[str]:
        """Those that come directly before an item: no other of them comes after them anyway."""
        first = {each: at for at, each in enumerate(self._direct(self.nodes[name]))}
        found = self._last_of(self.before_mask(name))
        return sorted(found, key=lambda each: (first.get(each, len(first)), self._place[each]))

    # Building

    def _direct(self, node: Node) -> list[str]:
        return [name for name in dict.fromkeys((*node.needs, *node.after)) if name in self.nodes]

    def _break_circles(self) -> None:
        """To follow one another for a value is a wish: it gives way where it would close a circle."""
        for node in self.nodes.values():
            wished, node.after = node.after, ()
            kept = [each for each in wished if each in self.nodes and not self._leads_to(each, node.id)]
            node.after = tuple(each for each in kept if each not in node.needs)

    def _leads_to(self, name: str, wanted: str) -> bool:
        """Whether an item needs or follows another one, directly or not, or is that one."""
        seen, left = {name}, [name]
        while left:
            each = left.pop()
            if each == wanted:
                return True
            fresh = [other for other in self._direct(self.nodes[each]) if other not in seen]
            seen.update(fresh)
            left += fresh
        return False

    def _below(self) -> dict[str, int]:
        """What each item needs or follows, directly or not; their levels follow from that."""
        found: dict[str, int] = {}
        for name in self._depth_first():
            node = self.nodes[name]
            direct = self._direct(node)
            found[name] = _union(found[each] | 1 << self._place[each] for each in direct)
            node.level = max(node.phase, *(self.nodes[each].level for each in direct), QUICK)
        return found

    def _depth_first(self) -> list[str]:
        """Every item behind what it needs and follows."""
        done: dict[str, None] = {}
        for name in self.nodes:
            stack = [name]
            while stack:
                open_ones = [each for each in self._direct(self.nodes[stack[-1]]) if each not in done]
                if open_ones and stack[-1] not in done:
                    stack.append(open_ones[0])
                else:
                    done[stack.pop()] = None
        return list(done)

    def _step_before_each(self, below: dict[str, int]) -> dict[str, str]:
        """The step before each step: as they are listed, but each behind those that it needs, through whatever."""
        names = list(self.nodes)
        left = _union(1 << at for at, node in enumerate(self.nodes.values()) if node.phase == STEP)
        turns: list[str] = []
        stack: list[int] = []
        while left or stack:
            needed = below[names[stack[-1]]] & left if stack else left
            if needed:
                stack.append(_lowest(needed))
                left &= ~(1 << stack[-1])
            else:
                turns.append(names[stack.pop()])
        return dict(zip(turns[1:], turns, strict=False))

    def _sorted(self) -> list[str]:
        """A heap of what is free. What a barrier holds back is never free before it: it has a higher level."""
        waits, followers = self._edges()
        steps = sum(node.phase == STEP for node in self.nodes.values())

        def key(name: str) -> tuple[int, int, int]:
            return self.nodes[name].level, self.nodes[name].phase, self._place[name]

        free = [
            key(name) for name, count in waits.items() if not count and not (steps and name in self._late)
        ]
        heapify(free)
        names, found = list(self.nodes), []
        while free:
            name = names[heappop(free)[2]]
            found.append(name)
            freed = followers.get(name, [])
            for each in freed:
                waits[each] -= 1
            steps -= self.nodes[name].phase == STEP
            released = self._late if self.nodes[name].phase == STEP and not steps else ()
            for each in dict.fromkeys((*freed, *released)):
                if not waits[each] and not (steps and each in self._late):
                    heappush(free, key(each))
        assert len(found) == len(names), f"a circle among {set(names) - set(found)}"
        return found

    def _edges(self) -> tuple[dict[str, int], dict[str, list[str]]]:
        """How many items each waits for directly, and who waits for each."""
        waits: dict[str, int] = {}
        followers: dict[str, list[str]] = {}
        for name, node in self.nodes.items():
            direct = self._direct(node) + ([self._previous[name]] if name in self._previous else [])
            waits[name] = len(direct)
            for each in direct:
                followers.setdefault(each, []).append(name)
        return waits, followers

    def _masks_of_barriers(self) -> dict[tuple[int, bool | None], int]:
        """The items of each level, without and with those that are imported; and all steps."""
        found: dict[tuple[int, bool | None], int] = dict.fromkeys(
            [(level, imports) for level in BEFORE for imports in (False, True)], 0
        )
        found[STEP, None] = 0
        for name, node in self.nodes.items():
            found[node.level, True] |= self._bits[name]
            if node.phase != IMPORT:
                found[node.level, False] |= self._bits[name]
            if node.phase == STEP:
                found[STEP, None] |= self._bits[name]
        return found

    def _steps_up_to(self, name: str) -> int:
        """A step and all those whose turn comes before it: they stand before it in the order."""
        bit = self._bits[name]
        return self._barriers[STEP, None] & (bit | (bit - 1))

    def _last_of(self, mask: int) -> list[str]:
        """Those of a set that no other of it comes after."""
        found = []
        while mask:
            name = self.sorted[mask.bit_length() - 1]
            found.append(name)
            mask &= ~(self._all[name] | self._bits[name])
        return found

    def _with_all_before(self, mask: int) -> int:
        return mask | _union(self._all[name] for name in self._last_of(mask))


def _union(masks: Iterable[int]) -> int:
    found = 0
    for mask in masks:
        found |= mask
    return found


def _lowest(mask: int) -> int:
    return (mask & -mask).bit_length() - 1
