"""The main job from end to end: settle all items, launch, prove health, hand over to the supervisor; or maintain, or end.

Every way out of here has an exit code of the contract and a last word.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from orchestrator.core.backoff import Policy
from orchestrator.core.exit_status import ending, named
from orchestrator.core.outcome import Outcome, Status, failed, ok
from orchestrator.core.verdict import exit_code
from orchestrator.engine import events, health_checks, launch_plan, resume
from orchestrator.engine.exceptions import InternalError, Interrupted
from orchestrator.engine.maintenance import Maintaining
from orchestrator.engine.report import FORCED, Report
from orchestrator.engine.root_work import NO_TIME
from orchestrator.engine.run import Start, no_value
from orchestrator.status.state import Probe, StateDirectory
from orchestrator.system import container

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.engine.item import Work
    from orchestrator.launch.app_handle import Importer
    from orchestrator.launch.plan import LaunchPlan

ASKING = Policy(initial=0.02, factor=1.5, max=1.0)
TOLD = {"ready": "info", "degraded": "warning", "maintenance": "warning"}
"""How loud a state of the service is in a log of JSON lines; how a start ended, its last words say."""
FOREVER = 4102444800.0
"""A verdict that nobody renews: who does not watch asks a command once."""


class Service:
    """One run of one service, up to the hand-over."""

    def __init__(
        self,
        start: Start,
        report: Report,
        orders: Mapping[str, Any] | None = None,
    ) -> None:
        self.orders: Mapping[str, Any] = orders or {}
        """What the supervisor that this process was said, where there was one: the service has been ready before."""
        self.restarts: Mapping[str, Any] = self.orders.get("restarts", {})
        self.start = start
        self.report = report
        self.state: StateDirectory | None = None
        """Where the service's state is kept, once the engine is the service's user."""
        self._told: tuple[str, str] | None = None
        self.plan: LaunchPlan | None = None
        self.maintaining = Maintaining(self)
        start.stream.listeners += [self.maintaining.begin_early, self._keep_features]
        self._endpoints: tuple[Any, ...] = ()

    @property
    def stream(self) -> events.Stream:
        return self.start.stream

    # From end to end

    def run(self) -> int:
        """Returns the exit code, unless the supervisor or the server takes this process's place."""
        try:
            if self.orders:
                resume.take_up(self, self.orders)
            else:
                self.start.prepare()
                self._warn_of_loopback()
                self.tell("starting")
                self.start.root_work.when_done(self.start.operating.begin)
            return self._until_the_end()
        except Interrupted as stop:
            gently = self._end_children()
            return self._ended("stopped", self._code_of(stop, gently=gently), interrupted=stop.number)

    def _code_of(self, stop: Interrupted, *, gently: bool) -> int:
        """A service that was ready once has been stopped as asked; a start has been interrupted."""
        if not gently:
            return FORCED
        return 0 if self.orders else 128 + stop.number

    def _until_the_end(self) -> int:
        start = self.start
        while True:
            start.settle()
            if start.stopping:
                return self._failed(start.stopping)
            if self.maintaining.action is not None:
                self.maintaining.until_well()
            elif start.spec.launch is None:
                return self._ended("stopped", 0)
            elif not self._launch_is_known():
                continue
            elif self._launch():
                self._hand_over()

    def _launch_is_known(self) -> bool:
        """Whether every variable has a value that the launch and its health are written with."""
        start = self.start
        asked = (start.variables.unknown_in, start.variables.missing_in)
        name = next((found for ask in asked for part in ("launch", "health") if (found := ask((part,)))), "")
        if name:
            start.conclude(start.by_id["launch"], no_value(name))
        return not name

    def _warn_of_loopback(self) -> None:
        launch = self.start.spec.launch
        if launch_plan.loopback(launch) and container.place(self.start.variables.environ):
            assert launch is not None
            self.stream.emit(
                events.NOTE, f"the server listens on {launch.host} alone: nobody outside this container can reach it", level="warning",
                item="launch", code="ORC705", hint="write `host: 0.0.0.0` under `launch`",
            )  # fmt: skip

    def _failed(self, works: list[Work]) -> int:
        """Something that failed for good says so."""
        launch = self.start.by_id.get("launch")
        if launch is not None and not launch.settled:
            self.start.block(launch, works[0].id)
        said = next((work.exit_code for work in works if work.exit_code is not None), None)
        if said is None:  # what the server itself said weighs more than that it has ended
            said = next(
                (code for work in works if work.result and (code := work.result.data.get("server_code"))),
                None,
            )
        code = exit_code([work.blame for work in works])
        return self._ended("failed", code if said is None else said)

    def _ended(self, status: str, code: int, *, interrupted: int = 0) -> int:
        again = "again" if self.orders else ""
        message = (
            f"stopped by {named(interrupted)} before it was ready {again}".rstrip() if interrupted else ""
        )
        self.start.root_work.finish(NO_TIME)  # what is written from here on is the service's
        self.tell(status, reason=message)
        self.stream.emit(events.FINISHED, message, level="error" if code else "info", exit_code=code)
        self.write_report()
        self.maintaining.end()
        self.start.close()
        return code

    def _end_children(self) -> bool:
        """Ends the server and a running step; whether none of them had to be forced."""
        gently = self._end_server()
        return (not self.start.stepping.stop() or self._step_ends()) and gently

    def _end_server(self) -> bool:
        """A server that was interrupted has its grace; a second request ends it at once."""
        try:
            return self.start.end_server()
        except Interrupted:
            self.start.kill_server()
            return False

    def _step_ends(self) -> bool:
        """A step that is interrupted has its grace; a second request ends it at once."""
        stepping = self.start.stepping
        while not stepping.free:
            try:
                self.start.wait()
            except Interrupted:
                stepping.kill()
                return False
        return not stepping.forced

    # What is known outside

    def tell(self, status: str, *, reason: str = "") -> None:
        """The service's state: to the listeners, and to the state directory."""
        self.stream.emit(events.SERVICE, reason, status=status, level=TOLD.get(status, "debug"))
        self._told = (status, reason)
        self._write_state(status, reason)

    def keep_state(self, state: StateDirectory) -> None:
        """From now on the state is kept there; what was said already as well."""
        self.state = state
        if self._told is not None:
            self._write_state(*self._told)

    def _write_state(self, status: str, reason: str) -> None:
        if self.state is None:
            return
        start = self.start
        self.state.write_state({
            "service": start.spec.service, "environment": start.loaded.environment, "role": start.role, "pid": os.getpid(),
            "status": status, "reason": self.stream.secrets.masked(reason), "degraded": list(start.degraded),
            "started_at": self.report.started_at, "features": list(self.report.features.values()),
        })  # fmt: skip
        self.state.write_probe(
            Probe(status, os.getpid(), self._endpoints, self.stream.secrets.masked(reason))
        )

    def _keep_features(self, event: events.Event) -> None:
        """Hears events: what went off or came back between two states is known at once."""
        if event.name == events.FEATURE and self.state is not None:
            self.state.set_degraded(self.start.degraded)

    def write_report(self) -> None:
        if self.state is not None:
            self.state.write_report(self.stream.secrets.clean(self.report.record()))

    # Launch and health

    def _launch(self) -> bool:
        """Whether the server serves and is well; else what to do instead has been decided and noted."""
        start = self.start
        importer = self._imported()
        if importer is None:
            return False
        assert start.spec.launch is not None
        if start.spec.launch.mode == "exec":
            self._exec(importer)
        self.stream.emit(events.PHASE, phase="launch", level="debug")
        assert self.plan is not None
        self._endpoints = health_checks.probe_endpoints(start, self.plan)
        work = start.by_id["launch"]
        work.started, work.status = self.stream.now(), Status.WAITING
        work.attempts += 1
        start.server, start.server_grace = importer, self.plan.grace
        alone = launch_plan.binds_itself(start.spec.launch)
        if alone:
            self.maintaining.give_way()
        start.launched_at = time.time()
        self.stream.begun(work.id, "starting", health_checks.health_deadline(start))
        importer.go({"ORCHESTRATOR_DEGRADED": ",".join(start.degraded)})
        outcome = self._until_serving(importer)
        if outcome.ok or alone:
            self.maintaining.end()
        if not outcome.ok:
            start.end_server()
        start.conclude(work, outcome)
        return outcome.ok and self._prove_health()

    def _imported(self) -> Importer | None:
        """The process that has imported everything in the environment that the server is to have."""
        start, importing = self.start, self.start.importing
        start.root_work.finish()  # nothing of ours is root after the launch
        if importing.environ.get("ORCHESTRATOR_DEGRADED", "") != ",".join(start.degraded):
            importing.outdated("the degraded features changed")
            start.settle()
        if importing.importer is None or start.failures:
            return None
        self.plan = launch_plan.plan_of(start, importing.imported_modules())
        return importing.release()

    def _until_serving(self, importer: Importer) -> Outcome:
        """Waits for the server's word that it serves; a command's word is that it was executed."""
        limit = health_checks.health_deadline(self.start)
        due = time.monotonic() + limit
        said: dict[str, Any] = {}
        while not importer.serving:
            for event in self.events_of(importer, due):
                if event["event"] == "failed":
                    said = event
                elif event["event"] == "workers":
                    self._tell_workers(event)
                elif event["event"] == "ended":
                    return _did_not_boot(event["code"], said)
            if time.monotonic() >= due:
                return failed("ORC703", "timeout", f"the server did not serve within {limit:g} s", "raise `health.deadline`, or see what its start waits for")  # fmt: skip
        took = (self.stream.now() - self.start.by_id["launch"].started) / 1000
        launch = self.start.spec.launch
        assert launch is not None
        if launch.command:
            return ok(f"`{launch.command[0]}` runs")
        if importer.executed:
            return ok(f"{launch.server} runs")
        return ok(f"{launch.server} serves {self._where()} after {took:.1f} s")

    def _tell_workers(self, event: Mapping[str, Any]) -> None:
        """How they come to have the app, and why not by sharing it."""
        shared = "forked from the process that has imported the app"
        how = shared if event["form"] == "fork" else f"each imports for itself: {event['why']}"
        self.stream.emit(events.NOTE, f"{event['count']} workers, {how}", item="launch")

    def _where(self) -> str:
        assert self.plan is not None
        if self.plan.unix:
            return f"on {self.plan.unix}"
        host = f"[{self.plan.host}]" if ":" in self.plan.host else self.plan.host
        return f"on {host}:{self.plan.port}" if self.plan.port else ""

    def events_of(self, importer: Importer, due: float) -> list[dict[str, Any]]:
        """What a process tells, or nothing when the time is over; signals are heard meanwhile."""
        import select

        poll = select.poll()
        poll.register(importer.fileno(), select.POLLIN)
        poll.register(self.start.notes.fileno(), select.POLLIN)
        poll.poll(max(0, int((due - time.monotonic()) * 1000) + 1))
        self.start.take_notes()
        return importer.read_events()

    def _prove_health(self) -> bool:
        """Every declared endpoint, while the server lives."""
        start = self.start
        assert self.plan is not None
        works = health_checks.health_works(start, self.plan)
        if works:
            self.stream.emit(events.PHASE, phase="health", level="debug")
        for work in works:
            if not self._is_well(work):
                start.end_server()
                return False
        return True

    def _is_well(self, work: Work) -> bool:
        """Asks, and does what is said for a failure; what keeps the server (`warn`, a command that mended it) goes on."""
        server = self.start.server
        assert server is not None
        work.status = Status.UNKNOWN
        while True:
            work.started = work.started or self.stream.now()
            gone = server.code is not None
            outcome = _did_not_boot(server.code or 0, {}) if gone else self._ask_until_well(work)
            self.start.lanes.give_up(work)
            # Going on all the same needs a server to go on with.
            work.essential = server.code is not None
            self.start.conclude(work, outcome)
            if work.good and server.code is not None:
                continue
            if work.status != Status.WAITING:
                return work.good
            if server.code is not None:
                work.status = Status.UNKNOWN
                self.start.importing.begin_again()
                return False

    def _ask_until_well(self, work: Work) -> Outcome:
        start, server = self.start, self.start.server
        assert server is not None
        work.status = Status.WAITING
        spent = (self.stream.now() - start.by_id["launch"].started) / 1000
        left = max(work.item.deadline - spent, work.item.timeout)
        self.stream.begun(work.id, "starting", work.item.deadline, spent=spent)
        start.lanes.start(work, start.context(timeout=work.item.timeout), ASKING, left)
        while True:
            ended = self._ended_while_asked(server)
            if ended is not None:
                return ended
            for attempt in start.lanes.take():
                if attempt.bug:
                    raise InternalError(attempt.bug)
                if attempt.lane != work.lane or attempt.outcome is None:
                    continue
                work.attempts += 1
                if attempt.last:
                    return (
                        attempt.outcome
                        if attempt.outcome.ok
                        else health_checks.never_ready(work.item, attempt.outcome)
                    )
                self.stream.emit(
                    events.WAITING, attempt.outcome.summary, level="debug", item=work.id, attempt=work.attempts,
                    reason=attempt.outcome.reason,
                )  # fmt: skip

    def _ended_while_asked(self, server: Importer) -> Outcome | None:
        import select

        poll = select.poll()
        for source in (server, self.start.notes, self.start.lanes):
            if source.fileno() >= 0:
                poll.register(source.fileno(), select.POLLIN)
        poll.poll(1000)
        self.start.take_notes()
        for event in server.read_events():
            if event["event"] == "ended":
                return _did_not_boot(event["code"], {})
        return None

    # Hand-over

    def _hand_over(self) -> None:
        """The verdict is told and written, and the small supervisor takes this process."""
        from orchestrator.supervisor import supervisor

        start, server, plan = self.start, self.start.server, self.plan
        assert server is not None
        assert plan is not None
        status = "degraded" if start.degraded else "ready"
        self.tell(status, reason=", ".join(start.degraded))
        self._tell_verdicts()
        self.stream.emit(events.FINISHED, "", exit_code=None)
        self.write_report()
        plan.environ["ORCHESTRATOR_DEGRADED"] = ",".join(start.degraded)
        server.close()
        start.lanes.abandon()
        supervisor.become(
            plan,
            listener=start.listener,
            server_pid=server.pid,
            notes=start.notes,
            maintenance=self.maintaining.config(),
            status=status,
            returning=resume.left_behind(self, plan),
            operations=start.operating.kept,
        )

    def _tell_verdicts(self) -> None:
        """What the probe cannot ask by itself: a command was asked now, and is not asked again."""
        health = self.start.spec.health
        commands = (
            [name for name, one in health.named() if one.command is not None] if health is not None else []
        )
        for name in commands:
            work = self.start.by_id[f"health:{name}"]
            assert work.result is not None
            if self.state is not None:
                self.state.set_verdict(name, ok=work.result.ok, expires=FOREVER, text=work.result.summary)
            self.stream.emit(
                events.NOTE, "a command is asked at the start alone: `orchestrator health` repeats what it said then", item=work.id,
            )  # fmt: skip

    def _exec(self, importer: Importer) -> None:
        """`mode: exec`: the imports were proven in a process of their own; now the server takes this one."""
        from orchestrator.launch import exec_mode

        assert self.plan is not None
        importer.end()
        self.stream.emit(
            events.NOTE, "mode exec: the server takes this process; no restart, no watch, no maintenance, no state from here on",
            item="launch",
        )  # fmt: skip
        self._endpoints = health_checks.probe_endpoints(self.start, self.plan)
        self.maintaining.end()
        self.tell("degraded" if self.start.degraded else "ready", reason=", ".join(self.start.degraded))
        self.stream.emit(events.FINISHED, "", exit_code=None)
        self.write_report()
        self.start.lanes.abandon()
        self.start.notes.restore()
        exec_mode.exec_server(self.plan, self.start.listener)


def _did_not_boot(code: int, said: dict[str, Any]) -> Outcome:
    how = ending(code)
    kind = f"{said['type']}: " if said.get("type") else ""
    why = said.get("message", "")
    summary = f"the server {how} before it was ready" + (
        f": {kind}{why}" if why and not why.startswith("the server ended") else ""
    )
    return failed("ORC701", "boot", summary, "what it printed is above", details=said.get("traceback", ""), final=True, exit_code=code)  # fmt: skip
