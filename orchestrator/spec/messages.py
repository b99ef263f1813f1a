"""The models' errors to diagnostics: our words, the place in the file, one finding for each mistake."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from orchestrator.diagnostics import Findings, Place
from orchestrator.document.node import Node, pointer, words_for
from orchestrator.document.overlay import related
from orchestrator.document.plain import Template
from orchestrator.document.scalars import explain_trap
from orchestrator.spec.errors import NO_TEMPLATE
from orchestrator.spec.sections import NAMING_KEYS
from orchestrator.spec.wording import NOTHING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic import ValidationError

    from orchestrator.diagnostics import Related
    from orchestrator.spec.errors import Line
    from orchestrator.spec.locations import Locations

    Path = tuple[str | int, ...]

_TYPES = {
    "string_type": "a text", "int_type": "a whole number", "float_type": "a number", "bool_type": "true or false",
    "tuple_type": "a list", "dict_type": "a mapping", "none_required": "nothing",
}  # fmt: skip
_OF_VALUES = frozenset(
    {"ORC102", "ORC103", "ORC105", "ORC106", "ORC107", "ORC108", "ORC109", "ORC115", "ORC117", "ORC124"}
)


def translate(error: ValidationError, places: Locations, data: Any, findings: Findings) -> None:
    """Adds a finding for each error. `data` is what was validated, to see which values came from variables."""
    told = _Told(findings, places, data)
    for (path, of_key), lines in _by_place(error, places, data).items():
        if len(lines) > 1 and all(
            each["type"] in _TYPES or each["type"] == "literal_error" for each in lines
        ):
            told.put(path, *_one_of_types(path, lines, told.node(path)))
            continue
        for line in _of_one_value(lines):
            also = line.get("ctx", {}).get("also", ())
            told.put(path, *_words(line, path, of_key, told), key=of_key or bool(also), also=also)
    told.settle()


def _by_place(error: ValidationError, places: Locations, data: Any) -> dict[tuple[Path, bool], list[Line]]:
    """The errors that say something, by their path and whether they are about its key."""
    found: dict[tuple[Path, bool], list[Line]] = {}
    for each in error.errors(include_url=False):
        line = _without_secrets(_of_layers(each, places), data)
        path, of_key = _real_path(line["loc"], places, line.get("ctx", {}).get("key", ""))
        if not _follows(path):
            found.setdefault((path, of_key), []).append(line)
    # What holds a mistake within it was meant to be of that one of several types: the others do not matter.
    whole = {path[:length] for path, _ in found for length in range(len(path))}
    return {
        at: lines
        for at, lines in found.items()
        if at[0] not in whole or any(each["type"] not in _TYPES for each in lines)
    }


def _of_one_value(lines: list[Line]) -> list[Line]:
    """Of several types the one that the value is of; where a word was as good as something else, what was meant."""
    lines = [each for each in lines if each["type"] not in _TYPES] or lines
    words = [each for each in lines if each["type"] == "literal_error"]
    if not words or len(words) == len(lines):
        return lines
    near = any(_near(each["ctx"]["expected"], each["input"]) for each in words)
    return words if near else [each for each in lines if each not in words]


def _of_layers(line: Line, places: Locations) -> Line:
    """Keys that exclude one another and come from several layers: the upper one's is shown, with the way out."""
    exclusive = line.get("ctx", {}).get("exclusive")
    if not exclusive:
        return line
    from orchestrator.spec.exclusive_keys import fault

    found = fault(places.node(_real_path(line["loc"], places)[0]), exclusive)
    if found is None:
        return line
    return {**line, "ctx": {**line["ctx"], "key": found.key, "hint": found.hint, "also": found.related}}


def _without_secrets(line: Line, data: Any) -> Line:
    """An error about a secret says only what was expected, and nothing of the value."""
    key = line.get("ctx", {}).get("key", "")
    value = _value_at((*line["loc"], key), data)
    if line["type"].startswith("ORC2"):
        return line
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, tuple) else (value,)
    message = str(line.get("ctx", {}).get("message", ""))
    for each in parts:
        if (
            isinstance(each, Template)
            and each.secret
            and each.known
            and (each is value or each.text in message)
        ):
            return {**line, "type": "ORC218", "ctx": _concealed(each, message)}
    return line


