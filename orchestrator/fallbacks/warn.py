"""`warn`: go on, and say so in the report."""

from typing import TYPE_CHECKING

from pydantic import Field

from orchestrator.core.words import WARN
from orchestrator.spec.item import Action
from orchestrator.spec.templated import Templated

if TYPE_CHECKING:
    from orchestrator.core.words import Lowered


class Warn(Action):
    """Go on; the failure is said in the log and the report."""

    ends = True
    tolerates = True

    warn: Templated[str] | None = Field(None, description="What to say beside the failure itself.")

    def lowered(self) -> "Lowered":
        return {"do": WARN, "name": self.word, "text": self.warn or ""}


KIND = Warn
