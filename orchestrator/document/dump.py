"""The located tree back to YAML and to plain values, without interpolation.

Text that a reader of YAML 1.1 or 1.2 could take for something else is quoted. Each value's origin can be written as a
comment: `# startup.production.yaml:3, overrides startup.yaml:7`.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from orchestrator.diagnostics.patterns import pattern
from orchestrator.document.node import Node, pointer
from orchestrator.document.scalars import resolve

if TYPE_CHECKING:
    from collections.abc import Iterator

    Path = tuple[str | int, ...]

_PLAIN = pattern(
    r"(?:[A-Za-z0-9_/.$<~^()+]|--?(?=[A-Za-z]))[^\x00-\x1f\x7f-\xa0\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]*\Z"
)
_SPECIAL = pattern(r":(?:\s|\Z)|\s#|\s\Z|\.\.\.|---")
_NUMBER_LIKE = re.compile(r"[-+.]*[0-9][-+0-9a-f_.,:xobe \t]*(?:[tz].*)?\Z|[-+]?\.(?:inf|nan)", re.IGNORECASE)
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "~", "", "=", "<<"})
_BLOCK = pattern(r"[^\x00-\x09\x0b-\x1f\x7f-\xa0\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]*\Z")


def to_yaml(tree: Node, *, provenance: bool = False) -> str:
    """The document as block-style YAML, keys in their order."""
    if not tree.value:
        return "{}\n"
    return "".join(_mapping(tree, 0, provenance))


def to_data(node: Node) -> Any:
    """The document as dicts, lists and scalars."""
    if isinstance(node.value, dict):
        return {key: to_data(child) for key, child in node.value.items()}
    if isinstance(node.value, list):
        return [to_data(child) for child in node.value]
    return node.value


def provenance(tree: Node) -> dict[str, dict[str, Any]]:
    """For each value by JSON pointer: its place, and the places of what it overrode, nearest first.

    A mapping or list has an entry of its own where it is empty or replaced another value.
    """
    return {pointer(path): _origin(node) for path, node in _walk(tree, ()) if path}


def _walk(node: Node, path: Path) -> Iterator[tuple[Path, Node]]:
    if node.overrides or not isinstance(node.value, dict | list) or not node.value:
        yield path, node
    for key, child in node.children():
        yield from _walk(child, (*path, key))


def _origin(node: Node) -> dict[str, Any]:
    return {
        "file": node.file,
        "line": node.span[0],
        "overrides": [{"file": place.file, "line": place.line} for place in node.overrides],
    }


def _mapping(node: Node, indent: int, with_origin: bool) -> Iterator[str]:
    assert isinstance(node.value, dict)
    for key, child in node.value.items():
        yield " " * indent + _text(key) + ":"
        yield from _value(child, indent + 2, with_origin)


def _sequence(node: Node, indent: int, with_origin: bool) -> Iterator[str]:
    assert isinstance(node.value, list)
    for child in node.value:
        yield " " * indent + "-"
        if (
            isinstance(child.value, dict)
            and child.value
            and child.directive is None
            and not (with_origin and child.overrides)
        ):
            lines = "".join(_mapping(child, indent + 2, with_origin))
            yield lines[indent + 1 :]
        else:
            yield from _value(child, indent + 2, with_origin)


def _value(node: Node, indent: int, with_origin: bool) -> Iterator[str]:
    """What follows `key:` or `-`, with the end of the line."""
    tag = f" !{node.directive}" if node.directive else ""
    value = node.value
    if isinstance(value, dict | list) and value:
        yield tag + (_comment(node) if with_origin and node.overrides else "") + "\n"
        yield from (_mapping if isinstance(value, dict) else _sequence)(node, indent, with_origin)
        return
    comment = _comment(node) if with_origin else ""
    if isinstance(value, str) and "\n" in value and (block := _block(value, indent)) is not None:
        yield f"{tag} {block[0]}{comment}\n{block[1]}"
    else:
        yield f"{tag} {_scalar(node)}{comment}\n"


def _comment(node: Node) -> str:
    over = ", ".join(f"{_name(place.file)}:{place.line}" for place in node.overrides)
    return f"  # {_name(node.file)}:{node.span[0]}" + (f", overrides {over}" if over else "")


def _name(file: str) -> str:
    return file if file.isprintable() else json.dumps(file)


def _scalar(node: Node) -> str:
    value = node.value
    if isinstance(value, dict | list):
        return "{}" if isinstance(value, dict) else "[]"
    if isinstance(value, str):
        return _text(value)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and node.raw is not None and not node.trap:
        return node.raw  # Python writes exponents that are text to YAML 1.1
    return str(value) if isinstance(value, int) else _float(value)


def _float(value: float) -> str:
    if value != value or value in (float("inf"), float("-inf")):  # noqa: PLR0124 - true for NaN
        return {"inf": ".inf", "-inf": "-.inf"}.get(str(value), ".nan")
    text = repr(value)
    if "e" in text and "." not in text.partition("e")[0]:
        text = text.replace("e", ".0e")
    return text


def in_a_list(text: str) -> str:
    """A text as an element of a flow sequence."""
    written = _text(text)
    return _escaped(text) if written == text and set(text) & set(",[]{}") else written


def _text(text: str) -> str:
    plain = _PLAIN.match(text) and not _SPECIAL.search(text) and not _NUMBER_LIKE.match(text)
    if plain and text.casefold() not in _WORDS and resolve(text) == (text, None):
        return text
    return _escaped(text)


def _escaped(text: str) -> str:
    """Double quotes, in which YAML has the escapes of JSON."""
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(
        char if " " <= char <= "~" or (char > "\xa0" and char.isprintable()) else _escape(char)
        for char in quoted
    )


def _escape(character: str) -> str:
    number = ord(character)
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def _block(text: str, indent: int) -> tuple[str, str] | None:
    """A text of several lines as a literal block, where that keeps it exactly."""
    body = text.removesuffix("\n")
    lines = body.split("\n")
    if (
        not _BLOCK.match(text)
        or not lines[0].strip()
        or lines[0].startswith(" ")
        or body.endswith("\n")
        or any(line != line.rstrip() for line in lines)
    ):
        return None
    written = "".join((" " * indent + line if line else "") + "\n" for line in lines)
    return ("|" if text.endswith("\n") else "|-"), written