def _concealed(value: Template, message: str) -> dict[str, Any]:
    hint = "set it to a value of the right type"
    expected = message.partition(", got")[0]
    if value.text in expected:
        pass
    elif expected.startswith("expected "):
        hint = f"{expected}: set it to one"
    elif expected.startswith("the URL"):  # nothing of it is ever shown
        hint = f"{expected}: what a password holds is written as %40 for `@`, %2F for `/`"
    message = f"the value of `{value.written}` does not fit here; it is secret and not shown"
    return {"message": message, "hint": hint}


class _Told:
    """Findings about values. What YAML made of a value is said once: with the error where there is one."""

    def __init__(self, findings: Findings, places: Locations, data: Any) -> None:
        self.findings = findings
        self.places = places
        self.data = data
        self.traps: set[tuple[str, Place]] = set()
        self.said: set[tuple[str, str, Place]] = set()
        """What stands behind an anchor is said once, however often it is used."""

    def node(self, path: Path) -> Node:
        return self.places.node(path)

    def put(
        self,
        path: Path,
        code: str,
        message: str,
        hint: str,
        *,
        key: bool = False,
        also: Iterable[Related] = (),
    ) -> None:
        node, taken = self.places.tree.at(self.places.real(path))
        if node.trap == "ORC016" and taken == len(path):
            return  # said when it was read
        if node.raw is not None and taken == len(path):
            code, message, hint = self._as_written(node, code, message, hint)
        if node.value is None and taken == len(path) and (not hint or code == "ORC102"):
            hint = NOTHING
        value = _value_at(path, self.data)
        if isinstance(value, Template) and value.known and not value.secret and code in _OF_VALUES:
            code = "ORC218"
            message = f"{message} (from `{value.written}`)"
        place = self._place(code, node, path, key=key)
        if (code, message, place) in self.said:
            return
        self.said.add((code, message, place))
        self.findings.add(code, _named(code, message, path, self), place, pointer=pointer(self.places.real(path)),
                          hint=hint, related=(*also, *related(node)))  # fmt: skip

    def _as_written(self, node: Node, code: str, message: str, hint: str) -> tuple[str, str, str]:
        if node.trap:
            self.traps.add((node.trap, node.place))
            made, quote = explain_trap(node.trap, str(node.raw), node.value)
            if code == "ORC108" and isinstance(node.value, int):
                message = f"expected a file mode in quotes, got `{node.raw}`, which YAML 1.1 reads as the number {node.value}"
                return code, message, f'write it in octal and in quotes: "{node.raw}"'
            if "expects a text" in message:
                quote = f'write "{node.raw}"'  # the other of the two ways to write it would be wrong
            return code, f"{message}: {made}", quote
        if code in ("ORC102", "ORC105", "ORC106", "ORC107"):
            message = message.replace(f"`{node.value}`", f"`{node.raw}`")
            hint = hint.replace(f'"{node.value}"', f'"{node.raw}"').replace(
                f">={node.value}", f">={node.raw}"
            )
        return code, message, hint

    def _place(self, code: str, node: Node, path: Path, *, key: bool) -> Place:
        """An unknown key is shown at the key, a missing one at the start of what misses it."""
        if code == "ORC101":
            first = node.place
            return Place(first.file, first.line, first.column, first.line, first.column + 1)
        at_key = (
            key or code == "ORC104" or (code in ("ORC112", "ORC113") and node.value.__class__ is not dict)
        )
        return self.places.key(path) if path and at_key and isinstance(path[-1], str) else node.place

    def settle(self) -> None:
        if self.traps:
            self.findings.found = [each for each in self.findings.found
                                   if (each.code, each.place) not in self.traps or each.pointer]  # fmt: skip


def _follows(path: Path) -> bool:
    """Whether the error only follows from another: a key cannot hold `${…}`, which was said when it was filled in."""
    return bool(path) and isinstance(path[-1], str) and "${" in path[-1]


