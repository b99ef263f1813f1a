"""A start: every item brought to a state, in order where something orders it and side by side where nothing does.

Effects live here and in what it calls; what happened goes out as events, and the folds over them decide what is
printed, written and returned. One loop waits for everything: signals, threads, the importing process, a step.
"""

from __future__ import annotations

import os
import select
import signal
import time
from typing import TYPE_CHECKING, Any, Protocol

from orchestrator.core import backoff
from orchestrator.core.context import Context, SystemClock, User, current_user
from orchestrator.core.exit_status import Asked
from orchestrator.core.outcome import Outcome, Status, failed
from orchestrator.core.phases import CHECK, HEALTH, IMPORT, LAUNCH, QUICK, STEP, WAIT
from orchestrator.core.transition import starting
from orchestrator.engine import events, identity, launch_plan, snapshot, verdict, workers
from orchestrator.engine.attempts import Lanes
from orchestrator.engine.build_items import list_works, names_in
from orchestrator.engine.exceptions import InternalError, Interrupted
from orchestrator.engine.gate import Asking
from orchestrator.engine.imports import Importing
from orchestrator.engine.operations import Operating
from orchestrator.engine.recovery import Rechecking
from orchestrator.engine.root_work import RootWork
from orchestrator.engine.steps import Stepping
from orchestrator.engine.values import Variables
from orchestrator.spec.values import find_contract
from orchestrator.system.reaper import Reaper
from orchestrator.system.signals import CHILD, STOPS

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping, Sequence

    from orchestrator.core.context import Clock
    from orchestrator.core.order import Order
    from orchestrator.engine.contracts import Applied
    from orchestrator.engine.item import Work
    from orchestrator.launch.app_handle import Importer
    from orchestrator.spec.item import Action
    from orchestrator.spec.loading import Loaded
    from orchestrator.spec.spec import Spec
    from orchestrator.system.signals import Notes
    from orchestrator.system.users import Identity

