"""The larger parts of a variable's contract: few contracts have one."""

from __future__ import annotations

from typing import Annotated

from orchestrator.spec.fields import Field
from orchestrator.spec.item import AnyCondition
from orchestrator.spec.model import Model, described
from orchestrator.spec.types import PathText, Scalar


class Choice(Model):
    """One of several defaults: the first whose condition holds; without a condition it is the last resort."""

    judged_when_taken = frozenset({"value"})

    value: Scalar = described(..., "The value.")
    when: AnyCondition | None = described(None, "When it is taken.")


class Generate(Model):
    """A secret that is made at the first start and kept."""

    bytes: Annotated[int, Field(ge=8, le=1024)] = described(
        32, "How many random bytes; the text is their URL-safe base64."
    )
    store: PathText = described(..., "The file that keeps it: mode 0600, written atomically under a lock.")
    ephemeral: bool = described(
        False, "It need not outlive the container; otherwise the store must be on a mount."
    )
