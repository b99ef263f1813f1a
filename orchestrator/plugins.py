"""The API for authors of kinds: bases of waits, checks and fallback actions, and what attempts need.

A kind is a pydantic model: its fields are declared with pydantic's own `Field` and validators. Nothing in the engine
imports this. Names are only added, never removed.
"""

from __future__ import annotations

from orchestrator.core.context import Context
from orchestrator.core.outcome import Outcome, failed, ok
from orchestrator.requirements.checks import Check
from orchestrator.spec.errors import problem
from orchestrator.spec.item import Action
from orchestrator.spec.model import Model
from orchestrator.spec.templated import Templated
from orchestrator.spec.types import Argv, Duration, PathText, Port, Size
from orchestrator.waits._address import HostPort, Url
from orchestrator.waits._base import Asking, Wait
from orchestrator.waits._failure import Deadline, Failure
from orchestrator.waits._stream import Stream, connect

__all__ = [
    "Action",
    "Argv",
    "Asking",
    "Check",
    "Context",
    "Deadline",
    "Duration",
    "Failure",
    "HostPort",
    "Model",
    "Outcome",
    "PathText",
    "Port",
    "Size",
    "Stream",
    "Templated",
    "Url",
    "Wait",
    "connect",
    "failed",
    "ok",
    "problem",
]