TIMEOUT = 2.0
WAIT_DEADLINE = 60.0
PATIENCE = 1.0
"""Seconds after which an ended child that nobody has collected is nobody's."""


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
        alone: str = "",
        remembered: Mapping[str, Any] | None = None,
        network: bool = True,
        steps: bool = True,
        only: Sequence[str] = (),
        clock: Clock | None = None,
    ) -> None:
        assert loaded.spec is not None
        self.loaded = loaded
        self.resolved = loaded
        """The spec with the values of variables put in, as far as they are known."""
        self.spec: Spec = loaded.spec
        self.stream = stream
        self.notes = notes
        self.network = network
        self.steps = steps
        self.only = tuple(only)
        self.alone = alone
        """The one item that this start is about, where it runs beside the server: tried once, by itself."""
        self.mends = True
        """Whether what exists may be changed to hold what the spec says."""
        self.only_looks = False
        """Whether nothing is done about what fails."""
        self.memory: Mapping[str, Any] = remembered or {}
        """What an earlier engine of this process knew, where there was one: see `engine.memory`."""
        self.variables = Variables(self, environ, self.memory.get("changes", {}))
        self.degraded: list[str] = []
        self.works: list[Work] = []
        self.by_id: dict[str, Work] = {}
        self.state = starting({"nodes": {}, "lists": {}}, {"environ": {}}, time.monotonic())
        """What the core decides on: the items, each with its actions."""
        self.order: Order | None = None
        self.clock: Clock = clock or SystemClock()
        self.user: User = current_user()
        self.identity: Identity | None = None
        """Who the service runs as, once that is settled: `user` is the same."""
        self.launched_as: Identity | None = None
        """The same for the server, which may have a user of its own."""
        self.as_root = os.geteuid() == 0
        """Whether the service was started as root, whoever it is by now."""
        self.root_work = RootWork(self)
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
        self.asking = Asking(self)
        self.rechecking = Rechecking(self)
        self.reaper = Reaper(self._is_ours, PATIENCE)
        self._asked_to_stop = Asked()
        self.maintenance_pid = 0
        self.child_ended: Callable[[], None] = lambda: None
        """Whoever wants to hear that a child may have ended."""
        self.operating = Operating(self)
        self.server: Importer | None = None
        """The server, once it was told to go."""
        self.launched_at = 0.0
        """When (`time.time`) the server was told to go."""
        self.server_grace = launch_plan.GRACE
        self.state_directory = ""
        self.installed_in = ""
        """A directory of its own into which `install` has installed, where it did."""
        self.log_format = "text"
        self._phase = -1
        self._ending: Importer | None = None

    # Before anything is tried

    def prepare(self) -> None:
        """Applies the contracts of variables and lists what is to be done; raises Invalid."""
        environment_name = self.loaded.environment
        self.stream.emit(
            events.STARTED, f"service {self.spec.service}", service=self.spec.service, environment=environment_name,
            role=self.role, pid=os.getpid(), files=list(self.loaded.files),
        )  # fmt: skip
        self.stream.emit(events.PHASE, phase="variables", level="debug")
        early = not identity.needs_variables(self)
        if early and not identity.identify(self):
            return
        applied = self.variables.apply()
        self.variables.resolve()
        if not early:
            if not self._late_user(applied):
                return
            applied = self.variables.apply()
            self.variables.resolve()
        self.variables.tell(applied)
        if not identity.identify_launch(self):
            return
        list_works(self)
        self.root_work.begin()
        self.variables.require()
        workers.tell(self)

    def _late_user(self, applied: Applied) -> bool:
        """A user whose numbers are variables, PUID and PGID: HOME, and what only the user may read, follow now."""
        missing = [each.path for each in self.resolved.missing]
        if any(path[0] == "user" for path in missing):
            self.variables.require([path for path in missing if path[0] != "user"])
        self.variables.tell(applied, names_in(self.loaded, ("user",)))
        return identity.identify(self)

    def add(self, work: Work) -> None:
        snapshot.restore(self, work)
        self.works.append(work)
        self.by_id[work.id] = work
        self.state.items[work.id] = work
        self.state.plan["nodes"][work.id] = {"phase": work.phase, "bit": 0}  # what comes when, `order` knows

    def context(self, environ: Mapping[str, str] | None = None, *, timeout: float = TIMEOUT) -> Context:
        """What an attempt may know now: also what is kept from the server, such as the password of a first superuser."""
        given = dict(environ if environ is not None else {**self.variables.environ, **self._own_words()})
        states = {work.id: work.status for work in self.works}
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
            frozenset(
                each
                for each in {**given, **self.spec.variables}
                if find_contract(self.spec.variables, each) is not None
            ),
            as_root=self.as_root,
            mends=self.mends,
            user_known=self.identity is not None,
        )

    def service_environ(self) -> dict[str, str]:
        """The environment as the service gets it."""
        return {**self.variables.for_service(), **self._own_words()}

    def _own_words(self) -> dict[str, str]:
        return {
            "ORCHESTRATOR_SERVICE": self.spec.service,
            "ORCHESTRATOR_ENV": self.loaded.environment,
            "ORCHESTRATOR_ROLE": self.role,
            "ORCHESTRATOR_DEGRADED": ",".join(self.degraded),
        }

    # The loop

    def settle(self, until: float | None = None) -> bool:
        """Brings every item to a state, whether within the time that is given; raises Interrupted."""
        while True:
            progressed = self._start_what_can()
            if self._done():
                return True
            if until is not None and time.monotonic() >= until:
                return False
            if not progressed:
                self.wait(until)

    def _done(self) -> bool:
        return all(work.settled for work in self.works if work.phase < LAUNCH) and self.importing.settled()

    def _start_what_can(self) -> bool:
        progressed = self.root_work.finish_if_due()
        order = self.order
        settled = order.mask(name for name, work in self.by_id.items() if work.settled) if order else 0
        for work in self.works:
            if work.status == Status.UNKNOWN and work.phase < LAUNCH and self._may_start(work, settled):
                progressed = True
                self._begin(work)
                if work.settled and order is not None:
                    settled |= order.mask([work.id])
        return self.importing.start_if_due() or progressed

    def _may_start(self, work: Work, settled: int) -> bool:
        """Whether everything that orders it is settled; marks it blocked when something it needs is not well."""
        if self.root_work.holds_back(work):
            return False
        for need in work.needs:
            other = self.by_id.get(need)
            if other is None or other.good:
                continue
            if not other.settled:
                return False
            self.block(work, other.id)
            return True
        variable = self.variables.unknown_in(work.path)
        if variable:
            self._without(work, variable)
            return True
        if work.before & ~settled:
            return False
        return work.phase != STEP or self._step_allowed(work)

    def _step_allowed(self, work: Work) -> bool:
        """Steps run one by one, and none once something failed for good: a migration is no diagnosis."""
        for other in self.works:
            if other.status in (Status.FAILED, Status.BLOCKED) and other is not work:
                self.block(work, other.id if other.status == Status.FAILED else other.blocked_by)
                return True
        return self.stepping.free

    def _without(self, work: Work, variable: str) -> None:
        """Written with a variable that has no value it could have: blocked by it, or let go as the variable was."""
        known = self.by_id.get(f"variable:{variable}")
        if known is None or not known.good:
            self.block(work, f"variable:{variable}")
        elif work.id == "port":
            self.conclude(work, no_value(variable))
        else:
            self.skip(work, f"`{variable}` has no usable value, and the service goes on without it")

    def _begin(self, work: Work) -> None:
        if work.settled:
            return
        self._enter(work.phase)
        if not work.attempts:  # else it is checked again, and its time is that of all attempts
            work.started = self.stream.now()
        self.asking.ask(work)

    def go_on(self, work: Work) -> None:
        """Tries an item to which its condition applies."""
        if missing := self.variables.missing_in(work.path):
            self.conclude(work, no_value(missing))
        elif work.phase == STEP:
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
        if work.kind == "variable":
            outcome = self.variables.judge(work)
        else:
            outcome = work.item.attempt(self.context(timeout=self._timeout(work)))
        if not self.root_work.leaves_to_user(work, outcome):
            self.conclude(work, outcome)

    def _in_a_lane(self, work: Work) -> None:
        work.status = Status.WAITING
        defaults = self.spec.defaults
        policy = backoff.policy(work.item.retry, defaults.retry if defaults else None)
        deadline = None if self.alone else work.item.deadline
        if deadline is None and work.kind == "wait" and not self.alone:
            deadline = defaults.deadline if defaults and defaults.deadline is not None else WAIT_DEADLINE
        self.stream.begun(work.id, "waiting" if work.kind == "wait" else "checking", deadline)
        self.lanes.start(work, self.context(timeout=self._timeout(work)), policy, deadline)

    def _timeout(self, work: Work) -> float:
        return float(work.item.timeout) if work.item.timeout is not None else self.default_timeout

    @property
    def default_timeout(self) -> float:
        defaults = self.spec.defaults
        return defaults.timeout if defaults and defaults.timeout is not None else TIMEOUT

    def wait(self, until: float | None = None) -> None:
        """Waits for something to happen, at most until a time (`time.monotonic`), and takes note of it."""
        poll = select.poll()
        sources: list[_Source] = [
            self.notes, self.lanes, *self.asking.sources(), *self.importing.sources(), *self.stepping.sources(),
        ]  # fmt: skip
        for source in sources:
            poll.register(source.fileno(), select.POLLIN)
        later = time.monotonic() + PATIENCE / 2 if self.reaper.waiting else None
        sooner = (until, later, self.importing.due(), self.stepping.due(), self.rechecking.due())
        dues = [due for due in sooner if due is not None]
        poll.poll(max(0, int((min(dues) - time.monotonic()) * 1000) + 1) if dues else None)
        self.take_notes()
        for attempt in self.lanes.take():
            self._heard(attempt)
        self.asking.hear()
        self.importing.hear()
        self.stepping.hear()
        self.rechecking.begin()

    def pause(self, until: float) -> None:
        """Lets the time pass (to a `time.monotonic`) while everything is heard."""
        while time.monotonic() < until:
            self.wait(until)

    def take_notes(self) -> None:
        """Signals: a request to stop ends the start; the end of a stranger is collected."""
        taken = self.notes.take()
        for number in taken:
            if number in STOPS and not self._asked_to_stop.again(number, time.monotonic()):
                raise Interrupted(number)
        if os.getpid() == 1 or self.root_work.adopts or (self.memory and not self.alone):
            self.reaper.reap()  # without being PID 1: what the supervisor has adopted that this process was
        if CHILD in taken:
            self.child_ended()

    def _is_ours(self, pid: int) -> bool:
        """Whether somebody here waits for this process; what a thread has started is collected by it at once."""
        preloaded = self.importing.preloaded
        server = self.server.pid if self.server is not None else 0
        return pid in (
            self.importing.pid,
            self.stepping.pid,
            self.maintenance_pid,
            self.operating.pid,
            server,
            preloaded.pid if preloaded else 0,
        )

    def _heard(self, attempt: Any) -> None:
        work = attempt.work
        if attempt.lane != work.lane:
            return  # it was given up
        work.attempts += 1
        if attempt.bug:
            raise InternalError(attempt.bug)
        if self.rechecking.takes(attempt):
            return
        if attempt.last:
            if attempt.work.status == Status.WAITING:
                self.conclude(work, attempt.outcome)
            return
        work.result = attempt.outcome
        first = work.attempts == 1
        self.stream.emit(
            events.WAITING, attempt.outcome.summary, level="info" if first else "debug", item=work.id,
            attempt=work.attempts, reason=attempt.outcome.reason,
        )  # fmt: skip

    # Conclusions

    def conclude(self, work: Work, outcome: Outcome) -> None:
        """An attempt's outcome: a status, or the next fallback action."""
        verdict.conclude(self, work, outcome)

    def take_back(self, work: Work, outcome: Outcome) -> None:
        """It was let go and cannot be: it has failed."""
        verdict.take_back(self, work, outcome)

    def actions(self, work: Work) -> list[Action]:
        """What is to be done for an item when it fails."""
        return verdict.actions(self, work)

    def settle_as(self, work: Work, status: Status, message: str = "") -> None:
        """The item has come to a status by what it is, not by an attempt."""
        verdict.settle_as(self, work, status, message)

    def bug(self, details: str) -> None:
        """Something broke that is nobody's fault but ours."""
        raise InternalError(details)

    def skip(self, work: Work, why: str) -> None:
        verdict.skip(self, work, why)

    def block(self, work: Work, by: str) -> None:
        verdict.block(self, work, by)

    def retry(self, work: Work) -> None:
        """Tries an item again after a remedy."""
        work.status = Status.WAITING
        if missing := self.variables.missing_in(work.path):
            self.conclude(work, no_value(missing))
        elif work.phase == STEP:
            self.stepping.begin(work)
        elif work.phase == HEALTH and self.alone:
            self._in_a_lane(work)
        elif work.phase == HEALTH and work.remedied == "run":
            return  # asked again while the server lives
        elif work.phase in (LAUNCH, HEALTH):
            work.status = Status.UNKNOWN
            self.importing.discard()
            self.importing.begin_again()
        elif work.phase == IMPORT and self.importing.takes(work):
            self.importing.outdated(f"{work.id} was remedied")
        elif work.phase in (WAIT, CHECK) or work.item.deadline is not None:
            self._in_a_lane(work)
        else:
            self._at_once(work)

    @property
    def failures(self) -> list[Work]:
        return [work for work in self.works if work.status == Status.FAILED]

    @property
    def stopping(self) -> list[Work]:
        """What failed for good and has nothing served in its place."""
        return [work for work in self.failures if work.serve is None]

    def end_server(self) -> bool:
        """Ends the server if it runs, within its grace; whether it had not to be forced. Its socket refuses from now on."""
        server, self.server = self.server, None
        if server is None:
            return True
        self._ending = server
        number = self.spec.launch.stop_signal if self.spec.launch is not None else "SIGTERM"
        until = time.monotonic() + self.server_grace
        gently = launch_plan.end_gently(server, getattr(signal, number), until, self.take_notes)
        if self.listener is not None and not self.maintenance_pid:
            launch_plan.refuse(self.listener)
        return gently

    def kill_server(self) -> None:
        """The server that is being ended has no more time."""
        if self._ending is not None:
            self._ending.end()

    def close(self) -> None:
        """Ends what still runs."""
        self.lanes.abandon()
        self.importing.discard()
        self.stepping.kill()
        self.operating.end()
        if self.server is not None:
            self.server.end()


def no_value(variable: str) -> Outcome:
    """What the launch comes to when a variable was let go that it is written with."""
    return failed(
        "ORC401",
        "missing",
        f"it is written with `{variable}`, which has no usable value",
        f"set {variable}, or give it a default",
        final=True,
    )
