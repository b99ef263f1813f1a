"""`set`: other values of variables for the next attempt and what follows."""

from typing import Annotated

from pydantic import Field

from orchestrator.spec.item import Action
from orchestrator.spec.templated import Templated
from orchestrator.spec.types import VariableName


class Set(Action):
    """Set variables for the item's next attempt and for everything after it; null unsets one."""

    remedy = True

    set: Annotated[dict[VariableName, Templated[str] | None], Field(min_length=1)] = Field(
        description="Variables and their values.", examples=[{"CACHE_URL": "memory://"}]
    )


KIND = Set
