"""The order of a spec's items: what they need, and what sets the values that they are written with. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from orchestrator.core.order import Node, Order
from orchestrator.core.phases import STEP
from orchestrator.document.interpolate import BadInterpolation, parse, references
from orchestrator.spec.item import Action, Named

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestrator.document.node import Node as Tree
    from orchestrator.spec.locations import Locations


class Listed(Protocol):
    """An item with what its order depends on. `needs` grows by the steps whose outputs it is written with."""

    needs: tuple[str, ...]

    @property
    def id(self) -> str: ...
    @property
    def item(self) -> Any: ...
    @property
    def path(self) -> tuple[str | int, ...]: ...
    @property
    def phase(self) -> int: ...


def ordered(
    works: Sequence[Listed], places: Locations | None, named: Mapping[str, Sequence[Action]]
) -> Order:
    """The edges between items: what they need, and what sets the values that they are written with."""
    setters = _setters(works, named)
    nodes = []
    for work in works:
        names = names_in(places, work.path)
        outputs = [
            each for name in names for each, certain in setters.get(name, ()) if certain and each != work.id
        ]
        wished = [
            each
            for name in names
            for each, certain in setters.get(name, ())
            if not certain and each != work.id
        ]
        work.needs = tuple(dict.fromkeys([*work.needs, *outputs]))
        sets = work.phase == STEP and bool(getattr(work.item, "output_names", ()))
        nodes.append(Node(work.id, work.phase, work.needs, tuple(dict.fromkeys(wished)), outputs=sets))
    return Order(nodes)


def _setters(
    works: Sequence[Listed], named: Mapping[str, Sequence[Action]]
) -> dict[str, list[tuple[str, bool]]]:
    """Who sets a variable while the start runs; the outputs of a step are certain, what a fallback sets is not."""
    found: dict[str, list[tuple[str, bool]]] = {}
    for work in works:
        for name in getattr(work.item, "output_names", ()):
            found.setdefault(name, []).append((work.id, True))
        for action in flat(getattr(work.item, "on_failure", None) or (), named):
            for name in action.sets:
                found.setdefault(name, []).append((work.id, False))
    return found


def flat(actions: Sequence[Action], named: Mapping[str, Sequence[Action]]) -> list[Action]:
    """The actions with named lists put in. The validator has refused circles."""
    result: list[Action] = []
    for action in actions:
        result.extend(flat(named[action.name], named) if isinstance(action, Named) else [action])
    return result


def names_in(places: Locations | None, path: tuple[str | int, ...]) -> list[str]:
    """The variables that a part of the spec is written with."""
    if places is None:
        return []
    real = places.real(path)
    node, taken = places.tree.at(real)
    return _names(node) if taken == len(real) else []


def _names(node: Tree) -> list[str]:
    if isinstance(node.value, str):
        try:
            return [each.name for each in references(parse(node.value))] if "${" in node.value else []
        except BadInterpolation:
            return []
    return [name for _, child in node.children() for name in _names(child)]
