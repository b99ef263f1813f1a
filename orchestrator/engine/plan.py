"""How long a start may take at worst, and what decides that. Pure: the order is `core.order`'s, as the engine follows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.core.phases import CHECK, HEALTH, IMPORT, LAUNCH, QUICK, STEP, WAIT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from collections.abc import Set as AbstractSet

    from orchestrator.core.order import Order

PHASE_NAMES = {QUICK: "requirements", IMPORT: "imports", WAIT: "waits", CHECK: "checks", STEP: "steps", LAUNCH: "launch", HEALTH: "health"}  # fmt: skip


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
class Drop:
    """Where an engine that was started as root becomes the service's user."""

    user: str
    at: float | None
    """Seconds from the start, at worst; None without a bound."""
    after: tuple[str, ...]
    """The last items that are root's to do; none where it has nothing to do."""
    then: tuple[str, ...]
    """The items that nothing but this holds back."""

    def record(self) -> dict[str, Any]:
        return {"user": self.user, "after": list(self.after), "given_up_s": self.at}


@dataclass(frozen=True, slots=True)
class Plan:
    """The whole start in time."""

    items: tuple[Timed, ...]
    worst: float | None
    critical: tuple[str, ...]
    unbounded: tuple[str, ...]
    drop: Drop | None = None
    """None where nobody becomes somebody else."""

    def record(self) -> dict[str, Any]:
        """What `plan --format json` prints."""
        return {
            "worst_case_s": self.worst,
            "critical_path": list(self.critical),
            "unbounded": list(self.unbounded),
            "rights": self.drop.record() if self.drop is not None else None,
            "items": [
                {"id": each.id, "phase": PHASE_NAMES[each.phase], "after": list(each.before), "start_s": each.start, "worst_s": each.worst,
                 "end_s": each.end, "when": each.when}
                for each in self.items
            ],
        }  # fmt: skip


def timed(
    order: Order,
    worst: Mapping[str, float | None],
    when: Mapping[str, str] | None = None,
    user: str = "",
    held: AbstractSet[str] = frozenset(),
) -> Plan:
    """The earliest time at which everything is over if all takes as long as it may.

    `held` are the items that come before the engine becomes `user`; nothing else begins before them.
    """
    asked = when or {}
    done: dict[str, Timed] = {}
    last_held: Timed | None = None
    for name in sorted(order.sorted, key=lambda each: each not in held):
        before = tuple(order.reduced(name))
        ends = [done[each] for each in before]
        if last_held is None and user and name not in held:
            last_held = _last(done.values())
        last = _last([*ends, last_held] if last_held is not None else ends)
        start = last.end if last is not None else 0.0
        took = worst.get(name, 0.0)
        end = None if start is None or took is None else start + took
        done[name] = Timed(
            name,
            order.nodes[name].phase,
            start,
            took,
            end,
            before,
            last.id if last else "",
            asked.get(name, ""),
        )
    items = tuple(done[name] for name in order.sorted)
    last = _last(items)
    unbounded = tuple(each.id for each in items if each.worst is None)
    drop = _drop(user, order, done, held) if user else None
    return Plan(items, last.end if last else 0.0, _path(done, last), unbounded, drop)


def _drop(user: str, order: Order, done: Mapping[str, Timed], held: AbstractSet[str]) -> Drop:
    last = _last(done[name] for name in held)
    followed = {before for name in held for before in done[name].before}
    after = tuple(name for name in order.sorted if name in held and name not in followed)
    then = tuple(name for name in order.sorted if name not in held and held >= set(done[name].before))
    return Drop(user, last.end if last is not None else 0.0, after, then)


def _last(items: Iterable[Timed]) -> Timed | None:
    return max(items, key=lambda each: _long(each.end), default=None)


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
