"""`degrade`: go on with a feature switched off."""

from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field, model_validator

from orchestrator.core.words import DEGRADE
from orchestrator.spec.errors import problem
from orchestrator.spec.item import Action
from orchestrator.spec.templated import Templated
from orchestrator.spec.types import Duration

if TYPE_CHECKING:
    from orchestrator.core.words import Lowered

Feature = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_.-]*$")]


class Degrade(Action):
    """Go on with a feature off: it stands in ORCHESTRATOR_DEGRADED, the app's API, status, metrics and readiness."""

    tolerates = True
    to_lead_on = "add `recheck` and `max_degraded` to it, or take out what follows"

    degrade: Templated[Feature] = Field(description="The feature's name.", examples=["search"])
    recheck: Templated[Duration] | None = Field(
        None, description="Try again this often, and switch the feature on when it holds."
    )
    max_degraded: Templated[Duration] | None = Field(
        None, description="When it lasts longer, the next action follows."
    )
    restart_app: Templated[bool] = Field(
        False, description="Restart the app when the feature comes back, because it cannot switch live."
    )

    @model_validator(mode="after")
    def _needs_recheck(self) -> Self:
        if self.recheck is None and (self.max_degraded is not None or self.restart_app):
            raise problem("ORC113", "`max_degraded` and `restart_app` need `recheck`", "add `recheck: 30s`",
                          "max_degraded" if self.max_degraded is not None else "restart_app")  # fmt: skip
        return self

    @property
    def leads_on(self) -> bool:
        return self.max_degraded is not None

    def lowered(self) -> "Lowered":
        return {
            "do": DEGRADE,
            "name": self.word,
            "feature": self.degrade,
            "recheck": self.recheck,
            "max_degraded": self.max_degraded,
            "restart_app": self.restart_app,
        }


KIND = Degrade
