"""`install`: a missing package from a folder of wheels."""

from typing import TYPE_CHECKING, Any

from pydantic import Field

from orchestrator.fallbacks._base import Remedy
from orchestrator.spec.model import Model
from orchestrator.spec.templated import Templated
from orchestrator.spec.types import PathText

if TYPE_CHECKING:
    from orchestrator.fallbacks._base import Hands, Performed

PIP_LIMIT = 300.0
"""Seconds for one run of pip. It is run twice: what it would install, and then that."""


class Installing(Model):
    """Where the wheels are."""

    noun = "install"
    shorthand = "from"

    from_: Templated[PathText] = Field(
        description="A folder of wheels that nobody but root and the engine's own user can write.",
        alias="from",
    )
    hashes: Templated[PathText] | None = Field(
        None, description="A requirements file with the hashes that the wheels must have."
    )


class Install(Remedy):
    """Install a missing package from a folder of wheels: binary only, no index is asked. Then check again."""

    beside = False
    allowed = frozenset({"package"})

    install: Installing = Field(description="Where the wheels are.", examples=[{"from": "wheels"}])

    @property
    def limit(self) -> float:
        return 2 * PIP_LIMIT

    def perform(self, item: Any, hands: "Hands") -> "Performed":
        from orchestrator.fallbacks import _wheels

        return _wheels.install(item.requirement, self.install.from_, self.install.hashes, PIP_LIMIT, hands)


KIND = Install
