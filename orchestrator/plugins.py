"""The API for authors of kinds: bases of waits, checks and fallback actions, and what attempts need.

Nothing in the engine imports this. Names are only added, never removed.
"""

from __future__ import annotations

from orchestrator.core.context import Context
from orchestrator.core.outcome import Outcome, failed, ok
from orchestrator.requirements.checks import Check
from orchestrator.spec.fields import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainValidator,
    WithJsonSchema,
    model_validator,
)
from orchestrator.spec.item import Action
from orchestrator.spec.model import Model, described, problem
from orchestrator.spec.types import Argv, Duration, PathText, Port, Size
from orchestrator.waits._address import HostPort, Url
from orchestrator.waits._base import Asking, Wait
from orchestrator.waits._failure import Deadline, Failure
from orchestrator.waits._stream import Stream, connect

__all__ = [
    "Action",
    "AfterValidator",
    "Argv",
    "Asking",
    "BeforeValidator",
    "Check",
    "Context",
    "Deadline",
    "Duration",
    "Failure",
    "Field",
    "HostPort",
    "Model",
    "Outcome",
    "PathText",
    "PlainValidator",
    "Port",
    "Size",
    "Stream",
    "Url",
    "Wait",
    "WithJsonSchema",
    "connect",
    "described",
    "failed",
    "model_validator",
    "ok",
    "problem",
]
