"""One file for each output format of findings, named like the word after `--format`.

A format is a module with `render(diagnostics, sources, options) -> str`. `sources` maps files to their text, for
excerpts; files may be missing from it. Nothing else lists the formats.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

from orchestrator.diagnostics import SEVERITIES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from orchestrator.diagnostics import Diagnostic


@dataclass(frozen=True, slots=True)
class Options:
    """What a renderer may need to know about its surroundings."""

    color: bool = False
    width: int = 0
    """The columns of the output; 0 if unknown."""
    cwd: str = ""
    """The directory that relative paths are relative to."""
    root: str = ""
    """The directory that paths in reports for code review are relative to; `cwd` when empty."""
    fail_on: str = "error"
    """The least severity that counts as a failure; or `never`."""
    summary: bool = True
    """Whether GitHub's step summary has all findings already."""

    def fails(self, diagnostic: Diagnostic) -> bool:
        """Whether the finding is at or above `fail_on`."""
        if self.fail_on == "never":
            return False
        return SEVERITIES.index(diagnostic.severity) <= SEVERITIES.index(self.fail_on)


PLAIN = Options()
"""No colour, no width, paths as they are."""


class Renderer(Protocol):
    def __call__(
        self, diagnostics: Iterable[Diagnostic], sources: Mapping[str, str], options: Options = ..., /
    ) -> str: ...


def names() -> list[str]:
    """The formats, in alphabetical order."""
    files = os.listdir(os.path.dirname(__file__))
    return sorted(name[:-3] for name in files if name.endswith(".py") and not name.startswith("_"))


def get(name: str) -> Renderer:
    """The renderer of a format; LookupError for an unknown name."""
    if name not in names():
        raise LookupError(f"unknown format `{name}`")
    render: Renderer = import_module(f"{__name__}.{name}").render
    return render
