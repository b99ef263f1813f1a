"""`warn`: go on, and say so in the report."""

from pydantic import Field

from orchestrator.spec.item import Action
from orchestrator.spec.templated import Templated


class Warn(Action):
    """Go on; the failure is said in the log and the report."""

    ends = True

    warn: Templated[str] | None = Field(None, description="What to say beside the failure itself.")


KIND = Warn
