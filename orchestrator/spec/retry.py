"""`retry`: how attempts follow one another."""

from __future__ import annotations

from typing import Annotated, Literal

from orchestrator.spec.fields import Field
from orchestrator.spec.model import Model, described
from orchestrator.spec.types import Duration

Positive = Annotated[int, Field(ge=1, le=1_000_000)]


class Retry(Model):
    """How attempts follow one another: exponential back-off, capped, with jitter."""

    noun = "retry"

    initial: Duration | None = described(None, "The delay after the first attempt.", examples=["50ms"])
    factor: Annotated[float, Field(ge=1, le=100)] | None = described(
        None, "What each delay is multiplied with."
    )
    max: Duration | None = described(None, "The longest delay.", examples=["5s"])
    jitter: Literal["full", "none"] | None = described(None, "`full` draws each delay between nothing and its length, so that replicas do not arrive together.")  # fmt: skip
    times: Positive | None = described(None, "At most so many attempts.")
