"""From the spec to the plan: the same items and edges as a start has, and how long each may take. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestrator.core.backoff import Policy, delay
from orchestrator.core.conditions import Facts, evaluate
from orchestrator.core.phases import CHECK, HEALTH, IMPORT, LAUNCH, PHASES, QUICK, STEP, WAIT
from orchestrator.document import interpolate
from orchestrator.document.plain import Template, Unknown
from orchestrator.engine.build_items import ordered
from orchestrator.engine.health_checks import HEALTH_DEADLINE
from orchestrator.engine.imports import IMPORT_DEADLINE
from orchestrator.engine.item import Work
from orchestrator.engine.launch_plan import GRACE, is_low
from orchestrator.engine.plan import timed
from orchestrator.engine.run import TIMEOUT, WAIT_DEADLINE
from orchestrator.engine.steps import RETRIES
from orchestrator.spec import root_items
from orchestrator.spec.index import Index
from orchestrator.spec.loading import items_with_values
from orchestrator.spec.ordering import flat
from orchestrator.spec.templated import known
from orchestrator.spec.types import parse_duration
from orchestrator.spec.values import StaticValues

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from orchestrator.core.order import Order
    from orchestrator.engine.plan import Plan
    from orchestrator.spec.loading import Loaded
    from orchestrator.spec.spec import Spec


def planned(loaded: Loaded, environ: Mapping[str, str]) -> Plan:
    """The plan of a spec: nothing is asked or tried. A variable that `environ` lacks may still be set for the start."""
    assert loaded.spec is not None
    works = works_of(loaded.spec)
    known = items_with_values(loaded, environ)
    facts = Facts(environ, complete=False, role=loaded.role, environment=loaded.environment)
    when = {work.id: _when(known.get(work.path, work.item), facts) for work in works}
    worst = {work.id: 0.0 if when[work.id] == "skipped" else _worst(work, loaded.spec) for work in works}
    order = ordered(works, loaded)
    user, held = _before_the_drop(works, order, loaded.spec)
    return timed(order, worst, when, user, held)


def _before_the_drop(works: list[Work], order: Order, spec: Spec) -> tuple[str, frozenset[str]]:
    """Who an engine becomes that is started as root, and what comes before that."""
    user = root_items.service_user(spec)
    if user:
        is_another = root_items.another_than(user)
        own = [work.id for work in works if _is_roots(work, spec, is_another)]
        return user, root_items.held_until(order, own)
    alone: Any = spec.launch.user if spec.launch is not None and spec.user is None else None
    if not known(alone) or alone in root_items.ROOT:
        return "", frozenset()
    return alone, frozenset(name for name, node in order.nodes.items() if node.phase < LAUNCH)


def _is_roots(work: Work, spec: Spec, is_another: Callable[[str], bool]) -> bool:
    if work.id == "port":
        return is_low(spec.launch)
    return work.phase < LAUNCH and root_items.is_roots(work.item, is_another)


def _when(item: Any, facts: Facts) -> str:
    """What an item's condition comes to as far as it is known; nothing where the item is tried."""
    condition = getattr(item, "when", None)
    if condition is None:
        return ""
    return {True: "", False: "skipped", None: "maybe"}[evaluate(condition.lowered(), facts)[0]]


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
    """One item with all its remedies, each followed by another attempt; None is without a bound that is known now."""
    try:
        attempts = _attempts(work, spec)
        if attempts is None:
            return None
        given = getattr(work.item, "on_failure", None)
        total = attempts
        for action in flat(given if given is not None else spec.on_failure or (), spec.fallbacks or {}):
            if action.remedy and action.stands_on(work.kind):
                lowered = action.lowered()
                total += _known(lowered.get("limit"), spec) + attempts * _known(lowered.get("times", 1), spec)
    except _Late:
        return None
    return total


class _Late(Exception):
    """A time that only a start knows."""


def _known(value: Any, spec: Spec, default: float = 0.0) -> float:
    """Seconds, or a number: as it is written, and as the defaults of variables have it; raises _Late."""
    if value is None:
        return default
    if not isinstance(value, Template):
        return float(value)
    try:
        text = interpolate.expand(interpolate.parse(value.written), _Assumed(spec.variables).lookup)
        return parse_duration(text) if not text.isdecimal() else float(text)
    except (LookupError, ValueError):
        raise _Late from None


class _Assumed(StaticValues):
    """A variable without a default in its contract is taken to be unset: the default beside it counts."""

    def lookup(self, name: str) -> str | None:
        try:
            return super().lookup(name)
        except Unknown:
            return None


def _attempts(work: Work, spec: Spec) -> float | None:
    item, defaults = work.item, spec.defaults
    if work.phase == STEP:
        return _step(item, spec)
    said = getattr(item, "deadline", None)
    if work.phase == HEALTH:
        return _known(said, spec, HEALTH_DEADLINE)
    if work.phase == WAIT:
        usual = _known(getattr(defaults, "deadline", None), spec, WAIT_DEADLINE)
        return _in_a_lane(item, spec, _known(said, spec, usual))
    if work.phase == IMPORT:
        importable = getattr(item, "depth", "importable") == "importable"
        return (
            _known(said if said is not None else item.timeout, spec, IMPORT_DEADLINE) if importable else 0.0
        )
    if said is not None:
        return _in_a_lane(item, spec, _known(said, spec))
    return _timeout(item, spec) if work.phase == CHECK else 0.0


def _timeout(item: Any, spec: Spec) -> float:
    return _known(item.timeout, spec, _known(getattr(spec.defaults, "timeout", None), spec, TIMEOUT))


def _in_a_lane(item: Any, spec: Spec, deadline: float) -> float:
    """Attempts until a deadline, or until `times` of them were made."""
    policy = _policy(item, spec)
    return (
        deadline
        if policy.times is None
        else min(deadline, _tries(policy, policy.times, _timeout(item, spec)))
    )


def _step(step: Any, spec: Spec) -> float | None:
    """A step is ended at its deadline or at an attempt's timeout, and may take its grace for that."""
    grace = _known(step.grace, spec, GRACE)
    bounds = []
    if step.deadline is not None:
        bounds.append(_known(step.deadline, spec) + grace)
    if step.timeout is not None:
        policy = _policy(step, spec)
        times = (policy.times or RETRIES) if step.retry is not None else 1
        bounds.append(_tries(policy, times, _known(step.timeout, spec) + grace))
    return min(bounds, default=None)


def _policy(item: Any, spec: Spec) -> Policy:
    """How attempts follow one another; a step has its own `retry` alone."""
    retry = item.retry
    defaults = spec.defaults.retry if spec.defaults is not None and item.kind != "step" else None
    given: dict[str, Any] = {}
    for each in (defaults, retry):
        for name in ("initial", "factor", "max", "times") if each is not None else ():
            if (value := getattr(each, name)) is not None:
                given[name] = _known(value, spec)
    times = given.pop("times", None)
    return Policy(**given, times=None if times is None else int(times))


def _tries(policy: Policy, times: int, each: float) -> float:
    """So many attempts, each as long as it may be, and the longest pauses between them."""
    few = min(times, MANY)
    pauses = sum(delay(policy, attempt, 1.0) for attempt in range(1, few))
    return times * each + pauses + (times - few) * policy.max


MANY = 1000
"""After so many attempts every pause is the longest."""
