"""The variables of a start: their contracts applied, their values put into the spec, and what changes while it runs.

Knows how items are told of what a contract came to, nothing of the order in which they are tried.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.core.outcome import Outcome, ok
from orchestrator.core.phases import QUICK
from orchestrator.engine import events, launch_plan
from orchestrator.engine.build_items import beside, expanded, names_in, with_schemas_of_health
from orchestrator.engine.contracts import apply as apply_contracts
from orchestrator.engine.exceptions import Invalid
from orchestrator.engine.item import Work
from orchestrator.requirements._conditions import answer
from orchestrator.spec.values import RunValues, find_contract

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from typing import Any

    from orchestrator.engine.contracts import Applied
    from orchestrator.engine.run import Start


class Variables:
    """What the variables of one start are worth at this moment."""

    def __init__(self, start: Start, handed: Mapping[str, str], changes: Mapping[str, str | None]) -> None:
        self._start = start
        self.handed = dict(handed)
        """What the engine was started with."""
        self.changes = dict(changes)
        """Variables that the run itself set, or took out."""
        self.given = _changed(self.handed, self.changes)
        """The environment before the contracts: what was handed in, and what the run itself set."""
        self.environ = dict(handed)
        """The environment after the contracts."""
        self._hidden: frozenset[str] = frozenset()
        self._unknown: frozenset[str] = frozenset()
        """Variables whose contract failed: what needs them is blocked."""

    def for_service(self) -> dict[str, str]:
        """The environment without what is kept from the server."""
        return {name: text for name, text in self.environ.items() if name not in self._hidden}

    def apply(self) -> Applied:
        """The contracts, laid on what was given and what was set since."""
        start = self._start
        assert start.loaded.spec is not None
        applied = apply_contracts(start.loaded.spec.variables, start.context(self.given))
        start.stream.secrets.add(applied.secrets)
        self.environ, self._hidden, self._unknown = applied.environ, applied.hidden, applied.failed
        return applied

    def resolve(self) -> None:
        """Puts the values of variables into the spec; raises Invalid when one is not of its field's type."""
        start = self._start
        known = {name: text for name, text in self.environ.items() if name not in self._unknown}
        later = self._outputs() | self._unknown
        contracts = start.loaded.spec.variables if start.loaded.spec else {}
        resolved = start.loaded.resolve(RunValues(contracts, known, later))
        if resolved.failed:
            raise Invalid(resolved.diagnostics)
        assert resolved.spec is not None
        start.resolved = resolved
        spec = launch_plan.instead(with_schemas_of_health(resolved, resolved.spec), start.instead)
        start.spec = (
            launch_plan.without(spec) if start.alone and not start.alone.startswith("health:") else spec
        )
        for work in start.works:
            if not work.settled:
                self._refresh(work)

    def _outputs(self) -> frozenset[str]:
        """What steps may still set. What a fallback would set is unset until it does."""
        by_id, steps = self._start.by_id, self._start.spec.steps
        to_come = [step for step in steps if step.identity not in by_id or not by_id[step.identity].settled]
        return frozenset(name for step in to_come for name in step.output_names)

    def _refresh(self, work: Work) -> None:
        """The item with the values that are known by now; its id stays, though it be made of one."""
        start = self._start
        item = next((item for path, item in start.spec.located_items() if path == work.path), None)
        if item is None or work.path[0] == "variables":
            return
        found = [beside(start.resolved, work.path, each) for each in expanded(item, start)]
        if len(found) == 1:
            work.item = found[0]
        else:
            work.item = next((each for each in found if each.identity == work.id), work.item)

    # What the contracts came to

    def tell(self, applied: Applied, only: Collection[str] | None = None) -> None:
        """Each contract's outcome, once, as that of an item; `only` names those that are settled by now."""
        set_by_steps = {name for step in self._start.spec.steps for name in step.output_names}
        for name, outcome in applied.outcomes.items():
            if only is not None and name not in only:
                continue
            if outcome.reason == "missing" and name in set_by_steps:
                continue  # told when the step has set it
            work = self._work(name)
            if not work.settled:
                work.attempts = 1
                self._start.conclude(work, outcome)
        if only is not None:
            return
        for name, why in applied.skipped.items():
            work = self._work(name)
            if not work.settled:
                self._start.skip(work, why)
        for name, message, hint in applied.warnings:
            self._start.stream.emit(
                events.NOTE, message, level="warning", item=f"variable:{name}", hint=hint, code="ORC403"
            )

    def _work(self, name: str) -> Work:
        """The work of a variable; a name that a `*` stands for has its contract."""
        start = self._start
        known = start.by_id.get(f"variable:{name}")
        if known is not None:
            return known
        path = ("variables", name)
        contract = find_contract(start.spec.variables, name)
        work = Work(f"variable:{name}", contract, path, start.loaded.place(path), QUICK)
        work.started = start.stream.now()
        start.add(work)
        return work

    def judge(self, work: Work) -> Outcome:
        """The contract again, on what was set since."""
        applied = self.apply()
        self.resolve()
        return applied.outcomes.get(work.id.partition(":")[2], ok("not set"))

    def refusal(self, names: Mapping[str, str | None]) -> str:
        """Why a remedy cannot set these: a contract, or a field that is written with one, does not take its value."""
        start = self._start
        assert start.loaded.spec is not None
        contracts = start.loaded.spec.variables
        applied = apply_contracts(contracts, start.context(_changed(self.given, names)))
        for name in sorted(applied.failed - self._unknown):
            return (
                applied.outcomes[name].summary if name in applied.outcomes else f"{name} has no usable value"
            )
        later = self._outputs() | applied.failed
        known = {name: text for name, text in applied.environ.items() if name not in applied.failed}
        resolved = start.loaded.resolve(RunValues(contracts, known, later))
        return next((each.message for each in resolved.diagnostics if each.severity == "error"), "")

    def change(self, names: Mapping[str, str | None]) -> None:
        """Variables changed while the start runs: what is not settled yet sees the new values. None takes one out."""
        start = self._start
        self.changes.update(names)
        self.given = _changed(self.given, names)
        applied = self.apply()
        self.resolve()
        start.importing.outdated("variables changed: " + ", ".join(sorted(names)))
        for name, outcome in applied.outcomes.items():
            known = start.by_id.get(f"variable:{name}")
            if name in names and (known is None or (known.good and not outcome.ok)):
                start.conclude(self._work(name), outcome)

    # Values that are not there

    def unknown_in(self, path: tuple[str | int, ...]) -> str:
        """A variable whose contract failed and that this part of the spec is written with."""
        if not self._unknown:
            return ""
        return next((name for name in names_in(self._start.resolved, path) if name in self._unknown), "")

    def missing_in(self, path: tuple[str | int, ...]) -> str:
        """A variable without a value that this part of the spec is written with: a step did not set it, or it was taken out."""
        return next(
            (each.name for each in self._start.resolved.missing if each.path[: len(path)] == path), ""
        )

    def require(self, without: Sequence[tuple[str | int, ...]] | None = None) -> None:
        """All variables without a value in one go: raises Invalid. Places in items that are skipped do not count."""
        from orchestrator.spec.loading import missing_findings

        if without is None:
            concerned = [work for work in self._start.works if self._misses_a_value(work)]
            without = [work.path for work in concerned if self._is_skipped(work)]
        found = missing_findings(self._start.resolved, without)
        if found:
            raise Invalid(found)

    def _misses_a_value(self, work: Work) -> bool:
        """Only then is it asked ahead of time whether it applies: a condition may be a command that takes long."""
        length = len(work.path)
        return any(each.path[:length] == work.path for each in self._start.resolved.missing)

    def _is_skipped(self, work: Work) -> bool:
        when: Any = getattr(work.item, "when", None)
        return when is not None and answer(when, self._start.context())[0] is False


def _changed(environ: Mapping[str, str], names: Mapping[str, str | None]) -> dict[str, str]:
    """The environment with changes; None takes a variable out."""
    return {name: value for name, value in {**environ, **names}.items() if value is not None}
