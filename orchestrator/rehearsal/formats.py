"""Rows to text, JSON and JUnit. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from orchestrator.diagnostics.formats.junit import Case, document
from orchestrator.diagnostics.printable import printable
from orchestrator.rehearsal.failures import EXPLAINED
from orchestrator.rehearsal.rows import HEALED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestrator.diagnostics import Diagnostic
    from orchestrator.rehearsal.rows import Row

_HEAD = ("item", "failure", "outcome", "exit", "fallbacks")


def as_json(rows: Sequence[Row]) -> str:
    return json.dumps({"schema": 1, "rehearsals": [row.record() for row in rows]}, indent=2) + "\n"


def as_text(service: str, rows: Sequence[Row], *, proving: bool = False) -> str:
    """A matrix with a line for each failure, what there is to say below it, and the numbers at the end."""
    cells = [_HEAD, *(_cells(row) for row in rows)]
    widths = [max(len(line[at]) for line in cells) for at in range(len(_HEAD) - 1)]
    marks = ["", *(_mark(row) for row in rows)] if proving else [""] * len(cells)
    lines = [
        f"{service}: what happens when it fails",
        "",
        _line(cells[0], widths, "" if not proving else "      "),
    ]
    same = _of_all(rows)
    for row, cell, mark in zip(rows, cells[1:], marks[1:], strict=True):
        lines.append(_line(cell, widths, f"{mark:<6}" if proving else ""))
        lines += [f"{'':{6 if proving else 0}}  {'':<{widths[0]}}  {said}" for said in _below(row, same)]
    return (
        "\n".join([*lines, "", *_words(rows), *([same] if same else []), _sum(rows, proving=proving)]) + "\n"
    )


def _cells(row: Row) -> tuple[str, ...]:
    code = "-" if row.ending.exit_code is None else str(row.ending.exit_code)
    outcome = "-" if row.skipped else row.ending.outcome
    features = f" ({', '.join(row.ending.degraded)})" if row.ending.degraded else ""
    actions = ", ".join(action for action, _ in row.fallbacks)
    return (printable(row.id), row.reason, outcome + features, code, actions or "-")


def _mark(row: Row) -> str:
    return {True: "proved", False: "WRONG", None: ""}[row.proved]


def _line(cells: tuple[str, ...], widths: list[int], mark: str) -> str:
    padded = [f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=False)]
    return ("  ".join([*([mark] if mark else [""]), *padded, cells[-1]])).rstrip()


def _of_all(rows: Sequence[Row]) -> str:
    """What is to be said of every row is said once."""
    notes = {row.note for row in rows if not row.skipped}
    return notes.pop() if len(notes) == 1 and len(rows) > 1 else ""


def _below(row: Row, same: str) -> list[str]:
    """What a cell has no room for: how a remedy may go, what should have been, why it is not proved."""
    said = [f"{action}: {result}" for action, result in row.fallbacks if result not in _known(row)]
    if row.proved is False:
        said.append(f"by the spec it should lead to {row.expected}")
    return [printable(each) for each in (*said, row.note) if each and each != same]


def _known(row: Row) -> set[str]:
    """What the line itself says."""
    return {"going on", *(f"going on without {each}" for each in row.ending.degraded)}


def _words(rows: Sequence[Row]) -> list[str]:
    """The failures in words, each once."""
    used = [each for each in EXPLAINED if any(row.reason == each for row in rows)]
    return [f"{each}: {EXPLAINED[each]}" for each in used] + [""] if used else []


def _sum(rows: Sequence[Row], *, proving: bool) -> str:
    tried = [row for row in rows if not row.skipped]
    outcomes = [row.ending.outcome for row in tried]
    counts = ", ".join(f"{outcomes.count(each)} {each}" for each in dict.fromkeys(outcomes))
    failures = f"{len(tried)} failure{'' if len(tried) == 1 else 's'}"
    if not proving:
        return f"{failures}, simulated: {counts or 'none'}" + (
            "; a remedy is supposed to help, `--prove` says whether it does" if HEALED in outcomes else ""
        )
    proved = sum(row.proved is True for row in tried)
    wrong = sum(row.proved is False for row in tried)
    open_ = len(tried) - proved - wrong
    return (
        f"{failures}: {counts or 'none'}; {proved} proved, {wrong} otherwise than written, {open_} not proved"
    )


def as_junit(service: str, rows: Sequence[Row], wrong: Mapping[str, Diagnostic]) -> str:
    """A test case for each row. A finding is its failure; what could not be proved is skipped."""
    return document([(service, [_case(row, wrong.get(row.name)) for row in rows])], "orchestrator rehearse")


def _is_open(row: Row) -> bool:
    return row.skipped or "not proved" in row.note


def _case(row: Row, finding: Diagnostic | None) -> Case:
    case = Case(row.id, row.reason, text=f"{row.ending}", seconds=row.seconds)
    if finding is not None:
        text = f"{finding.place}: {finding.message}"
        return case._replace(failure=finding.code, message=finding.message, text=text)
    return case._replace(skipped=True, message=row.note) if _is_open(row) else case
