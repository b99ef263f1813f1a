"""How long a start may take at worst, and what decides that. Pure: the order is `core.order`'s, as the engine follows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.core.phases import CHECK, HEALTH, IMPORT, LAUNCH, QUICK, STEP, WAIT

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    for name in order.sorted:
        before = tuple(order.reduced(name))
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
            before,
            last.id if last else "",
            asked.get(name, ""),
        )
    last = max(done.values(), key=lambda each: _long(each.end), default=None)
    unbounded = tuple(each.id for each in done.values() if each.worst is None)
    return Plan(tuple(done.values()), last.end if last else 0.0, _path(done, last), unbounded)


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
