"""Laying one document over another: mappings merge, lists of items merge by identity, all else is replaced.

Every value keeps the places of what it overrode, nearest first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.diagnostics import Findings, Related
from orchestrator.document.node import Node, pointer

if TYPE_CHECKING:
    from collections.abc import Callable

    Path = tuple[str | int, ...]
    Identify = Callable[[Path, Node], str | None]
    """The identity of an item of the list at a path; None when the list is a plain one."""


def lay_over(base: Node, over: Node, identify: Identify, findings: Findings) -> Node:
    """The base with the overlay laid over it. Neither is changed."""
    return _merge(base, over, (), identify, findings)


def _merge(base: Node, over: Node, path: Path, identify: Identify, findings: Findings) -> Node:
    if over.directive == "replace":
        return _replacing(base, over)
    if isinstance(base.value, dict) and isinstance(over.value, dict):
        return _mappings(base, over, path, identify, findings)
    if isinstance(base.value, list) and isinstance(over.value, list) and _is_items(base, over, path, identify):
        return _items(base, over, path, identify, findings)
    return _replacing(base, over)


def _replacing(base: Node, over: Node) -> Node:
    result = over.copy()
    result.directive = None
    result.overrides = (base.place, *base.overrides)
    return result


def _mappings(base: Node, over: Node, path: Path, identify: Identify, findings: Findings) -> Node:
    result = base.copy()
    into, keys = result.value, result.keys
    assert isinstance(into, dict)
    assert isinstance(over.value, dict)
    assert keys is not None
    for key, value in over.value.items():
        if value.directive == "remove":
            if key not in into:
                _nothing_to_remove(key, over, value, path, findings)
            into.pop(key, None)
            keys.pop(key, None)
            continue
        into[key] = _merge(into[key], value, (*path, key), identify, findings) if key in into else value
        keys[key] = (over.keys or {})[key]
    return result


def _nothing_to_remove(key: str, over: Node, value: Node, path: Path, findings: Findings) -> None:
    findings.add(
        "ORC211", f"cannot remove `{key}`: it is not there", over.key_place(key) if over.keys else value.place,
        pointer=pointer((*path, key)), hint="the base may have been changed: take the line out",
    )  # fmt: skip


def _is_items(base: Node, over: Node, path: Path, identify: Identify) -> bool:
    nodes = [*_list(base), *_list(over)]
    return bool(nodes) and any(identify(path, each) is not None for each in nodes)


def _list(node: Node) -> list[Node]:
    return node.value if isinstance(node.value, list) else []


def _items(base: Node, over: Node, path: Path, identify: Identify, findings: Findings) -> Node:
    result = base.copy()
    items = _list(result)
    where = {name: index for index, each in enumerate(items) if (name := identify(path, each)) is not None}
    removed: set[int] = set()
    for item in _list(over):
        name = identify(path, item)
        at = where.get(name) if name is not None else None
        if item.directive == "remove":
            if at is None:
                _nothing_to_remove(name or "this", item, item, path, findings)
            else:
                removed.add(at)
        elif at is None:
            items.append(item)
        else:
            items[at] = _one_item(items[at], item, (*path, at), identify, findings)
    result.value = [each for index, each in enumerate(items) if index not in removed]
    return result


def _one_item(base: Node, over: Node, path: Path, identify: Identify, findings: Findings) -> Node:
    """A short string over a mapping says nothing but the identity; a mapping over a short string takes its place."""
    if isinstance(base.value, dict) and isinstance(over.value, dict):
        return _merge(base, over, path, identify, findings)
    return _replacing(base, over)


def leftovers(node: Node, findings: Findings, path: Path = ()) -> None:
    """Reports `!replace` and `!remove` where there is nothing to lay them over."""
    if node.directive == "remove":
        findings.add(
            "ORC224", "`!remove` has a meaning in an overlay only", node.place, pointer=pointer(path),
            hint="take the line out of the spec itself",
        )  # fmt: skip
    for key, child in node.children():
        leftovers(child, findings, (*path, key))


def related(node: Node) -> tuple[Related, ...]:
    """`overrides startup.yaml:31:5`, for a finding on a value that an overlay set."""
    return tuple(Related("overrides", place) for place in node.overrides[:1])
