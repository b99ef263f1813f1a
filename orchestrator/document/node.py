"""The located tree: every value knows the file, line and column it came from, and what it overrode."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.diagnostics import Place

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Scalar = str | int | float | bool | None
Span = tuple[int, int, int, int]
"""Line, column, end line, end column; from 1, the end exclusive."""


class Node:
    """A value of the document. `value` is a scalar, a dict of nodes by key, or a list of nodes."""

    __slots__ = ("directive", "file", "keys", "overrides", "raw", "span", "trap", "value")

    def __init__(self, value: Scalar | dict[str, Node] | list[Node], file: str, span: Span) -> None:
        self.value = value
        self.file = file
        self.span = span
        self.keys: dict[str, tuple[str, Span]] | None = None
        """For a mapping: the file and span of each key."""
        self.raw: str | None = None
        """The source text of a plain scalar that YAML resolved to something other than text."""
        self.trap: str | None = None
        """The code of a YAML 1.1 trap, if this plain scalar is one."""
        self.directive: str | None = None
        """`replace` or `remove`, for overlays."""
        self.overrides: tuple[Place, ...] = ()
        """The places of the values that this one replaced, nearest first."""

    @property
    def place(self) -> Place:
        return Place(self.file, *self.span)

    def key_place(self, key: str) -> Place:
        """The place of a key of this mapping; the mapping's own if it has no such key."""
        if self.keys and key in self.keys:
            file, span = self.keys[key]
            return Place(file, *span)
        return self.place

    def get(self, key: str) -> Node | None:
        return self.value.get(key) if isinstance(self.value, dict) else None

    def children(self) -> Iterator[tuple[str | int, Node]]:
        if isinstance(self.value, dict):
            yield from self.value.items()
        elif isinstance(self.value, list):
            yield from enumerate(self.value)

    def at(self, path: Sequence[str | int]) -> tuple[Node, int]:
        """The node at a path, or the deepest one that exists, and how many steps of the path lead there."""
        node = self
        for taken, step in enumerate(path):
            child: Node | None = None
            if isinstance(node.value, dict) and isinstance(step, str):
                child = node.value.get(step)
            elif isinstance(node.value, list) and isinstance(step, int) and step < len(node.value):
                child = node.value[step]
            if child is None:
                return node, taken
            node = child
        return node, len(path)

    def copy(self) -> Node:
        """A shallow copy that may be changed."""
        value = self.value
        if isinstance(value, dict):
            value = dict(value)
        elif isinstance(value, list):
            value = list(value)
        other = Node(value, self.file, self.span)
        other.keys = dict(self.keys) if self.keys is not None else None
        other.raw, other.trap, other.directive = self.raw, self.trap, self.directive
        other.overrides = self.overrides
        return other


def pointer(path: Sequence[str | int]) -> str:
    """The JSON pointer (RFC 6901) of a path."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)


def steps_of(text: str) -> list[str]:
    """The steps of a JSON pointer."""
    return [step.replace("~1", "/").replace("~0", "~") for step in text.split("/")[1:]]


def words_for(value: object) -> str:
    """What a value is, for messages that say what was found."""
    match value:
        case None:
            return "nothing"
        case bool():
            return f"the boolean `{str(value).lower()}`"
        case int() | float():
            return f"the number `{value}`"
        case "":
            return "an empty text"
        case str():
            return f"`{value}`" if len(value) <= 60 else f"`{value[:57]}...`"
        case dict():
            return "a mapping"
        case list() | tuple():
            return "a list"
        case _:
            return f"`{value}`" if hasattr(value, "written") else type(value).__name__
