"""A start: every item brought to a state, in order where something orders it and side by side where nothing does.

Effects live here and in what it calls; what happened goes out as events, and the folds over them decide what is
printed, written and returned. One loop waits for everything: signals, threads, the importing process, a step.
"""

from __future__ import annotations

import os
import select
import time
from typing import TYPE_CHECKING, Any, Protocol

from orchestrator.document.interpolate import BadInterpolation, parse, references
from orchestrator.engine import backoff, environment, events, launching, remedies
from orchestrator.engine.conditions import CannotTell, holds
from orchestrator.engine.context import Context, SystemClock, User, current_user
from orchestrator.engine.importing import Importing
from orchestrator.engine.lanes import Lanes
from orchestrator.engine.outcome import Outcome, Status, failed
from orchestrator.engine.stepping import Stepping
from orchestrator.engine.work import CHECK, IMPORT, LAUNCH, PHASES, QUICK, STEP, WAIT, Work
from orchestrator.launch.reaper import Reaper
from orchestrator.launch.signals import CHILD, STOPS
from orchestrator.spec.item import Action, Named
from orchestrator.spec.references import Index, run_time_names
from orchestrator.spec.values import RunValues

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping, Sequence

    from orchestrator.diagnostics import Diagnostic
    from orchestrator.document.node import Node
    from orchestrator.engine.context import Clock
    from orchestrator.launch.signals import Notes
    from orchestrator.spec.loading import Loaded
    from orchestrator.spec.spec import Spec

TIMEOUT = 2.0
WAIT_DEADLINE = 60.0


