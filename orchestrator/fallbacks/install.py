"""`install`: a missing package from a folder of wheels."""

from pydantic import Field

from orchestrator.spec.item import Action
from orchestrator.spec.model import Model
from orchestrator.spec.templated import Templated
from orchestrator.spec.types import PathText


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


class Install(Action):
    """Install a missing package from a folder of wheels: binary only, no index is asked. Then check again."""

    remedy = True
    allowed = frozenset({"package"})

    install: Installing = Field(description="Where the wheels are.", examples=[{"from": "wheels"}])


KIND = Install
