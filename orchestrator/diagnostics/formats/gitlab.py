"""Findings as a GitLab code quality report, for the widget of a merge request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestrator.diagnostics import in_order
from orchestrator.diagnostics.excerpt import Sources
from orchestrator.diagnostics.formats import PLAIN, Options
from orchestrator.diagnostics.formats.json import dump
from orchestrator.diagnostics.review import fingerprints, relative

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from orchestrator.diagnostics import Diagnostic

_SEVERITIES = {"error": "major", "warning": "minor", "note": "info"}


def render(diagnostics: Iterable[Diagnostic], sources: Mapping[str, str], options: Options = PLAIN) -> str:
    found = in_order(diagnostics)
    prints = fingerprints(found, Sources(sources, found), options)
    return dump([_issue(*pair, options) for pair in zip(found, prints, strict=True)])


def _issue(diagnostic: Diagnostic, fingerprint: str, options: Options) -> dict[str, Any]:
    hint = f" (hint: {diagnostic.hint})" if diagnostic.hint else ""
    return {
        "description": f"{diagnostic.code}: {diagnostic.message}{hint}",
        "check_name": diagnostic.code,
        "fingerprint": fingerprint,
        "severity": _SEVERITIES[diagnostic.severity],
        "location": _location(diagnostic, options),
    }


def _location(diagnostic: Diagnostic, options: Options) -> dict[str, Any]:
    place = diagnostic.place
    begin = max(place.line, 1)
    return {
        # The widget needs a path for every finding.
        "path": relative(place.file, options.cwd, options.root) or ".",
        "lines": {"begin": begin, "end": max(place.last_line, begin)},
    }
