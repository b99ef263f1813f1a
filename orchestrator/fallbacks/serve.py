"""`serve`: answer on the service's own port with something else until all holds again."""

from __future__ import annotations

from typing import Literal

from orchestrator.spec.fields import model_validator
from orchestrator.spec.item import Action
from orchestrator.spec.model import described, problem
from orchestrator.spec.types import AppReference, Duration


class Serve(Action):
    """Serve `maintenance` (503 with Retry-After) or another app on the service's port until everything holds again."""

    serve: Literal["maintenance"] | AppReference = described(
        ..., "`maintenance`, or `module:attribute` of another app."
    )
    for_: Duration | None = described(None, "At most so long; then the next action follows.", alias="for")

    retry_after: Duration | None = described(
        None, "What `Retry-After` says; without it, when the service is checked again."
    )

    @model_validator(mode="after")
    def _of_maintenance(self) -> Serve:
        if self.retry_after is not None and self.serve != "maintenance":
            raise problem("ORC113", "`retry_after` is said by maintenance alone", "the app says it itself", "retry_after")  # fmt: skip
        return self

    @property
    def leads_on(self) -> bool:
        """Whether the action behind it can be reached."""
        return self.for_ is not None


KIND = Serve
