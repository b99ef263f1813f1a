"""`set`: other values of variables for the next attempt and what follows."""

from __future__ import annotations

from typing import Annotated

from orchestrator.spec.fields import Field
from orchestrator.spec.item import Action
from orchestrator.spec.model import described
from orchestrator.spec.types import VariableName


class Set(Action):
    """Set variables for the item's next attempt and for everything after it; null unsets one."""

    remedy = True

    set: Annotated[dict[VariableName, str | None], Field(min_length=1)] = described(
        ..., "Variables and their values.", examples=[{"CACHE_URL": "memory://"}]
    )


KIND = Set
