"""JUnit XML: findings as test cases, and `document`, the writer that every JUnit report uses."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple
from xml.etree import ElementTree as ET

from orchestrator.diagnostics import in_order
from orchestrator.diagnostics.excerpt import Sources
from orchestrator.diagnostics.formats import PLAIN, Options
from orchestrator.diagnostics.printable import printable, printable_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from orchestrator.diagnostics import Diagnostic


class Case(NamedTuple):
    """One test case. It failed where `failure` has a type, and was skipped where `skipped` says so."""

    classname: str
    name: str
    message: str = ""
    """Of a failed or skipped case."""
    text: str = ""
    """Of a failed case, or the output of one that passed; may have several lines."""
    failure: str = ""
    skipped: bool = False
    seconds: float | None = None
    line: int = 0
    """In the file that its class name is; 0 if it is not a file."""


def document(suites: Iterable[tuple[str, Sequence[Case]]], name: str = "orchestrator") -> str:
    """The XML of named suites with their cases. Text of any origin is made safe."""
    known = list(suites)
    root = ET.Element("testsuites", _counts([case for _, cases in known for case in cases]), name=name)
    for suite_name, cases in known:
        suite = ET.SubElement(root, "testsuite", _counts(cases), name=printable(suite_name))
        for case in cases:
            _add(suite, case)
    ET.indent(root)
    # ElementTree escapes what is not ASCII, so the bytes are the same in every encoding.
    text: bytes = ET.tostring(root, encoding="us-ascii", xml_declaration=True)
    return text.decode("ascii") + "\n"


def _counts(cases: Sequence[Case]) -> dict[str, str]:
    failed, skipped = sum(bool(case.failure) for case in cases), sum(case.skipped for case in cases)
    timed = [case.seconds for case in cases if case.seconds is not None]
    counts = {"tests": str(len(cases)), "failures": str(failed), "errors": "0", "skipped": str(skipped)}
    return counts | ({"time": f"{sum(timed):.3f}"} if timed else {})


def _add(suite: ET.Element, case: Case) -> None:
    element = ET.SubElement(suite, "testcase", name=printable(case.name), classname=printable(case.classname))
    if case.line:
        element.attrib |= {"file": printable(case.classname), "line": str(case.line)}
    if case.seconds is not None:
        element.set("time", f"{case.seconds:.3f}")
    message, text = printable(case.message), "\n".join(printable_lines(case.text))
    if case.failure:
        ET.SubElement(element, "failure", type=case.failure, message=message).text = text
    elif case.skipped:
        ET.SubElement(element, "skipped", message=message)
    elif text:
        ET.SubElement(element, "system-out").text = text


def render(diagnostics: Iterable[Diagnostic], sources: Mapping[str, str], options: Options = PLAIN) -> str:
    """A suite for each file, a failed case for each finding at or above `fail_on`."""
    found = in_order(diagnostics)
    known = Sources(sources, found)
    files = {
        file: [_case(diagnostic, known, options) for diagnostic in group]
        for file, group in groupby(found, key=lambda diagnostic: diagnostic.place.file)
    }
    return document(
        (file or "orchestrator", files.get(file) or [Case(file, "no findings")])
        for file in sorted({*files, *sources})
    )


def _case(diagnostic: Diagnostic, sources: Sources, options: Options) -> Case:
    place = diagnostic.place
    where = f":{place.line}:{place.column}" if place.line else ""
    return Case(
        place.file or "orchestrator", f"{diagnostic.code}{where} {diagnostic.message}", diagnostic.message,
        "\n".join(_body(diagnostic, sources)), diagnostic.severity if options.fails(diagnostic) else "",
        line=max(place.line, 1),
    )  # fmt: skip


def _body(diagnostic: Diagnostic, sources: Sources) -> list[str]:
    excerpt = sources.excerpt(diagnostic.place)
    label = f"{diagnostic.severity}[{diagnostic.code}]"
    return [
        printable(f"{diagnostic.place}: {label}: {diagnostic.message}"),
        *(excerpt.lines() if excerpt else ()),
        *(f"   = {printable(f'{related.message} {related.place}')}" for related in diagnostic.related),
        *(f"   hint: {line}" for line in printable_lines(diagnostic.hint) if line),
        f"   help: {diagnostic.documentation}",
    ]
