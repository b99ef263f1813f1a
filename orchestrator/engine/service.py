"""The main job from end to end: settle all items, launch, prove health, hand over to the supervisor; or maintain, or end.

Every way out of here has an exit code of the contract and a last word.
"""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING, Any

from orchestrator.engine import events, launching
from orchestrator.engine.backoff import Policy, delay
from orchestrator.engine.outcome import Outcome, Status, failed, ok
from orchestrator.engine.report import FORCED, Report, exit_code
from orchestrator.engine.run import Interrupted, Start, flat
from orchestrator.engine.work import HEALTH, LAUNCH, STEP, Work
from orchestrator.status.state import Probe, StateDirectory

if TYPE_CHECKING:
    from orchestrator.launch.importer import Importer
    from orchestrator.launch.plan import LaunchPlan

MAINTENANCE_RETRY = Policy(initial=1.0, factor=2.0, max=30.0, jitter="none")
RESTART_DELAY = Policy(initial=0.5, factor=2.0, max=30.0, jitter="none")
TERMINATION_LOG = "/dev/termination-log"


class Service:
    """One run of one service, up to the hand-over."""

    def __init__(self, start: Start, report: Report, state: StateDirectory | None) -> None:
        self.start = start
        self.report = report
        self.state = state
        self.server: Importer | None = None
        self.plan: LaunchPlan | None = None
        self._maintenance: Any = None
        self._endpoints: tuple[Any, ...] = ()

    @property
    def stream(self) -> events.Stream:
        return self.start.stream

    # From end to end

    def run(self) -> int:
        """Returns the exit code, unless the supervisor or the server takes this process's place."""
        try:
            self.start.prepare()
            self._warn_of_loopback()
            self.tell("starting")
            self.start.settle()
            while True:
                verdict = self._verdict()
                if verdict is not None:
                    return self._ended("failed", verdict)
                if self._serving_maintenance():
                    self._maintain()
                    continue
                if self.start.spec.launch is None:
                    return self._ended("stopped", 0)
                if self._launch():
                    self._hand_over()
        except Interrupted as stop:
            code = 128 + stop.number if self._end_children() else FORCED
            return self._ended("stopped", code, interrupted=stop.number)

    def _warn_of_loopback(self) -> None:
        launch = self.start.spec.launch
        if launching.loopback(launch) and launching.in_container(self.start.environ):
            assert launch is not None
            self.stream.emit(
                events.NOTE, f"the server listens on {launch.host} alone: nobody outside this container can reach it", level="warning",
                item="launch", code="ORC705", hint="write `host: 0.0.0.0` under `launch`",
            )  # fmt: skip

    def _verdict(self) -> int | None:
        """The exit code when something that failed says so; None to go on, or to maintain."""
        stops = [work for work in self.start.failures if work.serve is None]
        if not stops:
            return None
        said = next((work.exit_code for work in stops if work.exit_code is not None), None)
        if said is not None:
            return said
        return exit_code([(work.kind, work.outcome.reason if work.outcome else "") for work in stops])

    def _ended(self, status: str, code: int, *, interrupted: int = 0) -> int:
        message = f"stopped by signal {interrupted} before it was ready" if interrupted else ""
        self.tell(status, reason=message)
        self.stream.emit(events.FINISHED, message, level="error" if code else "info", exit_code=code)
        self._write_report()
        self._end_maintenance()
        self.start.close()
        return code

    def _end_children(self) -> bool:
        """Ends the server and a running step; whether none of them had to be forced."""
        self._drop_server()
        return not self.start.stepping.stop() or self._step_ends()

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
        self.stream.emit(events.SERVICE, reason, status=status, level="debug")
        if self.state is None:
            return
        start = self.start
        self.state.write_state({
            "service": start.spec.service, "environment": start.loaded.environment, "role": start.role, "pid": os.getpid(),
            "status": status, "reason": self.stream.secrets.masked(reason), "degraded": list(start.degraded),
            "started_at": self.report.started_at,
        })  # fmt: skip
        self.state.write_probe(
            Probe(status, os.getpid(), self._endpoints, self.stream.secrets.masked(reason))
        )

    def _write_report(self) -> None:
        if self.state is not None:
            self.state.write_report(self.stream.secrets.clean(self.report.record()))

    # Launch and health

    def _launch(self) -> bool:
        """Whether the server serves and is well; else what to do instead has been decided and noted."""
        start = self.start
        importer = self._imported()
        if importer is None:
            return False
        launch = start.spec.launch
        assert launch is not None
        if launch.mode == "exec":
            self._exec(importer)
        self.stream.emit(events.PHASE, phase="launch", level="debug")
        self.server = importer
        assert self.plan is not None
        self._endpoints = launching.probe_endpoints(start, self.plan)
        self.tell("starting")
        importer.go({"ORCHESTRATOR_DEGRADED": ",".join(start.degraded)})
        work = start.by_id.get("launch") or Work(
            "launch",
            launching.Synthetic("launch", on_failure=launch.on_failure),
            ("launch",),
            start.loaded.place(("launch",)),
            LAUNCH,
        )
        if work not in start.works:
            start.works.append(work)
            start.by_id[work.id] = work
        work.started = self.stream.now()
        outcome = self._until_serving(importer)
        if outcome.ok:
            start.conclude(work, outcome)
            return self._prove_health()
        self._drop_server()
        self._after_launch_failed(work, outcome)
        return False

    def _imported(self) -> Importer | None:
        """The process that has imported everything in the environment that the server is to have."""
        start = self.start
        importing = start.importing
        if (
            start.spec.launch is not None
            and start.spec.launch.command is not None
            and importing.importer is None
        ):
            from orchestrator.launch import importer as importers

            self.plan = launching.plan_of(start, [])
            return importers.start(self.plan, None, fork=False)
        if importing.environ.get("ORCHESTRATOR_DEGRADED", "") != ",".join(start.degraded):
            importing.outdated("the degraded features changed")
            start.settle()
        if importing.importer is None:
            return None
        self.plan = launching.plan_of(start, importing.imported_modules())
        return importing.release()

    def _until_serving(self, importer: Importer) -> Outcome:
        """Waits for the server's word that it serves; a command's word is that it was executed."""
        health = self.start.spec.health
        limit = (
            health.deadline
            if health is not None and health.deadline is not None
            else launching.HEALTH_DEADLINE
        )
        due = time.monotonic() + limit
        said = ""
        while not importer.serving:
            for event in self._events(importer, due):
                if event["event"] == "failed":
                    said = event.get("message", "")
                elif event["event"] == "ended":
                    return _did_not_boot(event["code"], said)
            if time.monotonic() >= due:
                return failed(
                    "ORC703",
                    "timeout",
                    f"the server did not serve within {limit:g} s",
                    "raise `health.deadline`, or see what its start waits for",
                )
        took = (self.stream.now() - self.start.by_id["launch"].started) / 1000
        return ok(
            f"{self.start.spec.launch.command[0] if self.start.spec.launch.command else self.start.spec.launch.server} serves {self._where()} after {took:.1f} s"
        )

    def _where(self) -> str:
        assert self.plan is not None
        if self.plan.unix:
            return f"on {self.plan.unix}"
        return f"on {self.plan.host}:{self.plan.port}" if self.plan.port else ""

    def _events(self, importer: Importer, due: float) -> list[dict[str, Any]]:
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
        works = launching.health_works(start, self.plan)
        self.stream.emit(events.PHASE, phase="health", level="debug")
        start.works = [work for work in start.works if work.phase != HEALTH] + works
        start.by_id.update({work.id: work for work in works})
        for work in works:
            outcome = self._ask_until_well(work)
            if outcome.ok:
                start.conclude(work, outcome)
                continue
            self._drop_server()
            self._after_launch_failed(work, outcome)
            return False
        return True

    def _ask_until_well(self, work: Work) -> Outcome:
        start, server = self.start, self.server
        assert server is not None
        work.started, work.status = self.stream.now(), Status.WAITING
        policy = Policy(initial=0.02, factor=1.5, max=1.0)
        start.lanes.start(work, start.context(timeout=work.item.timeout), policy, work.item.deadline)
        last: Outcome | None = None
        while True:
            ended = self._ended_while_asked(server)
            if ended is not None:
                return ended
            for attempt in start.lanes.take():
                if attempt.work is not work or attempt.outcome is None:
                    continue
                work.attempts += 1
                last = attempt.outcome
                if attempt.last:
                    return last if last.ok else _never_ready(work, last)

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
                return _did_not_boot(event["code"], "")
        return None

    def _drop_server(self) -> None:
        if self.server is not None:
            self.server.end()
            self.server = None

    def _after_launch_failed(self, work: Work, outcome: Outcome) -> None:
        """The actions behind a launch or a health endpoint: restart, another app, maintenance, the end."""
        start = self.start
        work.outcome = outcome
        health = start.spec.health
        given = work.item.on_failure
        if work.phase == HEALTH and health is not None:
            given = health.on_failure
        actions = flat(
            given if given is not None else start.spec.on_failure or (), start.spec.fallbacks or {}
        )
        while work.tried < len(actions):
            action: Any = actions[work.tried]
            if action.word == "restart":
                done = work.attempts_of_actions.get(work.tried, 0)
                if done < action.times:
                    work.attempts_of_actions[work.tried] = done + 1
                    self._restart(work, action, done + 1)
                    return
            elif action.word in ("serve", "stop", "use", "set", "run") and action.word != "use":
                from orchestrator.engine import remedies

                work.tried += 1
                if remedies.act(start, work, action) and work.status is Status.FAILED:
                    return
                continue
            work.tried += 1
        start.settle_as(work, Status.FAILED)

    def _restart(self, work: Work, action: Any, number: int) -> None:
        pause = delay(RESTART_DELAY, number, 1.0)
        self.stream.emit(events.FALLBACK, f"restart {number} of {action.times} in {pause:g} s: {work.outcome.summary if work.outcome else ''}",
                         level="warning", item=work.id, action="restart")  # fmt: skip
        until = time.monotonic() + pause
        while time.monotonic() < until:
            self.start.wait(until)
        self.start.importing.discard()
        self.start.importing.begin_again()
        self.start.settle()

    # Hand-over

    def _hand_over(self) -> None:
        """The verdict is told and written, maintenance ends, and the small supervisor takes this process."""
        from orchestrator.launch import supervisor

        start, server, plan = self.start, self.server, self.plan
        assert server is not None
        assert plan is not None
        status = "degraded" if start.degraded else "ready"
        self._end_maintenance()
        self.tell(status, reason=", ".join(start.degraded))
        self.stream.emit(events.FINISHED, "", exit_code=None)
        self._write_report()
        plan.environ["ORCHESTRATOR_DEGRADED"] = ",".join(start.degraded)
        server.close()
        start.lanes.abandon()
        supervisor.become(
            plan,
            listener=start.listener,
            server_pid=server.pid,
            notes=start.notes,
            maintenance=self._maintenance_config(),
            status=status,
        )

    def _exec(self, importer: Importer) -> None:
        """`mode: exec`: the imports were proven in a process of their own; now the server takes this one."""
        from orchestrator.launch import hand_over

        assert self.plan is not None
        importer.end()
        self.stream.emit(
            events.NOTE,
            "mode exec: no restart, no watch, no maintenance after this point",
            level="info",
            item="launch",
        )
        self._endpoints = launching.probe_endpoints(self.start, self.plan)
        self._end_maintenance()
        self.tell("degraded" if self.start.degraded else "ready")
        self.stream.emit(events.FINISHED, "", exit_code=None)
        self._write_report()
        self.start.lanes.abandon()
        self.start.notes.restore()
        hand_over.exec_server(self.plan, self.start.listener)

    # Maintenance

    def _serving_maintenance(self) -> Any:
        """The action that decided to serve something else, if one did."""
        return next((work.serve for work in self.start.failures if work.serve is not None), None)

    def _maintenance_config(self) -> Any:
        from orchestrator.status.maintenance import Config

        health = self.start.spec.health
        paths = {name: one.path or "" for name, one in health.named()} if health is not None else {}
        return Config(
            service=self.start.spec.service, live=paths.get("live", ""), ready=paths.get("ready", "")
        )

    def _maintain(self) -> None:
        """Serves maintenance and tries again, with growing pauses, what failed; returns when all holds or its time is over."""
        action = self._serving_maintenance()
        began, attempt = time.monotonic(), 0
        self._begin_maintenance()
        reasons = "; ".join(
            f"{work.id}: {work.outcome.summary}" for work in self.start.failures if work.outcome
        )
        self.tell("maintenance", reason=reasons)
        self._write_report()
        while self._serving_maintenance() is not None:
            attempt += 1
            until = time.monotonic() + delay(MAINTENANCE_RETRY, attempt, 1.0)
            if action.for_ is not None and until - began > action.for_:
                self._give_up_maintenance(action)
                return
            while time.monotonic() < until:
                self.start.wait(until)
            self._try_again()
        self.tell("starting", reason="everything holds again")

    def _try_again(self) -> None:
        """What failed and what was blocked by it; a step that was tried only if it can say that it is done."""
        start = self.start
        for work in start.works:
            if work.status not in (Status.FAILED, Status.BLOCKED):
                continue
            if (
                work.phase == STEP
                and work.attempts
                and work.item.unless is None
                and work.item.creates is None
            ):
                continue
            work.reset()
        start.importing.discard()
        start.importing.begin_again()
        start.settle()

    def _give_up_maintenance(self, action: Any) -> None:
        """Its time is over: the actions behind it follow."""
        for work in self.start.failures:
            if work.serve is action:
                work.serve = None
                outcome = work.outcome
                assert outcome is not None
                self.start.conclude(work, outcome)

    def _begin_maintenance(self) -> None:
        """A process of its own on the service's socket: standard library only, because anything else may be what is missing."""
        if self._maintenance is not None or self.start.listener is None:
            return
        import subprocess

        from orchestrator.status import maintenance

        reader, writer = os.pipe()
        listener = self.start.listener.fileno()
        argv = maintenance.command(listener, self._maintenance_config(), reader)
        process = subprocess.Popen(
            argv, pass_fds=(listener, reader), close_fds=True, env={"PATH": os.environ.get("PATH", "")}
        )
        os.close(reader)
        self.start.maintenance_pid = process.pid
        self._maintenance = (process, writer)

    def _end_maintenance(self) -> None:
        if self._maintenance is None:
            return
        process, writer = self._maintenance
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        os.close(writer)
        process.wait()
        self._maintenance = None
        self.start.maintenance_pid = 0


def _did_not_boot(code: int, said: str) -> Outcome:
    ended = f"was ended by signal {-code}" if code < 0 else f"ended with {code}"
    more = f": {said}" if said else ""
    return failed(
        "ORC701",
        "boot",
        f"the server {ended} before it was ready{more}",
        "what it printed is above",
        final=True,
        exit_code=code,
    )


def _never_ready(work: Work, last: Outcome) -> Outcome:
    return failed("ORC703", last.reason, f"not well within {work.item.deadline:g} s: {last.summary}", last.hint or "ask it yourself from inside the container",
                  details=last.details)  # fmt: skip


def last_words(report: Report, code: int) -> dict[str, str]:
    """The verdict, the cause and the hint: for the log, and for who reads the termination log."""
    first = next(iter(report.failed), None)
    cause = f"{first['id']}: {first['summary']}" if first else ""
    return {
        "verdict": f"{report.service} did not start (exit {code})" if code else "",
        "cause": cause,
        "hint": first["hint"] if first else "",
    }
