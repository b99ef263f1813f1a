"""`retry`: how attempts follow one another."""

from typing import Annotated, Literal

from pydantic import Field

from orchestrator.spec.model import Model
from orchestrator.spec.templated import Templated
from orchestrator.spec.types import Duration

Positive = Annotated[int, Field(ge=1, le=1_000_000)]


class Retry(Model):
    """How attempts follow one another: exponential back-off, capped, with jitter."""

    noun = "retry"

    initial: Templated[Duration] | None = Field(
        None, description="The delay after the first attempt.", examples=["50ms"]
    )
    factor: Templated[Annotated[float, Field(ge=1, le=100)]] | None = Field(
        None, description="What each delay is multiplied with."
    )
    max: Templated[Duration] | None = Field(None, description="The longest delay.", examples=["5s"])
    jitter: Templated[Literal["full", "none"]] | None = Field(None, description="`full` draws each delay between nothing and its length, so that replicas do not arrive together.")  # fmt: skip
    times: Templated[Positive] | None = Field(None, description="At most so many attempts.")
