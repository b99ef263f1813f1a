"""Which items are root's to do before the engine becomes the service's user, and what keeps it root for long. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from orchestrator.core.phases import CHECK, PHASES, WAIT
from orchestrator.spec.index import Index
from orchestrator.spec.ordering import ordered
from orchestrator.spec.templated import known

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from orchestrator.core.order import Order
    from orchestrator.diagnostics import Findings
    from orchestrator.spec.locations import Locations
    from orchestrator.spec.spec import Spec

    Path = tuple[str | int, ...]

ROOT = ("root", "0")


class _Listed:
    """An item as the order takes it."""

    def __init__(self, path: Path, item: Any, index: Index) -> None:
        self.id: str = item.identity
        self.item = item
        self.path = path
        self.phase = PHASES.get(item.kind, CHECK)
        self.needs = tuple(found[0] for each in item.needs if len(found := index.find(each)) == 1)


class _Held(NamedTuple):
    """An item of root's that comes behind what has to be waited for, or is that itself."""

    path: Path
    item: Any
    waits: list[str]


def is_roots(item: Any, is_another: Callable[[str], bool]) -> bool:
    """Whether root does an item; `is_another` tells whether a user is another than the service's."""
    if item.kind == "directory":
        return True
    if item.kind == "file":
        return item.owner is not None or item.group is not None
    named = _runs_as(item)
    return named is not None and is_another(named)


def _runs_as(item: Any) -> str | None:
    """The user that a command of this item names; not the one that a database is asked as."""
    from orchestrator.spec.commanding import Commanding

    named = item.user if item.kind == "step" or isinstance(item, Commanding) else None
    return named if isinstance(named, str) else None


def service_user(spec: Spec) -> str:
    """Who the service becomes, as it is written; empty where it stays who it is, or only a start knows."""
    user: Any = getattr(spec.user, "name", None) or getattr(spec.user, "uid", spec.user)
    if not known(user):
        return ""
    name = str(user).partition(":")[0]
    return "" if name in ROOT else name


def another_than(user: str) -> Callable[[str], bool]:
    """Whether a user is another than this one, as far as their names tell."""
    return lambda named: named.partition(":")[0] != user


def held_until(order: Order, own: Sequence[str]) -> frozenset[str]:
    """What comes before the rights of root are given up: its own items, and all that these come behind."""
    return frozenset(own).union(*(order.names(order.all_mask(name)) for name in own))


def check(spec: Spec, places: Locations, findings: Findings) -> None:
    """Warns where root is held by a wait: whoever finds a way into the engine meanwhile is root."""
    user = service_user(spec)
    if not user or not spec.wait_for:
        return
    for path, item, waits in _behind_waits(spec, places, another_than(user)):
        listed = ", ".join(f"`{each}`" for each in waits[:2]) + (" and others" if len(waits) > 2 else "")
        where = "is itself waited for" if item.kind == "wait" else f"comes behind {listed}"
        message = f"`{item.identity}` is root's and {where}: until it is over, the engine stays root"
        hint = "do it in the image, or by `directories` and `files`, which come before the waits; `orchestrator plan` shows how long root stays"
        key = "user" if _runs_as(item) is not None else ""
        places.add(findings, "ORC132", message, (*path, key) if key else path, item=item.identity, hint=hint)


def _behind_waits(spec: Spec, places: Locations, is_another: Callable[[str], bool]) -> list[_Held]:
    index = Index(spec)
    works = [_Listed(path, item, index) for path, item in spec.located_items() if path[0] != "variables"]
    works = list({work.id: work for work in works}.values())
    own = [work for work in works if is_roots(work.item, is_another)]
    if not own:
        return []
    order = ordered(works, places, spec.fallbacks or {})
    waits = order.mask(work.id for work in works if work.phase == WAIT)
    found = [(work, order.names((order.all_mask(work.id) | order.mask([work.id])) & waits)) for work in own]
    return [_Held(work.path, work.item, names) for work, names in found if names]
