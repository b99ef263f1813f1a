"""What is said after the launch, as text or as a line of JSON; builtins alone, for the supervisor says it, too."""

from __future__ import annotations

import os
import time

from orchestrator.status.files import quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


def record(event: str, level: str, text: str, facts: Mapping[str, object] | None = None) -> str:
    """A line of JSON. Numbers stay numbers."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    words: dict[str, object] = {"time": now, "level": level, "event": event, "message": text, **(facts or {})}
    return "{" + ", ".join([f'"{key}": {_value(value)}' for key, value in words.items()]) + "}"


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else quoted(str(value))


def write(descriptor: int, text: str) -> None:
    try:
        os.write(descriptor, text.encode("utf-8", "replace") + b"\n")
    except OSError:
        return  # nobody reads what a service says: no reason to end it