def _value_at(path: Path, data: Any) -> Any:
    """What was validated there. Steps that only the models have, such as the branch of a union, are passed over."""
    for step in path:
        if isinstance(data, dict):
            data = data.get(step, data)
        elif isinstance(data, tuple) and isinstance(step, int) and step < len(data):
            data = data[step]
    return data


def _real_path(loc: Path, places: Locations, key: str | int = "") -> tuple[Path, bool]:
    """The path in the document, where `loc` and a `key` below it lead; also whether the error is about a key.

    Steps that only the models have are left out: fields that a short form stands for, branches of unions.
    """
    path: list[int | str] = []
    node: Node = places.tree
    for step in loc if key == "" else (*loc, key):
        child = None
        if isinstance(node.value, dict) and isinstance(step, str):
            child = node.value.get(step)
        elif isinstance(node.value, list) and isinstance(step, int):
            origins = places.moved.get(tuple(path)) if places.moved else None
            where = origins[step] if origins is not None and step < len(origins) else step
            child = node.value[where] if where < len(node.value) else None
        if child is not None:
            node = child
            path.append(step)
    if key != "" and isinstance(node.value, dict) and path[-1:] != [key]:
        path.append(key)
    return tuple(path), bool(loc) and loc[-1] == "[key]"


def _one_of_types(path: Path, lines: list[Any], node: Node) -> tuple[str, str, str]:
    """A union: one finding that names all that would have been right."""
    expected: list[str] = []
    for line in lines:
        literal = line["type"] == "literal_error"
        words = (
            _quoted(line["ctx"]["expected"]).replace(" or ", ", ").split(", ")
            if literal
            else [_TYPES[line["type"]]]
        )
        expected.extend(each for each in words if each not in expected)
    if "`true`" in expected and "true or false" in expected:
        expected.remove("true or false")
    if "a whole number" in expected and "a number" in expected:
        expected.remove("a whole number")
    joined = expected[0] if len(expected) == 1 else f"{', '.join(expected[:-1])} or {expected[-1]}"
    hint = _type_hint("string_type", node.value) if "a text" in expected else ""
    return "ORC102", f"{_subject(path)} expects {joined}, got {words_for(node.value)}", hint


def _words(line: Any, path: Path, of_key: bool, told: _Told) -> tuple[str, str, str]:
    kind, context = line["type"], line.get("ctx", {})
    if kind == NO_TEMPLATE or (isinstance(line["input"], Template) and not kind.startswith("ORC")):
        return "ORC219", f"{_subject(path)} cannot hold `${{…}}`: it is needed before any value is known", "write the value itself"  # fmt: skip
    if kind.startswith("ORC"):
        return kind, context["message"], context.get("hint", "")
    if of_key:
        name = str(path[-1]) if path else ""
        return "ORC109", f"{_key_of(path)} cannot be named `{name}`", _pattern_hint(context, name)
    subject = _subject(path)
    found = words_for(_found(path, told, line["input"]))
    if (
        kind in ("int_type", "float_type", "bool_type")
        and isinstance(line["input"], str)
        and found != "a mapping"
    ):
        found = f'the text "{line["input"]}"'
    if kind in _TYPES:
        return "ORC102", f"{subject} expects {_TYPES[kind]}, got {found}", _type_hint(kind, line["input"])
    if kind == "literal_error":
        return (
            "ORC103",
            f"{subject} expects {_quoted(context['expected'])}, got {found}",
            _near(context["expected"], line["input"]),
        )
    if kind in ("greater_than", "greater_than_equal", "less_than", "less_than_equal"):
        bound = {"greater_than": ("more than", "gt"), "greater_than_equal": ("at least", "ge"),
                 "less_than": ("less than", "lt"), "less_than_equal": ("at most", "le")}[kind]  # fmt: skip
        return "ORC105", f"{subject} must be {bound[0]} {context[bound[1]]:g}, got {found}", ""
    if kind == "string_pattern_mismatch":
        return "ORC109", f"{subject} cannot be {found}", _pattern_hint(context, line["input"])
    if kind in ("too_short", "string_too_short"):
        return "ORC115", f"{subject} must not be empty", NOTHING
    return "ORC102", f"{subject}: {line['msg'][:1].lower()}{line['msg'][1:]}", ""


