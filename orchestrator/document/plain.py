"""The located tree to plain Python values, with `${…}` interpolated where the values are known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from orchestrator.diagnostics import Findings, Place
from orchestrator.document import interpolate
from orchestrator.document.node import Node, pointer

if TYPE_CHECKING:
    from collections.abc import Sequence

Path = tuple[str | int, ...]


def as_text(value: Any, separator: str | None = None) -> str:
    """The text of a value as the environment holds it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        import shlex

        texts = list(map(str, value))
        return separator.join(texts) if separator else shlex.join(texts)
    return str(value)


class Template:
    """A text that was written with `${…}`: its `text` is filled in, or while `known` is false as it was written.

    Not a `str`, so that nothing takes one for a plain text.
    """

    __slots__ = ("known", "secret", "text", "written")

    def __init__(self, text: str, *, known: bool, secret: bool, written: str) -> None:
        self.text = text
        self.known = known
        self.secret = secret
        self.written = written

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"Template({self.written!r})"

    def __eq__(self, other: object) -> bool:
        return other.__class__ is Template and (self.text, self.written) == (other.text, other.written)

    def __hash__(self) -> int:
        return hash((self.text, self.written))


class Values(Protocol):
    """What interpolation may know about variables."""

    def lookup(self, name: str) -> str | None:
        """The variable's text, None if it is unset; raises Unknown if that is not known yet."""

    def secret(self, name: str) -> bool: ...

    def elements(self, name: str) -> Sequence[str] | None:
        """The elements of a variable of type list; None for all others."""


class Unknown(LookupError):
    """Nothing is known about the variable's value yet."""


class _Absent:
    """What a list element or optional field becomes when `${VAR:+…}` is empty."""


ABSENT = _Absent()


class Missing(NamedTuple):
    """A variable without a value, at one of the places that need it."""

    name: str
    text: str
    """The message of `:?`."""
    place: Place
    path: Path


class Plain:
    """One conversion; collects the missing variables with their places."""

    def __init__(self, values: Values, findings: Findings, raw: frozenset[str] = frozenset()) -> None:
        self.values = values
        self.findings = findings
        self.raw = raw
        """Top-level keys that are not interpolated."""
        self.missing: list[Missing] = []
        self.used: list[tuple[interpolate.Reference, Place]] = []
        """Every reference that was found."""
        self.empty: list[Path] = []
        """The paths of empty values."""
        self.respelled: list[Path] = []
        """The paths of numbers and booleans that were not written in their canonical form."""
        self.moved: dict[Path, list[int]] = {}
        """For lists that changed their length: the index in the document of each element."""

    def document(self, root: Node) -> dict[str, Any]:
        """The whole document, without `x-…` keys, which hold anchors."""
        assert isinstance(root.value, dict)
        made: dict[str, Any] = {}
        for key, child in root.value.items():
            if key.startswith("x-"):
                continue
            if "${" in key:
                self._key(key, root, ())
            value = written(child) if key in self.raw else self.of(child, (key,))
            if value is not ABSENT:
                made[key] = value
        return made

    def of(self, node: Node, path: Path = ()) -> Any:
        value = node.value
        if value.__class__ is str:
            return self._text(node, path) if "$" in value else value
        if value.__class__ is dict:
            made: dict[str, Any] = {}
            for key, child in value.items():
                inner = child.value
                if inner.__class__ is str and "$" not in inner:
                    made[key] = inner
                elif (plain := self.of(child, (*path, key))) is not ABSENT:
                    made[key] = plain
                if "${" in key:
                    self._key(key, node, path)
            return made
        if value.__class__ is list:
            return self._list(value, path)
        if value is None:
            self.empty.append(path)
        elif node.raw is not None and node.trap is None and _written(value) != node.raw:
            self.respelled.append(path)
        return value

    def _key(self, key: str, node: Node, path: Path) -> None:
        self.findings.add("ORC219", f"the key `{key}` cannot hold `${{…}}`", node.key_place(key), pointer=pointer((*path, key)),
                          hint="`${…}` is interpolated in values only")  # fmt: skip

    def _list(self, nodes: list[Node], path: Path) -> tuple[Any, ...]:
        """A tuple: the models are frozen, and strict about it."""
        result: list[Any] = []
        origins: list[int] | None = None
        for index, child in enumerate(nodes):
            elements = self._spread(child)
            if elements is None:
                made = self.of(child, (*path, index))
                elements = [] if made is ABSENT else [made]
            if origins is None and len(elements) != 1:
                origins = list(range(index))  # from here on the indexes differ
            if origins is not None:
                origins.extend(index for _ in elements)
            result.extend(elements)
        if origins is not None:
            self.moved[path] = origins
        return tuple(result)

    def _spread(self, node: Node) -> list[Template] | None:
        """The elements of a list variable, if the node is only `${NAME}` of one."""
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
        return [Template(text, known=True, secret=secret, written=node.value) for text in elements]

    def _text(self, node: Node, path: Path) -> Any:
        written = node.value
        assert isinstance(written, str)
        try:
            template = interpolate.parse(written)
        except interpolate.BadInterpolation as error:
            place = within(node, error.offset, error.length)
            self.findings.add("ORC213", str(error), place, pointer=pointer(path), hint=error.hint)
            return Template(written, known=False, secret=False, written=written)
        references = list(interpolate.references(template))
        if not references:
            return "".join(part for part in template if isinstance(part, str))
        self.used.extend((found, within(node, found.offset, found.length)) for found in references)
        secret = any(self.values.secret(found.name) for found in references)
        text = self._expanded(template, node, path)
        if text is None:
            return Template(written, known=False, secret=secret, written=written)
        only = interpolate.only_reference(template)
        if text == "" and only is not None and only.operator in ("+", ":+"):
            return ABSENT
        return Template(text, known=True, secret=secret, written=written)

    def _expanded(self, template: interpolate.Template, node: Node, path: Path) -> str | None:
        """The text, or None if a variable is missing or not known yet. Every missing one is collected."""
        parts: list[str] = []
        whole = True
        for part in template:
            try:
                parts.append(
                    part if isinstance(part, str) else interpolate.expand((part,), self.values.lookup)
                )
            except Unknown:
                whole = False
            except interpolate.Missing as missing:
                place = within(node, missing.reference.offset, missing.reference.length)
                self.missing.append(Missing(missing.name, missing.text, place, path))
                whole = False
        return "".join(parts) if whole else None


def _written(value: Any) -> str:
    return str(value).lower() if value.__class__ is bool else str(value)


def written(node: Node) -> Any:
    """The plain value without any interpolation."""
    if isinstance(node.value, dict):
        return {key: written(child) for key, child in node.value.items()}
    if isinstance(node.value, list):
        return tuple(written(child) for child in node.value)
    return node.value


def within(node: Node, offset: int, length: int) -> Place:
    """The place of a part of a text; of the whole value if escapes or several lines obscure it."""
    line, column, end_line, end_column = node.span
    text = node.value
    if isinstance(text, str) and line == end_line:
        quote = (end_column - column - len(text)) // 2
        if quote in (0, 1) and end_column - column == len(text) + 2 * quote:
            start = column + quote + offset
            return Place(node.file, line, start, line, start + length)
    return node.place
