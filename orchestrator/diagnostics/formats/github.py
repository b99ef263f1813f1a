"""Findings as GitHub workflow commands: ten of each level, worst first; the rest in the step summary."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.diagnostics import SEVERITIES, in_order
from orchestrator.diagnostics.formats import PLAIN, Options
from orchestrator.diagnostics.formats.text import counted
from orchestrator.diagnostics.printable import printable, printable_lines
from orchestrator.diagnostics.review import relative

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from orchestrator.diagnostics import Diagnostic, Place

SHOWN = 10
"""GitHub shows no more annotations of one level for a step."""
ROWS = 500
"""Findings listed in the step summary, which may have a megabyte."""
_COMMANDS = {"error": "error", "warning": "warning", "note": "notice"}


def render(diagnostics: Iterable[Diagnostic], _sources: Mapping[str, str], options: Options = PLAIN) -> str:
    shown, rest = _divided(diagnostics)
    lines = [_command(diagnostic, options) for diagnostic in shown]
    if rest and options.summary:
        lines.append(f"{counted(rest)} more: see the step summary")
    elif rest:
        lines += [
            f"{counted(rest)} more, without an annotation:",
            *(_log_line(diagnostic, options) for diagnostic in rest),
        ]
    return "".join(line + "\n" for line in lines)


def step_summary(diagnostics: Iterable[Diagnostic], options: Options = PLAIN) -> str:
    """All findings as Markdown for the file `GITHUB_STEP_SUMMARY`; empty if there are none."""
    shown, rest = _divided(diagnostics)
    found = sorted([*shown, *rest], key=_by_severity)
    if not found:
        return ""
    note = f" ({counted(rest)} without an annotation)" if rest else ""
    table = [_row(diagnostic, options) for diagnostic in found[:ROWS]]
    more = [f"\n{len(found) - ROWS} more are not listed."] if len(found) > ROWS else []
    head = [f"### orchestrator: {counted(found)}{note}", "", "| severity | place | code | finding |"]
    return "\n".join([*head, "| --- | --- | --- | --- |", *table, *more]) + "\n"


def _by_severity(diagnostic: Diagnostic) -> int:
    return SEVERITIES.index(diagnostic.severity)


def _divided(diagnostics: Iterable[Diagnostic]) -> tuple[list[Diagnostic], list[Diagnostic]]:
    """What GitHub will annotate, worst first, and what it would drop."""
    shown: list[Diagnostic] = []
    rest: list[Diagnostic] = []
    taken = dict.fromkeys(SEVERITIES, 0)
    for diagnostic in sorted(in_order(diagnostics), key=_by_severity):
        taken[diagnostic.severity] += 1
        (shown if taken[diagnostic.severity] <= SHOWN else rest).append(diagnostic)
    return shown, rest


def _command(diagnostic: Diagnostic, options: Options) -> str:
    properties = {**_place(diagnostic, options), "title": diagnostic.code}
    arguments = ",".join(f"{name}={_property(str(value))}" for name, value in properties.items())
    related = [f"{other.message} {other.place}" for other in diagnostic.related]
    hints = [f"hint: {diagnostic.hint}"] if diagnostic.hint else []
    message = "\n".join([diagnostic.message, *related, *hints, f"help: {diagnostic.documentation}"])
    text = "\n".join(printable_lines(message))
    return f"::{_COMMANDS[diagnostic.severity]} {arguments}::{_data(text)}"


def _log_line(diagnostic: Diagnostic, options: Options) -> str:
    """A line of the job's log. It begins with the severity: a file name must not become a workflow command."""
    return f"{diagnostic.severity}[{diagnostic.code}] {_where(diagnostic.place, options)}: {printable(diagnostic.message)}"


def _where(place: Place, options: Options) -> str:
    file = relative(place.file, options.cwd, options.root)
    return printable(f"{file}:{place.line}:{place.column}" if place.line else file)


def _place(diagnostic: Diagnostic, options: Options) -> dict[str, str | int]:
    place = diagnostic.place
    if not place.file:
        return {}
    known: dict[str, str | int] = {"file": printable(relative(place.file, options.cwd, options.root))}
    known["line"] = max(place.line, 1)
    if place.last_line > place.line:  # GitHub takes no columns together with several lines
        return {**known, "endLine": place.last_line}
    if place.line and place.column:
        known |= {"endLine": place.line, "col": place.column}
        known |= (
            {"endColumn": place.end_column}
            if place.end_line == place.line and place.end_column > place.column
            else {}
        )
    return known


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _row(diagnostic: Diagnostic, options: Options) -> str:
    cells = (diagnostic.severity, _where(diagnostic.place, options), diagnostic.code, diagnostic.message)
    return "| " + " | ".join(map(_cell, cells)) + " |"


def _cell(text: str) -> str:
    """A message in a table: backticks as code, all other markup escaped."""
    parts = printable(text).split("`")
    # A backtick without a partner is plain text.
    last = [] if len(parts) % 2 else [parts.pop()]
    cells = [f"<code>{_plain(part)}</code>" if n % 2 else _plain(part) for n, part in enumerate(parts)]
    return "".join([*cells, *("&#96;" + _plain(part) for part in last)])


def _plain(text: str) -> str:
    return "".join(f"&#{ord(char)};" if char in "&<>|[]!*_~#\\@" else char for char in text)
