"""`restart`: start the server again."""

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from orchestrator.core.words import RESTART
from orchestrator.spec.item import Action
from orchestrator.spec.model import Model
from orchestrator.spec.templated import Templated

if TYPE_CHECKING:
    from orchestrator.core.words import Lowered


class Restarting(Model):
    """How often."""

    noun = "restart"

    times: Templated[Annotated[int, Field(ge=1, le=1000)]] = Field(
        1, description="At most so many times, with a growing delay."
    )


class Restart(Action):
    """End the server and start it again, with back-off."""

    remedy = True
    allowed = frozenset({"health", "launch"})

    restart: Restarting | None = Field(None, description="How often.")

    @property
    def times(self) -> int:
        return self.restart.times if self.restart else 1

    def lowered(self) -> "Lowered":
        return {"do": RESTART, "name": self.word, "times": self.times}


KIND = Restart
