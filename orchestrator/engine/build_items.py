"""From the spec to the works of a start: every item, what it needs, and what it takes a value from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestrator.core.phases import CHECK, PHASES, STEP, WAIT
from orchestrator.engine import launch_plan
from orchestrator.engine.item import Work
from orchestrator.spec import ordering
from orchestrator.spec.index import Index

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.core.order import Order
    from orchestrator.engine.run import Start
    from orchestrator.spec.loading import Loaded
    from orchestrator.spec.spec import Spec


def list_works(start: Start) -> None:
    """Adds a work for each item of the spec, the port and the launch, and orders them."""
    index = Index(start.spec)
    for path, item in start.spec.located_items():
        if path[0] != "variables":
            for each in expanded(item, start):
                _add(start, _work(start, path, beside(start.resolved, path, each), index))
    for made in (launch_plan.port_work(start), launch_plan.launch_work(start)):
        if made is not None:
            _add(start, made)
    if start.only:
        _keep_only(start, index)
    start.order = ordered(start.works, start.resolved)
    for work in start.works:
        node = start.order.nodes[work.id]
        work.level, work.before = node.level, start.order.before_mask(work.id)


def _work(start: Start, path: tuple[str | int, ...], item: Any, index: Index) -> Work:
    needs = tuple(found[0] for reference in item.needs if len(found := index.find(reference)) == 1)
    return Work(item.identity, item, path, start.resolved.place(path), PHASES.get(item.kind, CHECK), needs)


def _add(start: Start, work: Work) -> None:
    if (work.phase == STEP and not start.steps) or (work.phase in (WAIT, CHECK) and not start.network):
        return
    if work.id not in start.by_id:
        start.add(work)


def _keep_only(start: Start, index: Index) -> None:
    """`--only ID`: the items that are named and what they need."""
    wanted = {name for reference in start.only for name in index.find(reference)}
    grown = True
    while grown:
        more = {need for work in start.works if work.id in wanted for need in work.needs} - wanted
        wanted |= more
        grown = bool(more)
    start.works = [work for work in start.works if work.id in wanted]
    start.by_id = {work.id: work for work in start.works}


def ordered(works: Sequence[Work], loaded: Loaded) -> Order:
    """The order of these items of a spec."""
    named = (loaded.spec.fallbacks or {}) if loaded.spec is not None else {}
    return ordering.ordered(works, loaded.places, named)


def expanded(item: Any, start: Start) -> list[Any]:
    """The items that one item of the spec stands for: `from: requirements.txt` is many."""
    return list(item.expand(start.context())) if hasattr(item, "expand") else [item]


def beside(loaded: Loaded, path: tuple[str | int, ...], item: Any) -> Any:
    """The item with its `schema` found beside the file in which it is written."""
    schema = getattr(item, "schema_", None)
    if schema is not None:
        return item.model_copy(update={"schema_": loaded.beside((*path, "schema"), schema)})
    return item


def with_schemas_of_health(loaded: Loaded, spec: Spec) -> Spec:
    """The spec with the schemas of its health endpoints found beside their file."""
    health = spec.health
    if health is None:
        return spec
    plain = {name: beside(loaded, ("health", name), getattr(health, name)) for name in ("live", "ready")}
    more = {
        name: beside(loaded, ("health", "endpoints", name), one)
        for name, one in (health.endpoints or {}).items()
    }
    changed = {**plain, "endpoints": more or health.endpoints}
    if all(changed[name] is getattr(health, name) for name in ("live", "ready")) and more == (
        health.endpoints or {}
    ):
        return spec
    return spec.model_copy(update={"health": health.model_copy(update=changed)})


def names_in(loaded: Loaded, path: tuple[str | int, ...]) -> list[str]:
    """The variables that a part of the spec is written with."""
    return ordering.names_in(loaded.places, path)
