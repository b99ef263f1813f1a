"""From the spec to the plan that the core decides on: plain data of every item, and the actions that follow a failure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestrator.core.phases import HEALTH, STEP
from orchestrator.core.plan import plan
from orchestrator.engine.build_items import names_in, ordered
from orchestrator.engine.launch_plan import given_for_port
from orchestrator.spec.ordering import flat

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.core.plan import Plan
    from orchestrator.engine.item import Work
    from orchestrator.spec.item import Action
    from orchestrator.spec.loading import Loaded


def plan_of(works: Sequence[Work], loaded: Loaded) -> Plan:
    """The plan of these items. Conditions, retries and deadlines are added by whoever knows their values."""
    assert loaded.spec is not None
    spec = loaded.spec
    return plan(
        ordered(works, loaded),
        {work.id: _node(work, loaded) for work in works},
        {work.id: [action.lowered() for action in actions_of(work, spec)] for work in works},
        [action.lowered() for action in actions_after_ready(spec)],
        restart=_restart_policy(spec),
        blamed=_blamed([work.id for work in works if work.phase == HEALTH]),
    )


def actions_of(work: Work, spec: Any) -> list[Action]:
    """What is done when an item fails, named lists put in; actions that cannot stand on its kind are left out."""
    item = spec.health if work.phase == HEALTH else work.item
    given = given_for_port(spec) if work.kind == "port" else getattr(item, "on_failure", None)
    given = given if given is not None else spec.on_failure or ()
    return [action for action in flat(given, spec.fallbacks or {}) if action.stands_on(work.kind)]


def actions_after_ready(spec: Any) -> list[Action]:
    """What is done for a server that fails after it was ready: health's, else the launch's, else the spec's."""
    measured = spec.health is not None and any(spec.health.named())
    sections = (each for each in (spec.health, spec.launch) if each is not None)
    given = next((each.on_failure for each in sections if each.on_failure is not None), spec.on_failure or ())
    kind = "health" if measured else "launch"
    return [action for action in flat(given, spec.fallbacks or {}) if action.stands_on(kind)]


def _node(work: Work, loaded: Loaded) -> dict[str, Any]:
    item = work.item
    imported = work.kind == "module" and item.depth == "importable"
    return {
        "variables": _variables(work, loaded),
        "imported": imported,
        "looks": work.phase != STEP and not imported and work.kind not in ("variable", "port"),
        "repeatable": work.phase != STEP or item.unless is not None or item.creates is not None,
    }


def _variables(work: Work, loaded: Loaded) -> list[str]:
    """The items of the variables that it is written with; the port and the launch with all that the launch is."""
    assert loaded.spec is not None
    if work.kind == "variable":
        return []
    parts = {"port": [("launch",)], "launch": [("launch",), ("health",)], "health": []}
    names = [name for path in parts.get(work.kind, [work.path]) for name in names_in(loaded, path)]
    return [f"variable:{name}" for name in dict.fromkeys(names) if name in loaded.spec.variables]


def _restart_policy(spec: Any) -> dict[str, Any]:
    given = spec.launch.restart if spec.launch is not None else None
    if given is None:
        return {"policy": "never"}
    return {"policy": given.policy, "attempts": given.attempts, "within": given.within}


def _blamed(health: list[str]) -> str:
    """The item that has failed when the server ends by itself: what its health is measured by, or the launch."""
    usual = [name for name in ("health:ready", "health:live") if name in health]
    return next(iter([*usual, *health]), "launch")
