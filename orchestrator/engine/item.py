"""One item of a start while it runs: what the core knows of it, and where it stands in the spec."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.core import verdict
from orchestrator.core.item import UNKNOWN, Item
from orchestrator.core.outcome import Outcome

if TYPE_CHECKING:
    from orchestrator.diagnostics import Place

UNTRIED = Item().outcome


class Work(Item):
    """An item on its way to a status. What it comes to, and what is done about it, the core decides."""

    __slots__ = (
        "before", "id", "item", "level", "needs", "path", "phase", "place", "reported", "started", "used_values",
    )  # fmt: skip

    def __init__(
        self,
        id: str,  # noqa: A002 - it is what the field is called everywhere
        item: Any,
        path: tuple[str | int, ...],
        place: Place | None,
        phase: int,
        needs: tuple[str, ...] = (),
    ) -> None:
        super().__init__()
        self.id, self.item, self.path, self.place = id, item, path, place
        self.phase, self.needs = phase, needs
        self.reported = UNKNOWN
        """The status that was reported last."""
        self.started = 0.0
        """Milliseconds since the start of the run."""
        self.used_values: tuple[str, str] | None = None
        """What `use` has put in its place: which, and its text."""
        self.level = 0
        """The phase in which it can be at the earliest."""
        self.before = 0
        """What must have come to its end before it begins, as a set of `core.order`."""

    @property
    def result(self) -> Outcome | None:
        """What its last attempt came to; None before the first."""
        return Outcome(**self.outcome) if self.outcome != UNTRIED else None

    @result.setter
    def result(self, outcome: Outcome) -> None:
        self.outcome = plain(outcome)

    @property
    def blame(self) -> tuple[str, str]:
        """Its kind and why it failed, as the exit code judges it."""
        outcome = self.outcome
        return verdict.blame(self.kind, outcome.get("reason", ""), final=bool(outcome.get("final")))

    @property
    def kind(self) -> str:
        return self.id.partition(":")[0]


def plain(outcome: Outcome) -> dict[str, Any]:
    """An outcome as the core keeps it."""
    return {name: getattr(outcome, name) for name in Outcome.__slots__}


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