class Interrupted(Exception):
    """Somebody asked for the end. `number` is the signal."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class Invalid(Exception):
    """The spec cannot be used with the values of this environment."""

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        super().__init__(str(diagnostics))
        self.diagnostics = list(diagnostics)


class InternalError(Exception):
    """A bug: `details` is its traceback."""


class _Source(Protocol):
    """Something the loop waits for."""

    def fileno(self) -> int: ...


class Start:
    """One start of one service."""

    def __init__(
        self,
        loaded: Loaded,
        stream: events.Stream,
        notes: Notes,
        *,
        environ: Mapping[str, str],
        role: str = "",
        words: Sequence[str] = (),
        instead: Sequence[str] = (),
        network: bool = True,
        steps: bool = True,
        only: Sequence[str] = (),
        clock: Clock | None = None,
    ) -> None:
        assert loaded.spec is not None
        self.loaded = loaded
        self.spec: Spec = loaded.spec
        self.stream = stream
        self.notes = notes
        self.network = network
        self.steps = steps
        self.only = tuple(only)
        self.environ = dict(environ)
        self.hidden: frozenset[str] = frozenset()
        self.unknown: frozenset[str] = frozenset()
        """Variables whose contract failed: what needs them is blocked."""
        self.degraded: list[str] = []
        self.works: list[Work] = []
        self.by_id: dict[str, Work] = {}
        self.clock: Clock = clock or SystemClock()
        self.user: User = current_user()
        self.cwd = os.getcwd()
        self.role = role
        self.words = tuple(words)
        """What stood behind `run ROLE --`: for the command that is launched."""
        self.instead = tuple(instead)
        """A command in the launch's place."""
        self.listener: socket.socket | None = None
        """The service's own socket: bound, not listening."""
        self.lanes = Lanes()
        self.importing = Importing(self)
        self.stepping = Stepping(self)
        self.reaper = Reaper(self._is_ours)
        self.maintenance_pid = 0
        self.state_directory = ""
        self.log_format = "text"
        self._phase = -1

    # Before anything is tried

    def prepare(self) -> None:
        """Applies the contracts of variables and lists what is to be done; raises Invalid."""
        environment_name = self.loaded.environment
        self.stream.emit(
            events.STARTED, f"service {self.spec.service}", service=self.spec.service, environment=environment_name,
            role=self.role, pid=os.getpid(), files=list(self.loaded.files),
        )  # fmt: skip
        self.stream.emit(events.PHASE, phase="variables", level="debug")
        applied = environment.apply(self.spec.variables, self.context(self.environ))
        self.stream.secrets.add(applied.secrets)
        self.environ, self.hidden, self.unknown = applied.environ, applied.hidden, applied.failed
        self.resolve()
        self._tell_variables(applied)
        self._list()
        self._missing_variables()

    def context(self, environ: Mapping[str, str] | None = None, *, timeout: float = TIMEOUT) -> Context:
        """What an attempt may know now."""
        given = dict(environ if environ is not None else self.service_environ())
        states = {work.id: work.status.value for work in self.works}
        return Context(
            given,
            self.cwd,
            self.user,
            self.clock,
            timeout,
            self.spec.service,
            self.loaded.environment,
            self.role,
            states,
        )

    def service_environ(self) -> dict[str, str]:
        """The environment as the service gets it."""
        own = {
            "ORCHESTRATOR_SERVICE": self.spec.service,
            "ORCHESTRATOR_ENV": self.loaded.environment,
            "ORCHESTRATOR_ROLE": self.role,
            "ORCHESTRATOR_DEGRADED": ",".join(self.degraded),
        }
        return {**{name: text for name, text in self.environ.items() if name not in self.hidden}, **own}

    def resolve(self) -> None:
        """Puts the values of variables into the spec; raises Invalid when one is not of its field's type."""
        known = {name: text for name, text in self.environ.items() if name not in self.unknown}
        later = frozenset(run_time_names(self.spec)) | self.unknown
        resolved = self.loaded.resolve(
            RunValues(self.loaded.spec.variables if self.loaded.spec else {}, known, later)
        )
        if resolved.failed:
            raise Invalid(resolved.diagnostics)
        assert resolved.spec is not None
        self.spec, self._resolved = launching.instead(resolved.spec, self.instead), resolved
        for work in self.works:
            if not work.settled:
                self._refresh(work)

    def _refresh(self, work: Work) -> None:
        """The item with the values that are known by now."""
        for path, item in self.spec.located_items():
            if path == work.path and work.id in (
                item.identity,
                *(each.identity for each in _expanded(item, self)),
            ):
                work.item = next(each for each in _expanded(item, self) if each.identity == work.id)
                return

    def _tell_variables(self, applied: environment.Applied) -> None:
        for name, outcome in applied.outcomes.items():
            contract = self.spec.variables.get(name)
            work = Work(
                f"variable:{name}",
                contract,
                ("variables", name),
                self.loaded.place(("variables", name)),
                QUICK,
            )
            work.started = self.stream.now()
            self.works.append(work)
            self.by_id[work.id] = work
            work.attempts = 1
            self.conclude(work, outcome)
        for name, why in applied.skipped.items():
            work = Work(
                f"variable:{name}",
                self.spec.variables[name],
                ("variables", name),
                self.loaded.place(("variables", name)),
                QUICK,
            )
            self.works.append(work)
            self.by_id[work.id] = work
            self._skip(work, why)
        for name, message, hint in applied.warnings:
            self.stream.emit(
                events.NOTE, message, level="warning", item=f"variable:{name}", hint=hint, code="ORC403"
            )

    def _list(self) -> None:
        index = Index(self.spec)
        port = launching.port_work(self)
        for path, item in self.spec.located_items():
            if path[0] == "variables":
                continue
            for each in _expanded(item, self):
                name = each.identity
                needs = tuple(
                    found[0] for reference in each.needs if len(found := index.find(reference)) == 1
                )
                phase = PHASES.get(each.kind, CHECK)
                self._add(Work(name, each, path, self.loaded.place(path), phase, needs))
        if port is not None:
            self._add(port)
        launch = launching.launch_work(self)
        if launch is not None:
            self._add(launch)
        if self.only:
            self._keep_only(index)

    def _add(self, work: Work) -> None:
        if (work.phase == STEP and not self.steps) or (work.phase in (WAIT, CHECK) and not self.network):
            return
        if work.id not in self.by_id:
            self.works.append(work)
            self.by_id[work.id] = work

    def _keep_only(self, index: Index) -> None:
        """`--only ID`: the items that are named and what they need."""
        wanted = {name for reference in self.only for name in index.find(reference)}
        grown = True
        while grown:
            more = {need for work in self.works if work.id in wanted for need in work.needs} - wanted
            wanted |= more
            grown = bool(more)
        self.works = [work for work in self.works if work.id in wanted]
        self.by_id = {work.id: work for work in self.works}

    def _missing_variables(self) -> None:
        """All variables without a value in one go. Places in items that are skipped do not count."""
        from orchestrator.spec.loading import missing_findings

        found = missing_findings(self._resolved, [work.path for work in self.works if self._is_skipped(work)])
        if found:
            raise Invalid(found)

    def _is_skipped(self, work: Work) -> bool:
        when = getattr(work.item, "when", None)
        try:
            return when is not None and not holds(when, self.context())[0]
        except CannotTell:
            return False

    def _node(self, path: tuple[str | int, ...]) -> Node | None:
        return self.loaded.tree.at(path)[0] if self.loaded.tree is not None else None

    # The loop

    def settle(self) -> None:
        """Brings every item to a state; raises Interrupted."""
        while True:
            progressed = self._start_what_can()
            if self._done():
                return
            if not progressed:
                self.wait()

    def _done(self) -> bool:
        return all(work.settled for work in self.works if work.phase < LAUNCH) and self.importing.settled()

    def _start_what_can(self) -> bool:
        progressed = False
        for work in self.works:
            if work.status is Status.UNKNOWN and work.phase < LAUNCH and self._may_start(work):
                progressed = True
                self._begin(work)
        return self.importing.start_if_due() or progressed

    def _may_start(self, work: Work) -> bool:
        """Whether everything that orders it is settled; marks it blocked when something it needs is not well."""
        for need in work.needs:
            other = self.by_id.get(need)
            if other is None or other.well:
                continue
            if not other.settled:
                return False
            self._block(work, other.id)
            return True
        variable = self._unknown_variable(work)
        if variable:
            self._block(work, f"variable:{variable}")
            return True
        return self._phase_allows(work)

    def _phase_allows(self, work: Work) -> bool:
        if work.phase == QUICK:
            return True
        before = {IMPORT: (QUICK,), WAIT: (QUICK,), CHECK: (QUICK, WAIT), STEP: (QUICK, WAIT, CHECK)}[
            work.phase
        ]
        earlier = [each for each in self.works if each.phase in before and work.id not in each.needs]
        if not all(each.settled for each in earlier):
            return False
        if work.phase == IMPORT and self.late_imports:
            return all(each.settled for each in self.works if each.phase == STEP)
        return work.phase != STEP or self._step_allowed(work)

    def _step_allowed(self, work: Work) -> bool:
        """Steps run one by one, and none once something failed for good: a migration is no diagnosis."""
        for other in self.works:
            if other is work:
                break
            if other.phase == STEP and not other.settled:
                return False
        for other in self.works:
            if other.status in (Status.FAILED, Status.BLOCKED) and other is not work:
                self._block(work, other.id if other.status is Status.FAILED else other.blocked_by)
                return True
        return self.stepping.free

    @property
    def late_imports(self) -> bool:
        """Imports wait for the steps when a step sets variables."""
        return any(step.output_names for step in self.spec.steps)

    def _unknown_variable(self, work: Work) -> str:
        """A variable whose contract failed and that this item is written with."""
        if not self.unknown:
            return ""
        node = self._node(work.path)
        return (
            next((name for name in _names_in(node) if name in self.unknown), "") if node is not None else ""
        )

    def _begin(self, work: Work) -> None:
        if work.settled:
            return
        self._enter(work.phase)
        work.started = self.stream.now()
        when = getattr(work.item, "when", None)
        if when is not None:
            try:
                yes, why = holds(when, self.context())
            except CannotTell as error:
                self.conclude(
                    work,
                    failed("ORC471", "condition", f"cannot tell whether it applies: {error}", final=True),
                )
                return
            if not yes:
                self._skip(work, why)
                return
        if work.phase == STEP:
            self.stepping.begin(work)
        elif work.phase == IMPORT and self.importing.takes(work):
            work.status = Status.WAITING
        elif work.phase in (WAIT, CHECK) or work.item.deadline is not None:
            self._in_a_lane(work)
        else:
            self._at_once(work)

    def _enter(self, phase: int) -> None:
        names = {QUICK: "requirements", WAIT: "waits", CHECK: "checks", STEP: "steps"}
        if phase > self._phase and phase in names:
            self._phase = phase
            self.stream.emit(events.PHASE, phase=names[phase], level="debug")

    def _at_once(self, work: Work) -> None:
        work.attempts += 1
        outcome = work.item.attempt(self.context(timeout=self._timeout(work)))
        self.conclude(work, outcome)

    def _in_a_lane(self, work: Work) -> None:
        work.status = Status.WAITING
        defaults = self.spec.defaults
        policy = backoff.policy(work.item.retry, defaults.retry if defaults else None)
        deadline = work.item.deadline
        if deadline is None and work.kind == "wait":
            deadline = defaults.deadline if defaults and defaults.deadline is not None else WAIT_DEADLINE
        self.lanes.start(work, self.context(timeout=self._timeout(work)), policy, deadline)

    def _timeout(self, work: Work) -> float:
        if work.item.timeout is not None:
            return float(work.item.timeout)
        defaults = self.spec.defaults
        return defaults.timeout if defaults and defaults.timeout is not None else TIMEOUT

    def wait(self, until: float | None = None) -> None:
        """Waits for something to happen, at most until a time (`time.monotonic`), and takes note of it."""
        poll = select.poll()
        sources: list[_Source] = [self.notes, self.lanes, *self.importing.sources(), *self.stepping.sources()]
        for source in sources:
            poll.register(source.fileno(), select.POLLIN)
        dues = [due for due in (until, self.importing.due(), self.stepping.due()) if due is not None]
        poll.poll(max(0, int((min(dues) - time.monotonic()) * 1000) + 1) if dues else None)
        self.take_notes()
        for attempt in self.lanes.take():
            self._heard(attempt)
        self.importing.hear()
        self.stepping.hear()

    def take_notes(self) -> None:
        """Signals: a request to stop ends the start; the end of a stranger is collected."""
        for number in self.notes.take():
            if number in STOPS:
                raise Interrupted(number)
            if number == CHILD and os.getpid() == 1:
                self.reaper.reap()

    def _is_ours(self, pid: int) -> bool:
        """Whether somebody here waits for this process; while threads start children, any may be one of theirs."""
        return bool(self.lanes.running) or pid in (
            self.importing.pid,
            self.stepping.pid,
            self.maintenance_pid,
        )

    def _heard(self, attempt: Any) -> None:
        work = attempt.work
        work.attempts += 1
        if attempt.bug:
            raise InternalError(attempt.bug)
        if attempt.last:
            if attempt.work.status is Status.WAITING:
                self.conclude(work, attempt.outcome)
            return
        work.outcome = attempt.outcome
        first = work.attempts == 1
        self.stream.emit(
            events.WAITING, attempt.outcome.summary, level="info" if first else "debug", item=work.id,
            attempt=work.attempts, reason=attempt.outcome.reason,
        )  # fmt: skip

    # Conclusions

    def conclude(self, work: Work, outcome: Outcome) -> None:
        """An attempt's outcome: a state, or the next fallback action."""
        work.outcome = outcome
        if outcome.ok:
            self.settle_as(work, Status.HEALED if work.tried else Status.OK)
            return
        actions = self.actions(work)
        while work.tried < len(actions):
            action = actions[work.tried]
            work.tried += 1
            if remedies.act(self, work, action):
                return
        self.settle_as(work, Status.FAILED)

    def actions(self, work: Work) -> list[Action]:
        """What is to be done for an item, named lists put in; actions that cannot stand on its kind are left out."""
        item = work.item
        given = (
            item.on_failure
            if item is not None and getattr(item, "on_failure", None) is not None
            else self.spec.on_failure
        )
        return [
            each
            for each in flat(given or (), self.spec.fallbacks or {})
            if each.allowed is None or work.kind in each.allowed
        ]

    def settle_as(self, work: Work, status: Status, message: str = "") -> None:
        """The item's state is told, and noted."""
        work.status = status
        outcome = work.outcome
        assert outcome is not None
        if work.feature and work.feature not in self.degraded:
            self.degraded.append(work.feature)
        levels = {
            Status.FAILED: "error",
            Status.BLOCKED: "error",
            Status.DEGRADED: "warning",
            Status.WARNED: "warning",
        }
        bad = status not in (Status.OK, Status.HEALED, Status.SKIPPED)
        place = work.place
        self.stream.emit(
            events.ITEM, message or outcome.summary, level=levels.get(status, "info"), item=work.id, status=status.value,
            reason=outcome.reason if bad else "", hint=outcome.hint if bad else "", code=outcome.code if bad else "",
            details=outcome.details if bad else "", why=(getattr(work.item, "why", None) or "") if bad else "", feature=work.feature,
            attempts=work.attempts, start_ms=work.started, duration_ms=self.stream.now() - work.started,
            file=place.file if place else "", line=place.line if place else 0,
        )  # fmt: skip

    def _skip(self, work: Work, why: str) -> None:
        work.outcome = Outcome(ok=True, summary=why)
        work.started = work.started or self.stream.now()
        self.settle_as(work, Status.SKIPPED)

    def _block(self, work: Work, by: str) -> None:
        work.blocked_by = by
        work.started = self.stream.now()
        work.outcome = Outcome(ok=False, summary=f"not tried: {by} is not well", reason="blocked")
        self.settle_as(work, Status.BLOCKED)

    def changed(self, names: Mapping[str, str | None]) -> None:
        """Variables changed while the start runs: what is not settled yet sees the new values."""
        for name, value in names.items():
            if value is None:
                self.environ.pop(name, None)
            else:
                self.environ[name] = value
        self.resolve()
        self.importing.outdated("variables changed: " + ", ".join(sorted(names)))

    def retry(self, work: Work) -> None:
        """Tries an item again after a remedy."""
        if work.phase == STEP:
            self.stepping.begin(work)
        elif work.phase == LAUNCH:
            work.status = Status.UNKNOWN
            self.importing.begin_again()
        elif work.phase == IMPORT and self.importing.takes(work):
            work.status = Status.WAITING
            self.importing.outdated(f"{work.id} was remedied")
        elif work.phase in (WAIT, CHECK) or work.item.deadline is not None:
            self._in_a_lane(work)
        else:
            self._at_once(work)

    @property
    def failures(self) -> list[Work]:
        return [work for work in self.works if work.status is Status.FAILED]

    def close(self) -> None:
        """Ends what still runs."""
        self.lanes.abandon()
        self.importing.discard()
        self.stepping.kill()


def _expanded(item: Any, start: Start) -> list[Any]:
    return list(item.expand(start.context())) if hasattr(item, "expand") else [item]


def flat(actions: Sequence[Action], named: Mapping[str, Sequence[Action]]) -> list[Action]:
    """The actions with named lists put in. The validator has refused circles."""
    result: list[Action] = []
    for action in actions:
        result.extend(flat(named[action.name], named) if isinstance(action, Named) else [action])
    return result


def _names_in(node: Node) -> list[str]:
    """The variables that a part of the spec is written with."""
    if isinstance(node.value, str):
        try:
            return [each.name for each in references(parse(node.value))] if "${" in node.value else []
        except BadInterpolation:
            return []
    return [name for _, child in node.children() for name in _names_in(child)]
