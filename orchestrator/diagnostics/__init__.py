"""The record of a finding: what is wrong with what a user wrote, and where.

`orchestrator.diagnostics.formats` has one renderer for each output format, `orchestrator.diagnostics.catalogue` the
table of codes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

SEVERITIES = ("error", "warning", "note")
"""Worst first."""


@dataclass(frozen=True, slots=True)
class Place:
    """A location in a file: lines and columns count from 1, the end is exclusive.

    Line 0 is a whole file; an empty file name is no location.
    """

    file: str
    line: int = 0
    column: int = 0
    end_line: int = 0
    end_column: int = 0

    @property
    def last_line(self) -> int:
        """The last line it covers; an end at column 1 is the end of the line above."""
        return max(self.line, self.end_line - (self.end_column <= 1))

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


@dataclass(frozen=True, slots=True)
class Related:
    """A second location that explains a finding: the first of two keys, the value that an overlay overrides.

    The place follows the message: `overrides` gives `overrides startup.yaml:31:5`.
    """

    message: str
    place: Place


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding. The message is lower case, without a full stop, with literals in backticks."""

    code: str
    severity: str
    message: str
    place: Place
    pointer: str = ""
    """The JSON pointer of the value in the effective spec, such as `/wait_for/0/tcp`."""
    item: str = ""
    """The id of the item it belongs to, such as `wait:db`."""
    hint: str = ""
    related: tuple[Related, ...] = ()

    @property
    def documentation(self) -> str:
        return f"orchestrator explain {self.code}"

    def record(self) -> dict[str, object]:
        """The record of JSON output."""
        return {
            "code": self.code,
            "severity": self.severity,
            "message": self.message,
            "file": self.place.file,
            "line": self.place.line,
            "column": self.place.column,
            "end_line": self.place.end_line,
            "end_column": self.place.end_column,
            "pointer": self.pointer,
            "item": self.item,
            "hint": self.hint,
            "related": [
                {
                    "message": related.message,
                    "file": related.place.file,
                    "line": related.place.line,
                    "column": related.place.column,
                }
                for related in self.related
            ],
            "documentation": self.documentation,
        }


@dataclass(slots=True)
class Findings:
    """Collects diagnostics, so that one run reports all of them."""

    found: list[Diagnostic] = field(default_factory=list)

    def add(
        self,
        code: str,
        message: str,
        place: Place,
        *,
        pointer: str = "",
        item: str = "",
        hint: str = "",
        related: Iterable[Related] = (),
        severity: str = "",
    ) -> None:
        """Adds a finding; its severity is the code's own unless another is given."""
        if not severity:
            from orchestrator.diagnostics.catalogue import severity_of

            severity = severity_of(code)
        self.found.append(Diagnostic(code, severity, message, place, pointer, item, hint, tuple(related)))

    @property
    def failed(self) -> bool:
        return any(diagnostic.severity == "error" for diagnostic in self.found)


def in_order(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Sorted by place, without duplicates."""

    def key(found: Diagnostic) -> tuple[str, int, int, int, str]:
        place = found.place
        return place.file, place.line, place.column, SEVERITIES.index(found.severity), found.code

    return sorted(dict.fromkeys(diagnostics), key=key)


def summary(diagnostics: Iterable[Diagnostic]) -> dict[str, int]:
    """The number of each severity, as in JSON output."""
    counts = dict.fromkeys(("errors", "warnings", "notes"), 0)
    for diagnostic in diagnostics:
        counts[diagnostic.severity + "s"] += 1
    return counts
