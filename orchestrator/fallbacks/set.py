"""`set`: other values of variables for the next attempt and what follows."""

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from orchestrator.fallbacks._base import Performed, Remedy
from orchestrator.spec.templated import Templated
from orchestrator.spec.types import VariableName

if TYPE_CHECKING:
    from orchestrator.fallbacks._base import Hands


class Set(Remedy):
    """Set variables for the item's next attempt and for everything after it; null unsets one."""

    beside = False

    set: Annotated[dict[VariableName, Templated[str] | None], Field(min_length=1)] = Field(
        description="Variables and their values.", examples=[{"CACHE_URL": "memory://"}]
    )

    @property
    def sets(self) -> tuple[str, ...]:
        return tuple(self.set)

    def perform(self, item: Any, hands: "Hands") -> Performed:
        del item, hands
        names = ", ".join(sorted(self.set))
        changed = {"variables": sorted(self.set)}
        return Performed(
            ok=True, summary=f"set {names}", sets=self.set, setting=f"set {names}", changed=changed
        )


KIND = Set
