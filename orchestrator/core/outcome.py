"""What an attempt at something comes to. A check returns an outcome; it raises only for a bug."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """The state of an item. `unknown` is never ok."""

    UNKNOWN = "unknown"
    WAITING = "waiting"
    OK = "ok"
    HEALED = "healed"
    DEGRADED = "degraded"
    WARNED = "warned"
    FAILED = "failed"
    BLOCKED = "blocked"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one attempt."""

    ok: bool
    summary: str
    """One line, lower case: what was expected and what was found."""
    code: str = ""
    """The diagnostic code of a failure, such as `ORC411`."""
    reason: str = ""
    """The typed reason of a failure: `missing`, `version`, `refused`, `timeout`, `dns`, `tls`, `auth` ..."""
    hint: str = ""
    """The exact remedy: a command, a line to add."""
    details: str = ""
    """More than a line: a traceback, the first lines of a body. Capped by who makes it."""
    final: bool = False
    """Whether trying again without a remedy is pointless."""
    data: dict[str, Any] = field(default_factory=dict)
    """Facts for machines and for fallbacks."""


def ok(summary: str, **data: Any) -> Outcome:
    return Outcome(ok=True, summary=summary, data=data)


def failed(
    code: str,
    reason: str,
    summary: str,
    hint: str = "",
    *,
    details: str = "",
    final: bool = False,
    **data: Any,
) -> Outcome:
    return Outcome(
        ok=False,
        summary=summary,
        code=code,
        reason=reason,
        hint=hint,
        details=details,
        final=final,
        data=data,
    )
