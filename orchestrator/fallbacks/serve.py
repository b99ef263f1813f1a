"""`serve`: answer on the service's own port with something else until all holds again."""

from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, model_validator

from orchestrator.core.words import SERVE
from orchestrator.spec.errors import problem
from orchestrator.spec.item import Action
from orchestrator.spec.templated import Templated
from orchestrator.spec.types import AppReference, Duration

if TYPE_CHECKING:
    from orchestrator.core.words import Lowered


class Serve(Action):
    """Serve `maintenance` (503 with Retry-After) or another app on the service's port until everything holds again."""

    to_lead_on = "add `for: 30m` to it, or take out what follows"

    serve: Templated[Literal["maintenance"] | AppReference] = Field(
        description="`maintenance`, or `module:attribute` of another app."
    )
    for_: Templated[Duration] | None = Field(
        None, description="At most so long; then the next action follows.", alias="for"
    )
    message: Templated[Annotated[str, Field(min_length=1, max_length=1000)]] | None = Field(
        None,
        description="What maintenance tells visitors, in place of its own words.",
        examples=["We are moving house. Back on Monday."],
    )
    retry_after: Templated[Duration] | None = Field(
        None, description="What `Retry-After` says; without it, when the service is checked again."
    )

    @model_validator(mode="after")
    def _of_maintenance(self) -> Self:
        for name in ("message", "retry_after"):
            if getattr(self, name) is not None and self.serve != "maintenance":
                raise problem(
                    "ORC113", f"`{name}` is said by maintenance alone", "the app says it itself", name
                )
        return self

    @property
    def leads_on(self) -> bool:
        return self.for_ is not None

    def lowered(self) -> "Lowered":
        return {
            "do": SERVE,
            "name": self.word,
            "app": self.serve,
            "for": self.for_,
            "message": self.message,
            "retry_after": self.retry_after,
        }


KIND = Serve
