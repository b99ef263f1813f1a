"""Findings as JSON: the records and their counts. The format is versioned and only grows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestrator.diagnostics import in_order, summary
from orchestrator.diagnostics.formats import PLAIN, Options

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from orchestrator.diagnostics import Diagnostic

SCHEMA = 1


def render(diagnostics: Iterable[Diagnostic], _sources: Mapping[str, str], _options: Options = PLAIN) -> str:
    return dump(document(diagnostics))


def document(diagnostics: Iterable[Diagnostic]) -> dict[str, Any]:
    """The document as data; `config` adds keys of its own."""
    found = in_order(diagnostics)
    return {"schema": SCHEMA, "diagnostics": [each.record() for each in found], "summary": summary(found)}


def dump(data: Any) -> str:
    """JSON in ASCII, with control characters and lone surrogates escaped."""
    import json

    # DEL is the one control character that `json` leaves unescaped.
    return json.dumps(data, indent=2).replace("\x7f", "\\u007f") + "\n"