_HINTS = {
    r"^[a-z][a-z0-9-]*$": "small letters, digits and `-`, a letter first",
    r"^[a-z][a-z0-9_-]*$": "small letters, digits, `-` and `_`, a letter first",
    r"^[a-z0-9-]+$": "small letters, digits and `-`, as `--env` takes them",
    r"^[a-z][a-z0-9_.-]*$": "small letters, digits, `-`, `_` and `.`, a letter first",
    r"^[A-Za-z0-9][A-Za-z0-9_.-]*$": "letters, digits, `-`, `_` and `.`, no sign first",
    r"^[A-Za-z_][A-Za-z0-9_]*\*?$": "letters, digits and `_`, no digit first; a `*` at the end stands for any ending",
    r"^[a-z][a-z0-9-]*(:[^\s:][^\s]*)?$": "a kind, `:` and a name without spaces, such as `wait:db`",
    r"^\S+:[0-9]{1,5}$": "for example 127.0.0.1:9000",
    r"^ORC[0-9]{3}$": "for example ORC312",
    r"^[0-9a-f]{64}$": "64 hexadecimal digits in small letters, as `sha256sum` prints them",
}
"""Patterns in words."""


def _pattern_hint(context: Any, written: Any) -> str:
    pattern = context.get("pattern", "")
    hint = _HINTS.get(pattern, f"it must match `{pattern}`" if pattern else "")
    name = re.sub(r"[^a-z0-9]+", "-", str(written).lower()).strip("-")
    fits = pattern.startswith("^[a-z") and len(name) > 1 and re.search(pattern, name)
    return f"{hint}, such as `{name}`" if fits else hint


def _key_of(path: Path) -> str:
    keys = [step for step in path[:-1] if isinstance(step, str)]
    return f"a key of `{keys[-1]}`" if keys else "a key"


def _found(path: Path, told: _Told, value: Any) -> Any:
    node, taken = told.places.tree.at(told.places.real(path))
    return value if taken < len(path) or isinstance(node.value, (dict, list)) else node.value


def _named(code: str, message: str, path: Path, told: _Told) -> str:
    """`unknown key … in wait` gets the name of the wait, where it has one."""
    if code not in ("ORC101", "ORC104") or not path or " key `" not in message:
        return message
    node = told.node(path[:-1])
    for key in NAMING_KEYS:
        named = node.get(key)
        if named is not None and isinstance(named.value, str):
            return f"{message} `{named.value}`"
    if len(path) == 3 and path[0] in ("variables", "roles"):
        return f"{message} `{path[1]}`"
    return message


def _subject(path: Path) -> str:
    """What a message is about: the last key on the path."""
    keys = [step for step in path if isinstance(step, str)]
    if not keys:
        return "the spec"
    return f"an item of `{keys[-1]}`" if isinstance(path[-1], int) else f"`{keys[-1]}`"


def _quoted(expected: str) -> str:
    return expected.replace("'", "`")


def _near(expected: str, value: Any) -> str:
    from orchestrator.core.suggest import closest

    near = closest(str(value), [each.strip("' ") for each in expected.replace(" or ", ",").split(",")])
    return f"did you mean `{near}`?" if near else ""


def _type_hint(kind: str, value: Any) -> str:
    if kind == "string_type" and isinstance(value, bool | int | float):
        return f'write it in quotes: "{str(value).lower()}"'
    if kind in ("int_type", "float_type") and isinstance(value, str) and value.replace(".", "", 1).isdigit():
        return f"write it without quotes: {value}"
    if kind == "bool_type" and isinstance(value, str) and value.lower() in ("true", "false"):
        return f"write it without quotes: {value.lower()}"
    if kind == "tuple_type" and isinstance(value, str):
        return f"write [{value}]"
    return ""
