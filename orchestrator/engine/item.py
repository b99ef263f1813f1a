"""One item of a start while it runs: its state, its attempts, and where it stands in the spec."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from orchestrator.core import verdict
from orchestrator.core.outcome import Outcome, Status

if TYPE_CHECKING:
    from orchestrator.core.words import Lowered
    from orchestrator.diagnostics import Place


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
    told: Status = Status.UNKNOWN
    """The state that was told last."""
    outcome: Outcome | None = None
    attempts: int = 0
    started: float = 0.0
    """Milliseconds since the start of the run."""
    tried: int = 0
    """How many of its fallback actions were tried."""
    feature: str = ""
    """What is off because of it, by its last `degrade`."""
    features: list[str] = field(default_factory=list)
    """All that is off because of it: one `degrade` may have followed another."""
    recheck: float | None = None
    """How often what degraded it is tried again, in seconds."""
    longest: float | None = None
    """How long it may be off, in seconds; then its next action follows."""
    restart_app: bool = False
    """Whether the server has to start again when it comes back."""
    off_since: float = 0.0
    """When (`time.monotonic`) it was degraded first."""
    let_go_at: float = 0.0
    """When it was by its last `degrade`, from which the time it may be off counts."""
    used: tuple[str, str] | None = None
    """What `use` has put in its place: which, and its text."""
    essential: bool = False
    """Whether the app cannot be imported without it: then nothing lets it go."""
    exit_code: int | None = None
    """What a `stop` action said."""
    serve: Lowered | None = None
    """The lowered `serve` action that decided, where one did."""
    blocked_by: str = ""
    attempts_of_actions: dict[int, int] = field(default_factory=dict)
    level: int = 0
    """The phase in which it can be at the earliest."""
    before: int = 0
    """What must have come to its end before it begins, as a set of `core.order`."""
    remedy: str = ""
    """The word of the remedy after which it is tried again now."""
    lane: int = 0
    """Which of its lanes is heard: one that was given up may still have something to tell."""

    @property
    def blame(self) -> tuple[str, str]:
        """Its kind and why it failed, as the exit code judges it."""
        outcome = self.outcome
        return verdict.blame(self.kind, outcome.reason, final=outcome.final) if outcome else (self.kind, "")

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

    def check_again(self) -> None:
        """To be checked again while something else is served; the fallback that serves it stays the next action."""
        self.status, self.remedy = Status.UNKNOWN, ""


@dataclass(slots=True)
class Synthetic:
    """An item that no section lists: the port, the endpoints of health."""

    kind: str
    why: str = ""
    needs: tuple[str, ...] = ()
    when: Any = None
    timeout: float | None = None
    deadline: float | None = None
    retry: Any = None
    on_failure: Any = None
