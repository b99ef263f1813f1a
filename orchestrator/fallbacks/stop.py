"""`stop`: end the start. It follows every list of actions."""

from __future__ import annotations

from typing import Annotated

from orchestrator.spec.fields import Field
from orchestrator.spec.item import Action
from orchestrator.spec.model import Model, described


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

    @property
    def exit_code(self) -> int | None:
        return self.stop.exit_code if self.stop else None


KIND = Stop
