"""What the spec expects of each failure, `rehearsal:`, against what came of it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.diagnostics import Findings, Place
from orchestrator.spec.index import Index

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.diagnostics import Diagnostic
    from orchestrator.rehearsal.rows import Row
    from orchestrator.spec.loading import Loaded


def judged(loaded: Loaded, rows: Sequence[Row]) -> dict[str, Diagnostic]:
    """By the row's name: a finding where it is not what is pinned, or where a fallback did not do what it says."""
    pinned = _pins(loaded)
    found: dict[str, Diagnostic] = {}
    for row in rows:
        findings = Findings()
        reference, outcome = pinned.get(row.id, ("", ""))
        if outcome and outcome not in row.outcomes():
            _not_as_pinned(loaded, row, reference, outcome, findings)
        elif not outcome and row.proved is False:
            _not_as_written(loaded, row, findings)
        if findings.found and not row.skipped:
            found[row.name] = findings.found[0]
    return found


def _pins(loaded: Loaded) -> dict[str, tuple[str, str]]:
    """Id → the reference as it is written, and the outcome. What refers to nothing was refused before."""
    assert loaded.spec is not None
    index = Index(loaded.spec)
    return {
        found[0]: (reference, outcome)
        for reference, outcome in (loaded.spec.rehearsal or {}).items()
        if len(found := index.find(reference)) == 1
    }


def _not_as_pinned(loaded: Loaded, row: Row, reference: str, outcome: str, findings: Findings) -> None:
    assert loaded.places is not None
    really = "really " if row.proved is not None else ""
    loaded.places.add(
        findings, "ORC804", f"`{row.id}` is pinned as `{outcome}`, but {_failing(row)} leads {really}to `{row.ending}`",
        ("rehearsal", reference), item=row.id, hint=f'correct its `on_failure`, or write `"{reference}": {row.ending.outcome}`',
    )  # fmt: skip


def _not_as_written(loaded: Loaded, row: Row, findings: Findings) -> None:
    findings.add(
        "ORC805", f"the fallback of `{row.id}` does not do what it says: {_failing(row)} should lead to {row.expected}, and led to `{row.ending}`",
        _place_of(loaded, row.id), item=row.id,
        hint=f'correct its `on_failure`; if that is what you want, pin it: `rehearsal: {{"{row.id}": {row.ending.outcome}}}`',
    )  # fmt: skip


def _failing(row: Row) -> str:
    return f"its failure `{row.reason}`"


def _place_of(loaded: Loaded, name: str) -> Place:
    assert loaded.spec is not None
    path = next((path for path, item in Index(loaded.spec).items.values() if _is(path, item, name)), None)
    given = path or tuple({"port": "launch"}.get(each, each) for each in name.split(":"))
    return loaded.place(given) or Place(loaded.files[0] if loaded.files else "")


def _is(path: tuple[str | int, ...], item: object, name: str) -> bool:
    from orchestrator.spec.spec import identity

    return identity(path, item) == name
