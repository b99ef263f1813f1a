"""Findings as JUnit XML: a suite for each file, a failing case for each finding that counts as a failure."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from orchestrator.diagnostics import in_order
from orchestrator.diagnostics.excerpt import Sources
from orchestrator.diagnostics.formats import PLAIN, Options
from orchestrator.diagnostics.printable import printable, printable_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from orchestrator.diagnostics import Diagnostic


def render(diagnostics: Iterable[Diagnostic], sources: Mapping[str, str], options: Options = PLAIN) -> str:
    found = in_order(diagnostics)
    known = Sources(sources, found)
    files = {file: list(group) for file, group in groupby(found, key=lambda each: each.place.file)}
    root = ET.Element("testsuites", _counts(found, files, sources, options), name="orchestrator")
    for file in sorted({*files, *sources}):
        _suite(root, file, files.get(file, []), known, options)
    ET.indent(root)
    # ElementTree escapes what is no ASCII, so the bytes are the same in every encoding.
    text: bytes = ET.tostring(root, encoding="us-ascii", xml_declaration=True)
    return text.decode("ascii") + "\n"


def _counts(
    found: list[Diagnostic], files: Iterable[str], sources: Mapping[str, str], options: Options
) -> dict[str, str]:
    clean = len(set(sources) - set(files))
    return {
        "tests": str(len(found) + clean),
        "failures": str(sum(map(options.fails, found))),
        "errors": "0",
    }


def _suite(root: ET.Element, file: str, found: list[Diagnostic], sources: Sources, options: Options) -> None:
    name = printable(file) or "orchestrator"
    suite = ET.SubElement(root, "testsuite", _counts(found, [file], {}, options), name=name)
    for each in found:
        _case(suite, each, sources, options)
    if not found:
        suite.set("tests", "1")
        ET.SubElement(suite, "testcase", name="no findings", classname=name)


def _case(suite: ET.Element, diagnostic: Diagnostic, sources: Sources, options: Options) -> None:
    place = diagnostic.place
    where = f":{place.line}:{place.column}" if place.line else ""
    message = printable(diagnostic.message)
    case = ET.SubElement(
        suite,
        "testcase",
        name=f"{diagnostic.code}{where} {message}",
        classname=suite.get("name", ""),
        file=suite.get("name", ""),
        line=str(max(place.line, 1)),
    )
    text = "\n".join(_body(diagnostic, sources))
    if options.fails(diagnostic):
        ET.SubElement(case, "failure", type=diagnostic.severity, message=message).text = text
    else:
        ET.SubElement(case, "system-out").text = text


def _body(diagnostic: Diagnostic, sources: Sources) -> list[str]:
    excerpt = sources.excerpt(diagnostic.place)
    label = f"{diagnostic.severity}[{diagnostic.code}]"
    return [
        printable(f"{diagnostic.place}: {label}: {diagnostic.message}"),
        *(excerpt.lines() if excerpt else ()),
        *(f"   = {printable(f'{each.message} {each.place}')}" for each in diagnostic.related),
        *(f"   hint: {line}" for line in printable_lines(diagnostic.hint) if line),
        f"   help: {diagnostic.documentation}",
    ]
