"""The ids of a spec and what a reference means; suggestions for one that means nothing. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from orchestrator.core.suggest import closest
from orchestrator.spec.sections import ITEM_LISTS, NAMING_KEYS
from orchestrator.spec.spec import identity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from orchestrator.diagnostics import Findings, Place
    from orchestrator.document.node import Node
    from orchestrator.spec.locations import Locations
    from orchestrator.spec.spec import Spec

    Path = tuple[str | int, ...]


@dataclass(slots=True)
class Known:
    """What is known beside one effective spec: the roles there are, and what any of them uses."""

    roles: Mapping[str, Node] = field(default_factory=dict)
    overlays: Callable[[], list[str]] = list
    """The environments that have an overlay; none when that is not known."""
    role: str = ""
    used_fallbacks: set[str] = field(default_factory=set)
    """Named fallbacks that the top level or any role uses."""
    shared_conditions: set[Place] = field(default_factory=set)
    """Where the top level says `when`: for all roles, so that one of them may well be excluded."""

    @classmethod
    def of(cls, tree: Node, overlays: Callable[[], list[str]]) -> Known:
        section = tree.get("roles")
        return cls(section.value if section is not None and isinstance(section.value, dict) else {}, overlays)

    def role_with(self, reference: str) -> str:
        """The first role that adds an item of this id or name; empty where none does."""
        name = reference.partition(":")[2] or reference
        return next((role for role, body in self.roles.items() if {reference, name} & _added_by(body)), "")

    def within(self, role: str) -> Known:
        return replace(self, role=role)


def _added_by(role: Node) -> set[str]:
    """What the items in the lists of a role are called, by any of the keys that may name one."""
    items = [item for key in ITEM_LISTS if (section := role.get(key)) for _, item in section.children()]
    named = [
        *items,
        *(each for item in items for key in ("id", "name", *NAMING_KEYS) if (each := item.get(key))),
    ]
    return {each.value for each in named if isinstance(each.value, str) and each.directive != "remove"}


class Index:
    """Every id of a spec with its place; finds what a reference means."""

    def __init__(self, spec: Spec, broken: frozenset[str] = frozenset()) -> None:
        self.broken = broken
        """Names of items that could not be decoded: a reference to one is not the mistake."""
        self.items: dict[str, tuple[Path, Any]] = {}
        self.twice: list[tuple[str, Path]] = []
        for path, item in spec.located_items():
            name = identity(path, item)
            if name in self.items:
                self.twice.append((name, path))
            else:
                self.items[name] = (path, item)
        self.fixed = ["port", "launch"] if spec.launch is not None else []
        if spec.health is not None:
            self.fixed += [f"health:{name}" for name, _ in spec.health.named()]
        self.not_there: dict[str, str] = {}
        """What was looked for and is not there, with the hint: a search among thousands of names is done once."""
        self._by_name: dict[str, list[str]] = {}
        for name in self.names:
            self._by_name.setdefault(name.partition(":")[2], []).append(name)

    @property
    def names(self) -> list[str]:
        return [*self.items, *self.fixed]

    def find(self, reference: str) -> list[str]:
        """The ids a reference may mean: the id itself, or every id whose name it is."""
        if reference in self.items or reference in self.fixed:
            return [reference]
        return list(self._by_name.get(reference, ())) if reference else []


def resolve(
    reference: str,
    index: Index,
    places: Locations,
    path: Path,
    item: str,
    findings: Findings,
    *,
    key: bool = False,
) -> str | None:
    """The one id a reference means; a finding when it is none or several."""
    found = index.find(reference)
    if len(found) == 1:
        return found[0]
    kind, _, name = reference.partition(":")
    if not found and ({reference, name} & index.broken or (kind == "health" and "health" in index.broken)):
        return None
    if found:
        listed = ", ".join(f"`{each}`" for each in found)
        places.add(
            findings,
            "ORC202",
            f"`{reference}` may mean {listed}",
            path,
            item=item,
            key=key,
            hint="write the whole id",
        )
    elif kind == "health" and name:
        there = [each.partition(":")[2] for each in index.fixed if each.startswith("health:")]
        places.add(
            findings,
            "ORC209",
            f"`health` declares no endpoint `{name}`",
            path,
            item=item,
            key=key,
            hint=near(name, there) or f"declare it: `health: {{{name}: /{name}}}`",
        )
    else:
        places.add(
            findings,
            "ORC201",
            f"there is no item `{reference}`",
            path,
            item=item,
            key=key,
            hint=_near_item(reference, index),
        )
    return None


MANY = 50
"""So many different words that are not there get a suggestion; more are no slips of the pen."""


def _near_item(reference: str, index: Index) -> str:
    if reference not in index.not_there:
        index.not_there[reference] = _looked_up(reference, index) if len(index.not_there) < MANY else ""
    return index.not_there[reference]


def _looked_up(reference: str, index: Index) -> str:
    names = [*index.names, *(name for name in index.broken if name)]
    near = closest(reference, names) or closest(reference, [name.partition(":")[2] for name in index.names])
    there = [name for name in index.names if not name.startswith("variable:")] or index.names
    return f"did you mean `{near}`?" if near else _there(there) or "the spec has no items"


def near(word: str, there: Iterable[str]) -> str:
    """The hint for a word that is not there: which was meant, else which there are."""
    there = list(there)
    near = closest(word, there)
    return f"did you mean `{near}`?" if near else _there(there)


def _there(names: Sequence[str]) -> str:
    more = f" and {len(names) - 12} more" if len(names) > 12 else ""
    return f"there are: {', '.join(f'`{each}`' for each in names[:12])}{more}" if names else ""


def cycles(edges: Mapping[str, Sequence[tuple[str, Path]]]) -> Iterator[tuple[list[str], Path]]:
    """The cycles that a walk through a graph meets, each with the place of the edge that closes it."""
    done: set[str] = set()
    for start in edges:
        trail: dict[str, Iterator[tuple[str, Path]]] = {} if start in done else {start: iter(edges[start])}
        while trail:
            current = next(reversed(trail))
            target, path = next(trail[current], ("", ()))
            if not target:
                done.add(current)
                del trail[current]
            elif target in trail:
                names = list(trail)
                yield [*names[names.index(target) :], target], path
            elif target not in done:
                trail[target] = iter(edges.get(target, ()))
