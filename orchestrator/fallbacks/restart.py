"""`restart`: start the server again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from orchestrator.core.words import RESTART
from orchestrator.spec.fields import Field
from orchestrator.spec.item import Action
from orchestrator.spec.model import Model, described

if TYPE_CHECKING:
    from orchestrator.core.words import Lowered


class Restarting(Model):
    """How often."""

    noun = "restart"

    times: Annotated[int, Field(ge=1, le=1000)] = described(1, "At most so many times, with a growing delay.")


class Restart(Action):
    """End the server and start it again, with back-off."""

    remedy = True
    allowed = frozenset({"health", "launch"})

    restart: Restarting | None = described(None, "How often.")

    @property
    def times(self) -> int:
        return self.restart.times if self.restart else 1

    def lowered(self) -> Lowered:
        return {"do": RESTART, "name": self.word, "times": self.times}


KIND = Restart
