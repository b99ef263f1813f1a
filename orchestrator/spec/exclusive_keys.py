"""Keys that exclude one another and come from several layers: which of them is at fault. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from orchestrator.diagnostics import Related

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.diagnostics import Place
    from orchestrator.document.node import Node


class Fault(NamedTuple):
    """The key that an overlay or a role brought, what it meets below, and the way out."""

    key: str
    hint: str
    related: tuple[Related, ...]


def fault(mapping: Node, exclusive: Sequence[str]) -> Fault | None:
    """None where all of the keys stand in one layer: whoever wrote them sees both."""
    own = [each for each in exclusive if _stands_in(mapping.key_place(each), mapping)]
    laid = [each for each in exclusive if each not in own]
    if not own or not laid:
        return None
    out = " and ".join(f"`{each}: !remove`" for each in own)
    hint = f"take the other out here: {out}; or write `!replace` before the whole mapping, so that nothing of the one below stays"
    return Fault(
        laid[-1], hint, tuple(Related(f"`{each}` is given at", mapping.key_place(each)) for each in own)
    )


def _stands_in(place: Place, mapping: Node) -> bool:
    """A merged mapping has the place of the lowest layer; what was laid over it stands elsewhere."""
    line, column, end_line, end_column = mapping.span
    return place.file == mapping.file and (line, column) <= (place.line, place.column) < (
        end_line,
        end_column,
    )
