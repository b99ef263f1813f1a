"""Findings as SARIF 2.1.0, for code scanning: relative URIs, lines from 1, stable fingerprints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from orchestrator import __version__
from orchestrator.diagnostics import explain, in_order
from orchestrator.diagnostics.catalogue import CODES, family_of
from orchestrator.diagnostics.excerpt import Sources
from orchestrator.diagnostics.formats import PLAIN, Options
from orchestrator.diagnostics.formats.json import dump
from orchestrator.diagnostics.review import fingerprints, relative

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from orchestrator.diagnostics import Diagnostic, Place

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
# Not `primaryLocationLineHash`: GitHub's uploader computes that one and warns about any other value.
FINGERPRINT = "orchestrator/v1"


def render(diagnostics: Iterable[Diagnostic], sources: Mapping[str, str], options: Options = PLAIN) -> str:
    found = in_order(diagnostics)
    codes = sorted({diagnostic.code for diagnostic in found})
    prints = fingerprints(found, Sources(sources, found), options)
    run = {
        "tool": {"driver": _driver(codes)},
        "columnKind": "unicodeCodePoints",
        "results": [
            _result(diagnostic, codes.index(diagnostic.code), fingerprint, options)
            for diagnostic, fingerprint in zip(found, prints, strict=True)
        ],
    }
    return dump({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]})


def _driver(codes: list[str]) -> dict[str, Any]:
    return {
        "name": "orchestrator",
        "semanticVersion": __version__,
        "rules": [_rule(code) for code in codes],
    }


def _rule(code: str) -> dict[str, Any]:
    title, severity = CODES[code].title, CODES[code].severity
    page = explain.page(code) or title
    return {
        "id": code,
        "shortDescription": {"text": title},
        "fullDescription": {"text": explain.meaning(code) or title},
        "help": {"text": page, "markdown": page},
        "defaultConfiguration": {"level": severity},
        "properties": {"tags": [family_of(code)]},
    }


def _result(diagnostic: Diagnostic, index: int, fingerprint: str, options: Options) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": diagnostic.code,
        "ruleIndex": index,
        "level": diagnostic.severity,
        "message": {"text": _message(diagnostic)},
        "locations": [_location(diagnostic, options)],
        "partialFingerprints": {FINGERPRINT: fingerprint},
    }
    related = [other for other in diagnostic.related if other.place.file]
    if related:
        result["relatedLocations"] = [
            {"id": number, "message": {"text": other.message}, **_physical(other.place, options)}
            for number, other in enumerate(related)
        ]
    return result


def _message(diagnostic: Diagnostic) -> str:
    return f"{diagnostic.message}\nhint: {diagnostic.hint}" if diagnostic.hint else diagnostic.message


def _location(diagnostic: Diagnostic, options: Options) -> dict[str, Any]:
    location = _physical(diagnostic.place, options)
    names = {"name": diagnostic.item, "fullyQualifiedName": diagnostic.pointer}
    logical = {key: value for key, value in names.items() if value}
    return {**location, "logicalLocations": [logical]} if logical else location


def _physical(place: Place, options: Options) -> dict[str, Any]:
    uri = _uri(relative(place.file, options.cwd, options.root))
    return {"physicalLocation": {"artifactLocation": {"uri": uri}, "region": _region(place)}} if uri else {}


def _uri(path: str) -> str:
    quoted = quote(path.encode("utf-8", "surrogateescape"))
    return f"file://{quoted}" if path.startswith("/") else quoted


def _region(place: Place) -> dict[str, int]:
    """The known part of the place; a whole file is shown at its first line."""
    region = {"startLine": max(place.line, 1)}
    if place.line and place.column:
        region["startColumn"] = place.column
        if (place.end_line, place.end_column) > (place.line, place.column):
            region |= {"endLine": place.end_line, "endColumn": place.end_column}
    return region
