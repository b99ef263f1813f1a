"""The larger parts of a variable's contract: few contracts have one."""

from typing import Annotated

from pydantic import Field

from orchestrator.spec.item import AnyCondition
from orchestrator.spec.model import Model
from orchestrator.spec.templated import KeptTemplate, Templated
from orchestrator.spec.types import PathText, Scalar


class Choice(Model):
    """One of several defaults: the first whose condition holds; without a condition it is the last resort."""

    value: KeptTemplate[Scalar] = Field(description="The value.")
    when: AnyCondition | None = Field(None, description="When it is taken.")


class Generate(Model):
    """A secret that is made at the first start and kept."""

    bytes: Templated[Annotated[int, Field(ge=8, le=1024)]] = Field(
        32, description="How many random bytes; the text is their URL-safe base64."
    )
    store: Templated[PathText] = Field(
        description="The file that keeps it: mode 0600, written atomically under a lock."
    )
    ephemeral: Templated[bool] = Field(
        False, description="It need not outlive the container; otherwise the store must be on a mount."
    )
