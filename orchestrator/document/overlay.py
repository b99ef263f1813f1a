"""Laying one document over another: mappings merge, lists of items merge by identity, all else is replaced.

Every value keeps the places of what it overrode, nearest first.

The operation is associative for documents without `!replace` and `!remove` in which each value has the same form (a
mapping, a list of items, or anything else) in every layer.

`- !remove x` also removes a value from a plain list; the other elements of such a list are appended. Inside `roles`
a tag that matches nothing in the role itself is kept until the role is laid over the top level. `x-…` keys hold
anchors: they are replaced, and the tags in them act at the aliases.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from orchestrator.core.suggest import did_you_mean
from orchestrator.diagnostics import Findings, Related
from orchestrator.document.node import Node, pointer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Path = tuple[str | int, ...]


class Rules(NamedTuple):
    """What the spec's models say about lists."""

    is_items: Callable[[Path], bool]
    """Whether the list at a path holds items, which merge by identity, or plain values."""
    identify: Callable[[Path, Node], str | None]
    """The identity of an item of the list at a path; None if it has none."""
    shorthand: Callable[[Path], str | None]
    """The key that a scalar item of the list at a path is short for."""


def lay_over(base: Node, over: Node, rules: Rules, findings: Findings) -> Node:
    """The base with the overlay laid over it. Neither is changed."""
    return _Laying(rules, findings).merge(base, over, ())


class _Laying:
    def __init__(self, rules: Rules, findings: Findings) -> None:
        self.rules = rules
        self.findings = findings

    def merge(self, base: Node, over: Node, path: Path) -> Node:
        if over.directive != "replace":
            if isinstance(base.value, dict) and isinstance(over.value, dict):
                return self._mappings(base, over, path)
            if isinstance(base.value, list) and isinstance(over.value, list):
                if self.rules.is_items(path):
                    return self._items(base, over, path)
                if any(child.directive == "remove" for child in over.value):
                    return self._values(base, over, path)
        result = self.settled(over, path).copy()
        if not _in_role(path):
            result.directive = None
        result.overrides = (base.place, *base.overrides)
        return result

    def _mappings(self, base: Node, over: Node, path: Path) -> Node:
        result = base.copy()
        into, keys = result.value, result.keys
        assert isinstance(into, dict)
        assert isinstance(over.value, dict)
        assert keys is not None
        for key, value in over.value.items():
            there = into.get(key)
            if _of_anchors(key):
                into[key], keys[key] = _untagged(value), (over.keys or {})[key]
                continue
            if value.directive == "remove":
                if there is not None and there.directive != "remove":
                    del into[key], keys[key]
                elif self._keeps(key, value, path, over, into):
                    into[key], keys[key] = value, (over.keys or {})[key]
                continue
            made = self._entry(there, value, (*path, key))
            if there is None and made is not value and not made.value and value.value:
                continue  # it held nothing but `!remove`
            into[key], keys[key] = made, (over.keys or {})[key]
        return result

    def _entry(self, there: Node | None, value: Node, path: Path) -> Node:
        if there is None:
            return self.settled(value, path)
        if there.directive != "remove":
            return self.merge(there, value, path)
        # A role removed it and a later layer adds it again: only that layer counts.
        result = self.settled(value, path).copy()
        result.directive = "replace"
        return result

    def _keeps(
        self, name: str, value: Node, path: Path, over: Node | None = None, there: Iterable[str] = ()
    ) -> bool:
        """Whether a `!remove` that matched nothing is kept for later; otherwise it is a finding."""
        if _in_role((*path, name)):
            return True
        place = over.key_place(name) if over is not None else value.place
        self.findings.add(
            "ORC211", f"cannot remove `{name}`: it does not exist", place, pointer=pointer((*path, name)),
            hint=did_you_mean(name, there) or "remove the line, or correct the name: no file below this one has it",
        )  # fmt: skip
        return False

    def settled(self, node: Node, path: Path) -> Node:
        """What an overlay adds: `!replace` has no more effect, `!remove` has nothing to remove."""
        if _in_role((*path, "")) or not _has_directive(node):
            return node
        result = node.copy()
        result.directive = None
        if isinstance(result.value, dict):
            for key, child in list(result.value.items()):
                if _of_anchors(key):
                    result.value[key] = _untagged(child)
                elif child.directive == "remove":
                    self._keeps(key, child, path, node)
                    del result.value[key]
                else:
                    result.value[key] = self.settled(child, (*path, key))
        elif isinstance(result.value, list):
            kept = [
                child
                for child in result.value
                if child.directive != "remove" or self._keeps(_word(child), child, path)
            ]
            result.value = [self.settled(child, (*path, at)) for at, child in enumerate(kept)]
        return result

    def _items(self, base: Node, over: Node, path: Path) -> Node:
        result = base.copy()
        items: list[Node | None] = list(_list(result))
        where = {
            name: at
            for at, item in enumerate(_list(base))
            if (name := self.rules.identify(path, item)) is not None
        }
        for item in _list(over):
            name = self.rules.identify(path, item)
            at = where.get(name) if name is not None else None
            there = items[at] if at is not None else None
            if item.directive == "remove":
                if at is not None and there is not None and there.directive != "remove":
                    items[at] = None
                elif self._keeps(name or _word(item), item, path, there=where):
                    items.append(item)
            elif at is None or there is None:
                items.append(self.settled(item, (*path, len(items))))
                if name is not None:
                    where.setdefault(name, len(items) - 1)
            else:
                items[at] = self._one_item(there, item, path, at)
        result.value = [item for item in items if item is not None]
        return result

    def _one_item(self, base: Node, over: Node, path: Path, at: int) -> Node:
        """A scalar item merges as the mapping with one key that it is short for."""
        key = self.rules.shorthand(path)
        if key is not None and isinstance(base.value, dict) != isinstance(over.value, dict):
            base, over = _in_full(base, key), _in_full(over, key)
        return self._entry(base, over, (*path, at))

    def _values(self, base: Node, over: Node, path: Path) -> Node:
        """A plain list from which an overlay removes values."""
        result = base.copy()
        values = _list(result)
        for child in _list(over):
            if child.directive != "remove":
                values.append(self.settled(child, path))
                continue
            kept = [value for value in values if value.directive == "remove" or not _same(value, child)]
            if len(kept) == len(values) and self._keeps(_word(child), child, path, there=map(_word, values)):
                kept.append(child)
            values[:] = kept
        return result


