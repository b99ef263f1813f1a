"""The failure of an attempt, raised at any depth, and the deadline that bounds it."""

from __future__ import annotations

import time
from typing import Any

from orchestrator.core.outcome import Outcome, failed
from orchestrator.diagnostics.printable import printable, printable_lines

CODES = {
    "refused": "ORC501",
    "timeout": "ORC502",
    "dns": "ORC503",
    "unreachable": "ORC504",
    "tls": "ORC505",
    "auth": "ORC506",
    "protocol": "ORC507",
    "unexpected": "ORC508",
    "driver": "ORC509",
}
"""The typed reasons, each with its code."""
_FINAL = frozenset({"tls", "auth", "driver"})
_SLOW = "give an attempt more time with `timeout`, or find out why it does not answer"


class Failure(Exception):
    """Ends an attempt. `final` means that trying again cannot help: the default for `tls`, `auth` and `driver`.

    The texts may quote what a server sent: control characters in them are escaped.
    """

    def __init__(
        self,
        reason: str,
        summary: str,
        hint: str = "",
        *,
        details: str = "",
        final: bool | None = None,
        **data: Any,
    ) -> None:
        super().__init__(summary)
        self.reason = reason
        self.summary = printable(summary)
        self.hint = printable(hint)
        self.details = details
        self.final = reason in _FINAL if final is None else final
        self.data = data

    @property
    def outcome(self) -> Outcome:
        details = "\n".join(printable_lines(self.details))
        return failed(
            CODES[self.reason], self.reason, self.summary, self.hint, details=details, final=self.final, **self.data
        )  # fmt: skip


class Deadline:
    """The end of one attempt: every step gets the time that is left, so that a slow drip cannot stretch it."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds left; zero or less when it is over."""
        return self.end - time.monotonic()

    def remaining(self, summary: str, hint: str = "") -> float:
        """Seconds left for a step; raises the failure `summary within N s` when there are none."""
        left = self.left
        if left <= 0:
            raise self.over(summary, hint)
        return left

    def over(self, summary: str, hint: str = "") -> Failure:
        return Failure("timeout", f"{summary} within {self.seconds:.3g} s", hint or _SLOW)
