"""`stop`: end the start. It follows every list of actions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from orchestrator.core.words import STOP
from orchestrator.spec.fields import Field
from orchestrator.spec.item import Action
from orchestrator.spec.model import Model, described

if TYPE_CHECKING:
    from orchestrator.core.words import Lowered


class Stopping(Model):
    """How to end."""

    noun = "stop"

    exit_code: Annotated[int, Field(ge=1, le=255)] | None = described(
        None, "The exit code; the contract's own where it is left out."
    )


class Stop(Action):
    """End the start, with a report of what failed and what to do."""

    ends = True

    stop: Stopping | None = described(None, "How to end.")

    def lowered(self) -> Lowered:
        return {"do": STOP, "name": self.word, "code": self.stop.exit_code if self.stop else None}


KIND = Stop