def _of_anchors(key: str | int) -> bool:
    """`x-…` holds anchors: the tags in it act at the aliases."""
    return isinstance(key, str) and key.startswith("x-")


def _untagged(node: Node) -> Node:
    """A copy without tags, and without what they remove."""
    if not _has_directive(node):
        return node
    result = node.copy()
    result.directive = None
    if isinstance(result.value, dict):
        result.value = {
            key: _untagged(child) for key, child in result.value.items() if child.directive != "remove"
        }
    elif isinstance(result.value, list):
        result.value = [_untagged(child) for child in result.value if child.directive != "remove"]
    return result


def _same(one: Node, other: Node) -> bool:
    return (
        not isinstance(one.value, dict | list)
        and one.value == other.value
        and type(one.value) is type(other.value)
    )


def _in_role(path: Path) -> bool:
    return len(path) > 2 and path[0] == "roles"


def _list(node: Node) -> list[Node]:
    return node.value if isinstance(node.value, list) else []


def _word(node: Node) -> str:
    return str(node.raw or node.value) if not isinstance(node.value, dict | list) else "this"


def _in_full(node: Node, key: str) -> Node:
    """`logs` as `{path: logs}`, at the same place."""
    if isinstance(node.value, dict):
        return node
    inner = node.copy()
    inner.directive = None
    full = Node({key: inner}, node.file, node.span)
    full.keys = {key: (node.file, node.span)}
    full.directive = node.directive
    return full


def _has_directive(node: Node) -> bool:
    return node.directive is not None or any(_has_directive(child) for _, child in node.children())


def leftovers(node: Node, findings: Findings, path: Path = ()) -> None:
    """Reports `!replace` and `!remove` outside an overlay, and removes what they mark.

    Roles keep theirs: they are laid over the top level.
    """
    if node.directive is not None:
        findings.add(
            "ORC224", f"`!{node.directive}` works in an overlay only", node.place, pointer=pointer(path),
            hint="remove the line from the spec itself" if node.directive == "remove" else "write the value without the tag",
        )  # fmt: skip
        return
    if len(path) == 1 and path[0] == "roles":
        for name, role in node.children():
            if role.directive is not None:
                leftovers(role, findings, (*path, name))
        return
    gone = []
    for key, child in list(node.children()):
        if _of_anchors(key):
            node.value[key] = _untagged(child)  # type: ignore[index]
        elif child.directive is not None or child.value.__class__ in (dict, list):
            leftovers(child, findings, (*path, key))
            if child.directive == "remove":
                gone.append(key)
    for key in reversed(gone):
        del node.value[key]  # type: ignore[union-attr, arg-type]


def related(node: Node) -> tuple[Related, ...]:
    """`overrides startup.yaml:31:5`, for a finding on a value that an overlay set."""
    return tuple(Related("overrides", place) for place in node.overrides[:1])
