"""`${VAR}` in values: Compose's operators and nesting, and `$$` for a dollar.

`${VAR}`, `${VAR:-default}`, `${VAR-default}`, `${VAR:?message}`, `${VAR?message}`, `${VAR:+other}`, `${VAR+other}`.
With the colon an empty value counts as unset. A bare `$NAME` is left alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from orchestrator.diagnostics.patterns import pattern

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_NAME = pattern(r"[A-Za-z_][A-Za-z0-9_]*")
_OPERATOR = pattern(r":?[-?+]")
MAX_NESTING = 20


class Reference(NamedTuple):
    """One `${…}`."""

    name: str
    operator: str
    argument: Template
    offset: int
    """Where it starts in the text it was parsed from."""
    length: int

    @property
    def optional(self) -> bool:
        """Whether it has a value when the variable has none."""
        return self.operator in ("-", ":-", "+", ":+")


Template = tuple[str | Reference, ...]


class BadInterpolation(ValueError):
    """The text cannot be parsed; `offset` and `length` are where."""

    def __init__(self, message: str, hint: str, offset: int, length: int = 2) -> None:
        super().__init__(message)
        self.hint = hint
        self.offset = offset
        self.length = length


class Missing(LookupError):
    """A variable has no value; `text` is the message of `:?`, `reference` the one that needs it."""

    def __init__(self, reference: Reference, text: str = "") -> None:
        super().__init__(reference.name)
        self.name = reference.name
        self.text = text
        self.reference = reference


def parse(text: str) -> Template:
    """The parts of a text; raises BadInterpolation."""
    parts, end = _parse(text, 0, depth=0)
    assert end == len(text)
    return parts


def _parse(text: str, at: int, *, depth: int) -> tuple[Template, int]:
    """Parses to the end, or a nested argument to its closing brace."""
    parts: list[str | Reference] = []
    literal: list[str] = []
    while at < len(text):
        character = text[at]
        if character == "}" and depth:
            break
        if character != "$" or text[at + 1 : at + 2] not in ("$", "{"):
            literal.append(character)
            at += 1
        elif text[at + 1] == "$":
            literal.append("$")
            at += 2
        else:
            if literal:
                parts.append("".join(literal))
                literal = []
            reference, at = _reference(text, at, depth)
            parts.append(reference)
    if literal:
        parts.append("".join(literal))
    return tuple(parts), at


def _reference(text: str, start: int, depth: int) -> tuple[Reference, int]:
    if depth >= MAX_NESTING:
        raise BadInterpolation(f"`${{` is nested deeper than {MAX_NESTING} levels", "", start)
    name = _NAME.match(text, start + 2)
    if name is None:
        shown = text[start : start + 12]
        raise BadInterpolation(
            f"expected a variable's name after `${{`, got `{shown}`",
            "write `${NAME}`, or `$$` for a dollar",
            start,
        )
    at = name.end()
    operator = ""
    argument: Template = ()
    if (found := _OPERATOR.match(text, at)) is not None:
        operator = found.group()
        argument, at = _parse(text, found.end(), depth=depth + 1)
    if at >= len(text):
        raise BadInterpolation(
            f"`${{{name.group()}` is not closed", "add the `}`, or write `$$` for a dollar", start
        )
    if text[at] != "}":
        raise BadInterpolation(
            f"unexpected `{text[at]}` after `${{{name.group()}`",
            "the operators are `:-`, `-`, `:?`, `?`, `:+` and `+`", at,
        )  # fmt: skip
    return Reference(name.group(), operator, argument, start, at + 1 - start), at + 1


def references(template: Template) -> Iterator[Reference]:
    """All references, including those in arguments."""
    for part in template:
        if isinstance(part, Reference):
            yield part
            yield from references(part.argument)


def expand(template: Template, lookup: Callable[[str], str | None]) -> str:
    """The text with every variable's value; raises Missing. `lookup` returns None for an unset variable."""
    return "".join(part if isinstance(part, str) else _value(part, lookup) for part in template)


def _value(reference: Reference, lookup: Callable[[str], str | None]) -> str:
    value = lookup(reference.name)
    operator = reference.operator
    absent = value is None or (operator.startswith(":") and value == "")
    match operator.removeprefix(":"):
        case "+":
            return "" if absent else expand(reference.argument, lookup)
        case "-" if absent:
            return expand(reference.argument, lookup)
        case "?" if absent:
            raise Missing(reference, expand(reference.argument, lookup))
    if value is None:
        raise Missing(reference)
    return value


def only_reference(template: Template) -> Reference | None:
    """The reference when the text is nothing else."""
    if len(template) == 1 and isinstance(template[0], Reference):
        return template[0]
    return None
