"""What ends a start from within: a request to stop, a spec that these values do not fit, a bug."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.diagnostics import Diagnostic


class Interrupted(Exception):
    """Somebody asked for the end. `number` is the signal."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class Invalid(Exception):
    """The spec cannot be used with the values of this environment."""

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        super().__init__(str(diagnostics))
        self.diagnostics = list(diagnostics)


class InternalError(Exception):
    """A bug: `details` is its traceback."""
