"""Where the parts of a decoded spec stand in its documents. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from orchestrator.diagnostics import Related
from orchestrator.document.node import Node, pointer
from orchestrator.document.overlay import related

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from orchestrator.diagnostics import Findings, Place

    Path = tuple[str | int, ...]


class Locations:
    """Maps paths of the decoded values to the document; a list in which `${…}` made more or fewer elements is known."""

    def __init__(self, tree: Node, moved: Mapping[Path, list[int]] | None = None) -> None:
        self.tree = tree
        self.moved = dict(moved or {})
        self.cut: dict[Path, list[int]] = {}
        """The same for lists from which broken items were taken out after decoding."""

    def real(self, path: Path) -> Path:
        """The path in the document."""
        if not self.moved and not self.cut:
            return path
        result: Path = ()
        for step in path:
            origins = self.cut.get(result, self.moved.get(result)) if isinstance(step, int) else None
            result = (
                *result,
                origins[step]
                if origins is not None and isinstance(step, int) and step < len(origins)
                else step,
            )
        return result

    def made(self, path: Path) -> Path | None:
        """The path of the decoded value that a path in the document leads to; None where it was taken out."""
        result: Path = ()
        for at, step in enumerate(path):
            written = path[:at]
            origins = self.cut.get(written, self.moved.get(written)) if isinstance(step, int) else None
            if origins is not None and step not in origins:
                return None
            result = (*result, origins.index(step) if origins is not None and isinstance(step, int) else step)
        return result

    def node(self, path: Path) -> Node:
        """The value at a path, or the nearest above it that stands in a document."""
        return self.tree.at(self.real(path))[0]

    def place(self, path: Path) -> Place:
        return self.node(path).place

    def key(self, path: Path) -> Place:
        """The key that a value stands under."""
        return self._key(self.real(path))

    def _key(self, real: Path) -> Place:
        if not real or isinstance(real[-1], int):
            return self.tree.at(real)[0].place
        return self.tree.at(real[:-1])[0].key_place(str(real[-1]))

    def add(self, findings: Findings, code: str, message: str, path: Path, *, hint: str = "", item: str = "",
            key: bool = False, severity: str = "", also: Iterable[Related] = (), written: bool = False) -> None:  # fmt: skip
        """A finding about the value at a path, or about its key; with what an overlay overrode there.

        The path is that of a decoded value, or (`written`) already that of the document.
        """
        real = path if written else self.real(path)
        node = self.tree.at(real)[0]
        findings.add(code, message, self._key(real) if key else node.place, pointer=pointer(real), item=item,
                     hint=hint, severity=severity, related=(*also, *related(node)))  # fmt: skip


class Overlaid(NamedTuple):
    """The key that an overlay or a role brought, what it meets below, and the way out."""

    key: str
    hint: str
    related: tuple[Related, ...]


def overlaid(mapping: Node, exclusive: Sequence[str]) -> Overlaid | None:
    """None where all of the keys stand in one layer: whoever wrote them sees both."""
    own = [each for each in exclusive if _stands_in(mapping.key_place(each), mapping)]
    laid = [each for each in exclusive if each not in own]
    if not own or not laid:
        return None
    out = " and ".join(f"`{each}: !remove`" for each in own)
    hint = f"take the other out here: {out}; or write `!replace` before the whole mapping, so that nothing of the one below stays"
    return Overlaid(
        laid[-1], hint, tuple(Related(f"`{each}` is given at", mapping.key_place(each)) for each in own)
    )


def _stands_in(place: Place, mapping: Node) -> bool:
    """A merged mapping has the place of the lowest layer; what was laid over it stands elsewhere."""
    line, column, end_line, end_column = mapping.span
    return place.file == mapping.file and (line, column) <= (place.line, place.column) < (
        end_line,
        end_column,
    )
