"""From the spec to the plan: the same items and edges as a start has, and how long each may take. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestrator.engine.importing import IMPORT_DEADLINE
from orchestrator.engine.launching import GRACE
from orchestrator.engine.listing import flat, ordered
from orchestrator.engine.measuring import HEALTH_DEADLINE
from orchestrator.engine.plan import timed
from orchestrator.engine.remedies import INSTALL_DEADLINE, RUN_DEADLINE
from orchestrator.engine.run import TIMEOUT, WAIT_DEADLINE
from orchestrator.engine.work import CHECK, HEALTH, IMPORT, LAUNCH, PHASES, QUICK, STEP, WAIT, Work
from orchestrator.spec.references import Index

if TYPE_CHECKING:
    from orchestrator.engine.plan import Plan
    from orchestrator.spec.loading import Loaded
    from orchestrator.spec.spec import Spec


def planned(loaded: Loaded) -> Plan:
    """The plan of a spec as it is written: nothing is expanded, asked or tried."""
    assert loaded.spec is not None
    works = works_of(loaded.spec)
    return timed(ordered(works, loaded), {work.id: _worst(work, loaded.spec) for work in works})


def works_of(spec: Spec) -> list[Work]:
    """Every item of a spec but its variables, as it is written."""
    index = Index(spec)
    works = []
    for path, item in spec.located_items():
        if path[0] != "variables":
            needs = tuple(found[0] for each in item.needs if len(found := index.find(each)) == 1)
            works.append(Work(item.identity, item, path, None, PHASES.get(item.kind, CHECK), needs))
    launch = spec.launch
    if launch is not None:
        if launch.listening_port is not None or launch.unix is not None:
            works.append(Work("port", None, ("launch", "port"), None, QUICK))
        works.append(Work("launch", launch, ("launch",), None, LAUNCH))
    if launch is not None and spec.health is not None:
        works += [
            Work(f"health:{name}", spec.health, ("health", name), None, HEALTH)
            for name, _ in spec.health.named()
        ]
    return works


def _worst(work: Work, spec: Spec) -> float | None:
    """One item with all its remedies, each followed by another attempt."""
    attempts = _attempts(work, spec)
    if attempts is None:
        return None
    given = getattr(work.item, "on_failure", None)
    total = attempts
    for action in flat(given if given is not None else spec.on_failure or (), spec.fallbacks or {}):
        if getattr(action, "remedy", False) and (action.allowed is None or work.kind in action.allowed):
            total += _remedy(action) + attempts * getattr(action, "times", 1)
    return total


def _remedy(action: Any) -> float:
    if action.word == "run":
        return float(action.deadline if action.deadline is not None else RUN_DEADLINE)
    return INSTALL_DEADLINE if action.word == "install" else 0.0


def _attempts(work: Work, spec: Spec) -> float | None:
    item, defaults = work.item, spec.defaults
    said = getattr(item, "deadline", None)
    if work.phase == WAIT:
        return float(
            said or (defaults.deadline if defaults and defaults.deadline is not None else WAIT_DEADLINE)
        )
    if work.phase == STEP:
        return None if said is None else float(said + (item.grace if item.grace is not None else GRACE))
    if work.phase == IMPORT:
        importable = getattr(item, "depth", "importable") == "importable"
        return float(said or item.timeout or IMPORT_DEADLINE) if importable else 0.0
    if work.phase == CHECK:
        return float(
            said
            or item.timeout
            or (defaults.timeout if defaults and defaults.timeout is not None else TIMEOUT)
        )
    if work.phase == HEALTH:
        return float(said if said is not None else HEALTH_DEADLINE)
    return 0.0
