"""The located tree to plain Python values, with `${…}` put in where the values are known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from orchestrator.diagnostics import Findings, Place
from orchestrator.document import interpolate
from orchestrator.document.node import Node, pointer

if TYPE_CHECKING:
    from collections.abc import Sequence

    Path = tuple[str | int, ...]


class Interpolated(str):
    """A text that was written with `${…}`. While `known` is false it is still the text as written."""

    __slots__ = ("known", "secret", "written")

    known: bool
    secret: bool
    written: str

    def __new__(cls, text: str, *, known: bool, secret: bool, written: str) -> Interpolated:
        self = super().__new__(cls, text)
        self.known, self.secret, self.written = known, secret, written
        return self


class Values(Protocol):
    """What interpolation may know about variables."""

    def lookup(self, name: str) -> str | None:
        """The variable's text, None when it is unset; raises Unknown when that cannot be said yet."""

    def secret(self, name: str) -> bool: ...

    def elements(self, name: str) -> Sequence[str] | None:
        """The elements of a variable of type list, None for all others."""


class Unknown(LookupError):
    """Nothing is known about the variable's value yet."""


class _Absent:
    """What a list element or an optional field becomes when `${VAR:+…}` gives nothing."""


ABSENT = _Absent()


class Plain:
    """One conversion: collects the missing variables with their places."""

    def __init__(self, values: Values, findings: Findings) -> None:
        self.values = values
        self.findings = findings
        self.missing: list[tuple[str, str, Place]] = []
        """Name, the message of `:?`, place."""
        self.used: list[tuple[interpolate.Reference, Place]] = []
        """Every reference that was met."""

    def of(self, node: Node, path: Path = ()) -> Any:
        value = node.value
        if value.__class__ is str:
            return self._text(node, path) if "$" in value else value  # type: ignore[operator]
        if isinstance(value, dict):
            made = ((key, self.of(child, (*path, key))) for key, child in value.items())
            return {key: each for key, each in made if each is not ABSENT}
        if isinstance(value, list):
            return self._list(value, path)
        return value

    def _list(self, nodes: list[Node], path: Path) -> tuple[Any, ...]:
        """A tuple: the models are frozen, and strict about it."""
        result: list[Any] = []
        for index, child in enumerate(nodes):
            elements = self._spread(child)
            if elements is not None:
                result.extend(elements)
            elif (made := self.of(child, (*path, index))) is not ABSENT:
                result.append(made)
        return tuple(result)

    def _spread(self, node: Node) -> list[str] | None:
        """The elements when a list's element is only `${NAME}` of a variable of type list."""
        if not isinstance(node.value, str) or not node.value.startswith("${"):
            return None
        try:
            reference = interpolate.only_reference(interpolate.parse(node.value))
            if reference is None or reference.operator:
                return None
            elements = self.values.elements(reference.name)
        except (interpolate.BadInterpolation, Unknown):
            return None
        if elements is None:
            return None
        self.used.append((reference, node.place))
        secret = self.values.secret(reference.name)
        return [Interpolated(each, known=True, secret=secret, written=node.value) for each in elements]

    def _text(self, node: Node, path: Path) -> Any:
        written = node.value
        assert isinstance(written, str)
        try:
            template = interpolate.parse(written)
        except interpolate.BadInterpolation as error:
            place = within(node, error.offset, 2)
            self.findings.add("ORC213", str(error), place, pointer=pointer(path), hint=error.hint)
            return written
        references = list(interpolate.references(template))
        if not references:
            return "".join(part for part in template if isinstance(part, str))
        self.used.extend((each, within(node, each.offset, each.length)) for each in references)
        secret = any(self.values.secret(each.name) for each in references)
        try:
            text = interpolate.expand(template, self.values.lookup)
        except Unknown:
            return Interpolated(written, known=False, secret=secret, written=written)
        except interpolate.Missing as missing:
            self.missing.append((missing.name, missing.text, node.place))
            return Interpolated(written, known=False, secret=secret, written=written)
        only = interpolate.only_reference(template)
        if text == "" and only is not None and only.operator in ("+", ":+"):
            return ABSENT
        return Interpolated(text, known=True, secret=secret, written=written)


def within(node: Node, offset: int, length: int) -> Place:
    """The place of a part of a text; the whole value where quoting or several lines hide the part."""
    line, column, end_line, end_column = node.span
    text = node.value
    if isinstance(text, str) and line == end_line:
        quote = (end_column - column - len(text)) // 2
        if quote in (0, 1) and end_column - column == len(text) + 2 * quote:
            start = column + quote + offset
            return Place(node.file, line, start, line, start + length)
    return node.place
