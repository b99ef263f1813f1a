"""`stop`: end the start. It follows every list of actions."""

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from orchestrator.core.words import STOP
from orchestrator.spec.item import Action
from orchestrator.spec.model import Model
from orchestrator.spec.templated import Templated

if TYPE_CHECKING:
    from orchestrator.core.words import Lowered


class Stopping(Model):
    """How to end."""

    noun = "stop"

    exit_code: Templated[Annotated[int, Field(ge=1, le=255)]] | None = Field(
        None, description="The exit code; the contract's own where it is left out."
    )


class Stop(Action):
    """End the start, with a report of what failed and what to do."""

    ends = True

    stop: Stopping | None = Field(None, description="How to end.")

    def lowered(self) -> "Lowered":
        return {"do": STOP, "name": self.word, "code": self.stop.exit_code if self.stop else None}


KIND = Stop
