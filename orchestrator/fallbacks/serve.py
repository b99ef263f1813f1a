"""`serve`: answer on the service's own port with something else until all holds again."""

from __future__ import annotations

from typing import Literal

from orchestrator.spec.item import Action
from orchestrator.spec.model import described
from orchestrator.spec.types import AppReference, Duration


class Serve(Action):
    """Serve `maintenance` (503 with Retry-After) or another app on the service's port until everything holds again."""

    serve: Literal["maintenance"] | AppReference = described(
        ..., "`maintenance`, or `module:attribute` of another app."
    )
    for_: Duration | None = described(None, "At most so long; then the next action follows.", alias="for")

    @property
    def leads_on(self) -> bool:
        """Whether the action behind it can be reached."""
        return self.for_ is not None


KIND = Serve
