"""`run`: a command that fixes what failed."""

from typing import TYPE_CHECKING, Any

from pydantic import Field

from orchestrator.fallbacks._base import Remedy, by_command
from orchestrator.spec.item import REMEDY_LIMIT
from orchestrator.spec.templated import Templated
from orchestrator.spec.types import Argv, Duration

if TYPE_CHECKING:
    from orchestrator.fallbacks._base import Hands, Performed


class Run(Remedy):
    """Run a command, then check again. The command is not believed, the check is."""

    run: Argv = Field(description="The command and its arguments.", examples=[["python", "-m", "app.repair"]])
    deadline: Templated[Duration] | None = Field(None, description="How long it may take; 60s by default.")

    @property
    def limit(self) -> Any:
        return self.deadline if self.deadline is not None else REMEDY_LIMIT

    def perform(self, item: Any, hands: "Hands") -> "Performed":
        del item
        return by_command(self.run, self.limit, hands)


KIND = Run
