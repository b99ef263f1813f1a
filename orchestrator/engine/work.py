"""One item of a start while it runs: its state, its attempts, and where it stands in the spec."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from orchestrator.engine.outcome import Outcome, Status

if TYPE_CHECKING:
    from orchestrator.diagnostics import Place
    from orchestrator.spec.item import Action

QUICK, IMPORT, WAIT, CHECK, STEP, LAUNCH, HEALTH = range(7)
"""The phases, in the order in which a start goes through them."""

PHASES = {"python": QUICK, "package": QUICK, "host": QUICK, "directory": QUICK, "file": QUICK, "port": QUICK,
          "module": IMPORT, "wait": WAIT, "check": CHECK, "step": STEP, "launch": LAUNCH, "health": HEALTH}  # fmt: skip


@dataclass(slots=True, eq=False)
class Work:
    """An item on its way to a state."""

    id: str
    item: Any
    path: tuple[str | int, ...]
    place: Place | None
    phase: int
    needs: tuple[str, ...] = ()
    status: Status = Status.UNKNOWN
    outcome: Outcome | None = None
    attempts: int = 0
    started: float = 0.0
    """Milliseconds since the start of the run."""
    tried: int = 0
    """How many of its fallback actions were tried."""
    feature: str = ""
    exit_code: int | None = None
    """What a `stop` action said."""
    serve: Action | None = None
    """The `serve` action that decided, where one did."""
    blocked_by: str = ""
    attempts_of_actions: dict[int, int] = field(default_factory=dict)

    @property
    def settled(self) -> bool:
        return self.status not in (Status.UNKNOWN, Status.WAITING)

    @property
    def well(self) -> bool:
        """Whether what needs it may go on."""
        return self.status in (Status.OK, Status.HEALED, Status.DEGRADED, Status.WARNED, Status.SKIPPED)

    @property
    def kind(self) -> str:
        return self.id.partition(":")[0]

    def reset(self) -> None:
        """To be tried again, as if for the first time."""
        self.status, self.outcome, self.attempts, self.tried = Status.UNKNOWN, None, 0, 0
        self.serve, self.exit_code, self.blocked_by, self.feature = None, None, "", ""
