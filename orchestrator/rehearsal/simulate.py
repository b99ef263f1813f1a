"""The spec to rows: what each failure leads to by what is written. Pure: nothing is asked, tried or started."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestrator.core import words
from orchestrator.core.conditions import Facts, evaluate
from orchestrator.core.phases import HEALTH, QUICK
from orchestrator.core.restarts import AFTER_READY
from orchestrator.core.settle import failure
from orchestrator.document.plain import Unknown
from orchestrator.engine.estimate import works_of
from orchestrator.engine.item import Work
from orchestrator.engine.lowering import actions_after_ready, actions_of, plan_of
from orchestrator.rehearsal.driver import Rehearsed
from orchestrator.rehearsal.failures import EXPLAINED, failures
from orchestrator.rehearsal.rows import DEGRADED, HEALED, MAINTENANCE, READY, STOPPED, Ending, Row
from orchestrator.spec.item import Item
from orchestrator.spec.loading import items_with_values
from orchestrator.spec.values import StaticValues

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestrator.core.conditions import Condition
    from orchestrator.core.words import Lowered
    from orchestrator.spec.loading import Loaded


def simulated(loaded: Loaded, environ: Mapping[str, str], only: Sequence[str] = ()) -> list[Row]:
    """A row for each failure of each item, or of the items with these ids, in the order of the phases."""
    known = items_with_values(loaded, environ)
    simulation = _Simulation(loaded, environ, known)
    return [
        row
        for work in items(loaded)
        if not only or work.id in only
        for row in simulation.rows(_as_known(work, known))
    ]


def _as_known(work: Work, known: Mapping[tuple[str | int, ...], Any]) -> Work:
    if work.kind == "wait":  # whether it is asked with a password, and through TLS
        work.item = known.get(work.path, work.item)
    return work


def items(loaded: Loaded) -> list[Work]:
    """Everything that can fail, variables included."""
    assert loaded.spec is not None
    variables = [
        Work(f"variable:{name}", contract, ("variables", name), None, QUICK)
        for name, contract in loaded.spec.variables.items()
        if not name.endswith("*")
    ]
    return [*variables, *(_asked(work, loaded) for work in works_of(loaded.spec))]


def _asked(work: Work, loaded: Loaded) -> Work:
    """A health endpoint instead of the section that it stands in."""
    assert loaded.spec is not None
    if work.phase == HEALTH and loaded.spec.health is not None:
        work.item = dict(loaded.spec.health.named())[work.id.partition(":")[2]]
    return work


class _Simulation:
    """The rows of a spec: two runs for each failure, one in which remedies help and one in which none does."""

    def __init__(
        self, loaded: Loaded, environ: Mapping[str, str], known: Mapping[tuple[str | int, ...], Any]
    ) -> None:
        self.spec: Any = loaded.spec
        self.known = known
        self.facts = _facts(loaded, environ)
        works = items(loaded)
        self.plan = plan_of(works, loaded)
        self.actions = {work.id: actions_of(work, self.spec) for work in works}
        self.actions[AFTER_READY] = actions_after_ready(self.spec)
        for work in works:
            self.plan["nodes"][work.id]["when"] = self._unless_it_may_hold(work)

    def _unless_it_may_hold(self, work: Work) -> Condition | None:
        """The condition of an item that is certainly skipped: what only a start can tell is supposed to hold."""
        return ("any", ()) if self._not_tried(work) else None

    def rows(self, work: Work) -> list[Row]:
        why = self._not_tried(work)
        if why:
            ending = Ending(READY, self._goes_on)
            return [Row(work.id, "skipped", ending, note=f"not tried: {why}", skipped=True)]
        reasons = (reason for reason in failures(work) if not self._is_optional(work, reason))
        return [self._row(work, reason) for reason in reasons if not self._is_unseen(reason)]

    def _is_unseen(self, reason: str) -> bool:
        """A command whose health nobody asks has served as soon as it runs: there is no time before."""
        return reason == "boot" and (self.spec.health is None or not any(self.spec.health.named()))

    def _is_optional(self, work: Work, reason: str) -> bool:
        """A variable that is required under a condition may be missing where that does not hold."""
        condition = getattr(self.known.get(work.path), "required_when", None)
        if reason != "missing" or condition is None or work.item.required:
            return False
        return evaluate(condition.lowered(), self.facts)[0] is False

    def _not_tried(self, work: Work) -> str:
        """Why it is never tried here, where that is written or stands in the environment."""
        when = getattr(self.known.get(work.path, work.item), "when", None)
        if when is None:
            return ""
        holds, why, _ = evaluate(when.lowered(), self.facts)
        return why if holds is False else ""

    @property
    def _goes_on(self) -> int | None:
        """A role without a launch is over after its steps."""
        return None if self.spec.launch is not None else 0

    def _row(self, work: Work, reason: str) -> Row:
        good, bad = (self._run(work, reason, helps=helps) for helps in (True, False))
        ending = self._ending(bad)
        if not good.helped:
            return Row(work.id, reason, ending, tuple(self._told(bad.applied, work)))
        if reason == "ended" and self.plan["restart"]["policy"] != "never":
            return Row(work.id, reason, Ending(HEALED), (self._by_policy(ending),), (ending,))
        told = self._told_of_remedy(work, good, bad, ending)
        return Row(work.id, reason, Ending(HEALED, self._goes_on), tuple(told), (ending,))

    def _run(self, work: Work, reason: str, *, helps: bool) -> Rehearsed:
        outcome = failure(_reason_of(work, reason), EXPLAINED.get(reason, reason))
        return Rehearsed(
            self.plan, self.actions, work.id, reason, outcome=outcome, item=work.item, helps=helps
        ).run()

    def _ending(self, run: Rehearsed) -> Ending:
        if run.served_instead:
            return Ending(MAINTENANCE)
        if run.code:
            return Ending(STOPPED, run.code)
        return Ending(DEGRADED if run.features else READY, run.code, tuple(run.features))

    def _by_policy(self, ending: Ending) -> tuple[str, str]:
        policy = self.spec.launch.restart
        times = "without limit" if policy.attempts is None else f"at most {policy.attempts} times"
        return "restart", f"{times} within {policy.within:g} s; then: {ending}"

    def _told_of_remedy(
        self, work: Work, good: Rehearsed, bad: Rehearsed, ending: Ending
    ) -> list[tuple[str, str]]:
        """What did not fit, the remedy that helps, and what follows if it does not."""
        first = self._told(good.applied, work)
        rest = self._told(bad.applied, work)[len(first) :]
        then = f" after {', '.join(word for word, _ in rest)}" if rest else ""
        word, _ = first[-1]
        return [*first[:-1], (word, f"supposed to help; if it does not: {ending}{then}")]

    def _told(self, applied: list[tuple[str, Lowered, str]], work: Work) -> list[tuple[str, str]]:
        """What was done in words, each action once."""
        found: list[tuple[str, str]] = []
        last: Lowered | None = None
        for name, action, said in applied:
            if action is last:
                continue
            word, last = action["name"], action
            text = _described(action, said)
            own = name == work.id or work.kind != "variable"
            found.append((word, text if own else f"for the {name}: {text}"))
        return found


def _reason_of(work: Work, failure: str) -> str:
    """How the item itself calls the failure."""
    return work.item.reason_of(failure) if isinstance(work.item, Item) else failure


def _described(lowered: Lowered, said: str) -> str:
    match lowered["do"]:
        case words.WARN:
            return "going on"
        case words.DEGRADE:
            return _degraded(lowered)
        case words.SERVE:
            return _served(lowered)
        case words.RESTART:
            return "tried"
    return said


def _degraded(lowered: Lowered) -> str:
    said = f"going on without {lowered['feature']}"
    if lowered["recheck"] is not None:
        said += f", tried again every {_seconds(lowered['recheck'])}"
    if lowered["max_degraded"] is not None:
        said += f", the next action after {_seconds(lowered['max_degraded'])}"
    return said


def _served(lowered: Lowered) -> str:
    until = f", the next action after {_seconds(lowered['for'])}" if lowered["for"] is not None else ""
    return f"serving {lowered['app']} instead until it holds{until}"


def _seconds(value: float | str) -> str:
    """A duration, or how it is written where only a start knows it."""
    return value if isinstance(value, str) else f"{value:g} s"


def _facts(loaded: Loaded, environ: Mapping[str, str]) -> Facts:
    """What is known without a start: this environment, the defaults that stand in the spec, and nothing of any step."""
    assert loaded.spec is not None
    outputs = {name for step in loaded.spec.steps for name in step.output_names}
    return Facts(
        {**_defaults(loaded.spec), **environ},
        role=loaded.role,
        environment=loaded.environment,
        late=outputs - environ.keys(),
    )


def _defaults(spec: Any) -> dict[str, str]:
    """The variables whose value stands in the spec."""
    values, found = StaticValues(spec.variables), dict[str, str]()
    for name in spec.variables:
        try:
            found[name] = values.lookup(name) or ""
        except Unknown:
            continue
    return found
