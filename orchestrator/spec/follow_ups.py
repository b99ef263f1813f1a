"""One finding for one mistake: what only follows from another at the same place is left out. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator.diagnostics import Diagnostic, Place


_STOPPERS = frozenset({"ORC010", "ORC011", "ORC016"})


_TRAPS = frozenset({"ORC013", "ORC014", "ORC015", "ORC021"})


def once(found: list[Diagnostic]) -> list[Diagnostic]:
    """One finding for one mistake: what only follows from another at the same place is left out."""
    stopped = {each.place for each in found if each.code in _STOPPERS}
    errors = {each.place for each in found if each.severity == "error"}
    found = list(
        {(each.code, each.message, each.place): each for each in reversed(_without_names(found))}.values()
    )
    return [
        each for each in reversed(found)
        if not (each.place in stopped and each.code not in _STOPPERS) and not (each.code in _TRAPS and each.place in errors)
    ]  # fmt: skip


def _without_names(found: list[Diagnostic]) -> list[Diagnostic]:
    """Where `${…}` cannot stand at all, it does not matter what is in it."""
    wrong = [each.place for each in found if each.code == "ORC219"]
    if not wrong:
        return found
    lines = {(place.file, line) for place in wrong for line in range(place.line, place.last_line + 1)}
    return [each for each in found if each.code not in ("ORC213", "ORC214") or (each.place.file, each.place.line) not in lines
            or not any(_inside(each.place, place) for place in wrong)]  # fmt: skip


def _inside(inner: Place, outer: Place) -> bool:
    start, end = (outer.line, outer.column), (outer.end_line, outer.end_column)
    return inner.file == outer.file and start <= (inner.line, inner.column) < end
