"""A row of the rehearsal: one item, one failure, and what the service comes to. Pure data."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

READY, HEALED, DEGRADED, MAINTENANCE, STOPPED = "ready", "healed", "degraded", "maintenance", "stopped"


@dataclass(frozen=True, slots=True)
class Ending:
    """What a start comes to."""

    outcome: str
    exit_code: int | None = None
    degraded: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.degraded:
            return f"{self.outcome} ({', '.join(self.degraded)})"
        return f"{self.outcome} with {self.exit_code}" if self.exit_code is not None else self.outcome


@dataclass(frozen=True, slots=True)
class Row:
    """One failure. `otherwise` has the endings if remedies do not help, which a simulation cannot know."""

    id: str
    reason: str
    ending: Ending
    fallbacks: tuple[tuple[str, str], ...] = ()
    otherwise: tuple[Ending, ...] = ()
    proved: bool | None = None
    note: str = ""
    expected: str = ""
    """What was simulated, where a real start came to something else."""
    skipped: bool = False
    """Whether its condition does not hold here: it is not tried, so it cannot fail."""
    seconds: float = field(default=0.0, compare=False)

    @property
    def name(self) -> str:
        return f"{self.id} {self.reason}"

    @property
    def foreseen(self) -> tuple[Ending, ...]:
        """The endings that what is written in the spec may lead to."""
        return (self.ending, *self.otherwise)

    def outcomes(self) -> set[str]:
        """What may be pinned: a proof has one outcome, a simulation one for each way that remedies may go."""
        return {self.ending.outcome} if self.proved is not None else {each.outcome for each in self.foreseen}

    def unproved(self, why: str) -> Row:
        """The row as it was simulated, with why no real start says the same."""
        if self.skipped:
            return self
        return replace(self, note="; ".join(each for each in (self.note, f"not proved: {why}") if each))

    def record(self) -> dict[str, Any]:
        """An entry of `rehearsals`, as the machine format has it."""
        return {
            "break": self.id,
            "reason": self.reason,
            "outcome": self.ending.outcome,
            "exit_code": self.ending.exit_code,
            "fallbacks": [{"action": action, "result": result} for action, result in self.fallbacks],
            "degraded": list(self.ending.degraded),
            "proved": self.proved,
            "note": self.note,
        }
