"""What remedies have in common: how one is performed, and what came of it."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from orchestrator.core.words import REMEDY
from orchestrator.spec.item import Action

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestrator.core.context import Context
    from orchestrator.core.outcome import Outcome
    from orchestrator.core.words import Lowered
    from orchestrator.system.processes import Result


class Hands(Protocol):
    """What a remedy may use of whoever performs it."""

    state_directory: str
    """The service's own; empty where it has none."""
    packages: str
    """A directory into which this start has installed packages; empty until it has."""

    def context(self) -> "Context": ...

    def execute(self, argv: "Sequence[str]", deadline: float, context: "Context | None" = None) -> "Result":
        """Runs a command to its end, or for so many seconds, while signals are still heard."""

    def service_group(self) -> int | None:
        """The gid of the service, where it is another user's."""


@dataclass(frozen=True, slots=True)
class Performed:
    """What a remedy came to. Whether it helped, the item's own check decides."""

    ok: bool
    summary: str
    sets: "Mapping[str, str | None]" = field(default_factory=dict)
    """Variables for what follows; None takes one out."""
    setting: str = ""
    """What is refused when these values break a contract, such as "set CACHE_URL"."""
    item: Any = None
    """The item in place of the one that failed."""
    used: tuple[str, str] | None = None
    """What was replaced in it, and the text of the new value."""
    changed: dict[str, Any] = field(default_factory=dict)
    """Facts for the report."""


class Remedy(Action):
    """An action after which the item is checked again."""

    remedy = True
    beside: ClassVar[bool] = True
    """Whether it can be applied beside a running server."""

    @property
    def limit(self) -> Any:
        """Seconds that it may take; a text where only a start knows."""
        return 0.0

    def lowered(self) -> "Lowered":
        return {"do": REMEDY, "name": self.word, "limit": self.limit, "again": True, "beside": self.beside}

    def perform(self, item: Any, hands: Hands) -> Performed:
        raise NotImplementedError


def perform(action: Any, item: Any, outcome: "Outcome", hands: Hands) -> Performed:
    """Performs a remedy; that of a plug-in is `apply(context, outcome) -> Outcome`."""
    if isinstance(action, Remedy):
        return action.perform(item, hands)
    if not hasattr(action, "apply"):
        return Performed(ok=False, summary="it does nothing")
    applied = action.apply(hands.context(), outcome)
    return Performed(ok=applied.ok, summary=applied.summary)


def by_command(argv: "Sequence[str]", deadline: float, hands: Hands) -> Performed:
    """Runs a command as a remedy."""
    result = hands.execute(argv, deadline)
    if result.problem or result.code != 0:
        return Performed(ok=False, summary=f"`{argv[0]}` {result.ended}")
    return Performed(ok=True, summary=f"`{argv[0]}` succeeded")
