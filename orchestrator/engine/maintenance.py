"""`serve:` while the service cannot: something else answers on its socket until all holds, or its time is over."""

from __future__ import annotations

import contextlib
import math
import os
import select
import signal
import time
from typing import TYPE_CHECKING, Any

from orchestrator.core.backoff import ROUNDS, delay
from orchestrator.core.outcome import Status
from orchestrator.core.phases import CHECK, HEALTH, IMPORT, LAUNCH, WAIT
from orchestrator.engine import events, health_checks, identity, launch_plan
from orchestrator.engine.snapshot import can_be_repeated
from orchestrator.spec.ordering import flat
from orchestrator.system import processes
from orchestrator.system.signals import send

if TYPE_CHECKING:
    import socket
    import subprocess
    from collections.abc import Sequence

    from orchestrator.core.words import Lowered
    from orchestrator.engine.service import Service
    from orchestrator.launch.app_handle import Importer
    from orchestrator.status.maintenance import Config

FAREWELL = 5.0
SETTLED = 1.0
"""Seconds after which what is served instead is no longer beginning."""


class Maintaining:
    """What is served instead of the service, if anything is."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.start = service.start
        self._process: subprocess.Popen[bytes] | Adopted | None = None
        self._lifeline = -1
        self._other: Importer | None = None
        self._own_listener: socket.socket | None = None
        self._rounds: int = service.restarts.get("rounds", 0)
        self._since: dict[tuple[Any, ...], float] = {}
        self._served: Any = None
        """The action of what is served now."""
        self._begun = 0.0
        """When (`time.monotonic`) that was begun; while it begins, never."""
        self.start.child_ended = self._keep

    @property
    def action(self) -> Lowered | None:
        """The action that decided to serve something else, if one did."""
        return next((work.serve for work in self.start.failures if work.serve is not None), None)

    def config(self) -> Config:
        """What maintenance is told at its start."""
        from orchestrator.status.maintenance import Config

        health = self.start.spec.health
        paths = {name: one.path or "" for name, one in health.named()} if health is not None else {}
        config = Config(
            service=self.start.spec.service,
            live=paths.get("live", ""),
            ready=paths.get("ready", ""),
            last=self.start.listener is None,
        )
        action = self.action or self._after_launch()
        if action is not None and action["retry_after"] is not None:
            config.retry_after = math.ceil(action["retry_after"])
        if action is not None and action["message"] is not None:
            config.message = self.start.stream.secrets.masked(action["message"])
        return config

    def _after_launch(self) -> Lowered | None:
        """The action that would serve maintenance for a server that fails later."""
        given = flat(launch_plan.given_after_launch(self.start) or (), self.start.spec.fallbacks or {})
        lowered = (each.lowered() for each in given)
        return next((each for each in lowered if each.get("app") == "maintenance"), None)

    def begin_early(self, event: events.Event) -> None:
        """Hears events: what is decided is served at once, while the rest is still tried, or waited for a minute."""
        port = self.start.by_id.get("port")
        if event.name != events.ITEM or port is None or not port.good or self.start.server is not None:
            return  # nothing new, no address yet, or a server that has it
        action = self.action
        if action is not None and action["app"] == "maintenance":
            self.begin(action)

    def until_well(self) -> None:
        """Serves, and checks again with growing pauses what failed; returns when all holds or the time is over."""
        action, start = self.action, self.start
        assert action is not None
        began = self._since.setdefault(tuple(action.values()), time.monotonic())
        over = None if action["for"] is None else began + action["for"]
        self._tell()
        while self.action is not None and not start.stopping:
            self.begin(action)
            self._rounds += 1
            due = min(time.monotonic() + delay(ROUNDS, self._rounds, 1.0), over or float("inf"))
            self._announce(due, action["retry_after"])
            start.pause(due)
            if over is None or time.monotonic() < over:
                self._check_again(over)
            if over is not None and time.monotonic() >= over:
                self._give_up(action)
                break
        if not start.failures:
            self.service.tell("starting", reason="everything holds again")

    def _announce(self, when: float, always: float | None) -> None:
        """When trying again is worth while. What cannot be told is told in the next round."""
        from orchestrator.status import maintenance

        if self._lifeline >= 0:
            with contextlib.suppress(BlockingIOError, BrokenPipeError):
                os.write(self._lifeline, maintenance.announced(when, always=always or 0.0))

    def _tell(self) -> None:
        failed = [f"{work.id}: {work.result.summary}" for work in self.start.failures if work.result]
        self.service.tell("maintenance", reason="; ".join(failed))
        self.service.write_report()

    def _check_again(self, over: float | None) -> None:
        """What failed and what was blocked by it; a step that was tried only if it can say that it is done."""
        start = self.start
        again = [
            work
            for work in start.works
            if work.status in (Status.FAILED, Status.BLOCKED) and can_be_repeated(work)
        ]
        for work in again:
            work.status, work.remedied = Status.UNKNOWN, ""
        if start.importing.importer is None or any(work.phase in (IMPORT, LAUNCH, HEALTH) for work in again):
            start.importing.discard()
            start.importing.begin_again()
        start.settle(over)

    def _give_up(self, action: Lowered) -> None:
        """Its time is over: the actions behind it follow. A wait is not awaited; a step is not left half done."""
        if any(
            work.status == Status.WAITING and work.phase not in (WAIT, CHECK) for work in self.start.works
        ):
            self.start.settle()
        self._since.pop(tuple(action.values()), None)
        for work in self.start.works:
            if work.serve == action:
                work.serve = None
                self.start.lanes.give_up(work)
                assert work.result is not None
                self.start.conclude(work, work.result)

    # What is served

    def adopt(self, pid: int, lifeline: Sequence[int]) -> None:
        """Maintenance that is served already, by the process that this one was before."""
        for descriptor in lifeline:
            os.set_inheritable(descriptor, False)
        if lifeline:
            os.close(lifeline[0])
        if pid:
            os.set_blocking(lifeline[1], False)
            self._process, self._lifeline, self.start.maintenance_pid = Adopted(pid), lifeline[1], pid
        elif lifeline:
            os.close(lifeline[1])

    def since(self, action: Lowered, when: float) -> None:
        """From when (`time.monotonic`) the time of an action counts, which was there before this engine."""
        self._since[tuple(action.values())] = when

    @property
    def rounds(self) -> int:
        """How often was checked again, since the service was last stable."""
        return self._rounds

    def begin(self, action: Lowered) -> None:
        """On the service's own socket, in a process of its own. What ended by itself is begun again."""
        self._served = action
        if self._other is not None and self._other.code is None:
            self._other.read_events()
        if isinstance(self._process, Adopted) and action["app"] != "maintenance":
            self._end_process()
        if (self._process is not None and self._process.poll() is None) or (
            self._other is not None and self._other.code is None
        ):
            return
        listener = self._listener()
        if listener is None:
            return
        self._forget()
        self._begun = float("inf")
        if action["app"] == "maintenance" or not self._serves(action["app"], listener):
            self._serve_maintenance(listener)
        self._begun = time.monotonic()

    def _keep(self) -> None:
        """What ended by itself, or was killed for memory, is begun again at once: its queue would wait for nobody.

        One that ends as soon as it has begun waits for the next round.
        """
        if self._served is not None and time.monotonic() - self._begun >= SETTLED:
            self.begin(self._served)

    def _listener(self) -> socket.socket | None:
        """The service's socket; one for now, where the server binds its own."""
        if self.start.listener is not None:
            return self.start.listener
        if self._own_listener is None:
            self._own_listener = launch_plan.bound_for_now(self.start)
            if self._own_listener is None and not self._rounds:
                self.start.stream.emit(events.NOTE, "nothing can be served meanwhile: there is no address to serve it on", level="warning",
                                       item="launch")  # fmt: skip
        return self._own_listener

    def _serve_maintenance(self, listener: socket.socket) -> None:
        """Standard library only, because anything else may be what is missing."""
        from orchestrator.status import maintenance
        from orchestrator.system import sockets

        sockets.ready_to_listen(listener)  # what was accepted before may still linger on the port
        user = identity.of_server(self.start)  # it answers whoever asks: not as root
        self._process, self._lifeline = processes.on_socket(
            listener, user, lambda reader: maintenance.command(listener.fileno(), self.config(), reader)
        )
        self.start.maintenance_pid = self._process.pid

    def _serves(self, app: str, listener: socket.socket) -> bool:
        """Another app of the user's; whether it came up."""
        from orchestrator.launch import app_handle

        plan = launch_plan.plan_of(self.start, [])
        plan.app, plan.command, plan.factory, plan.server = app, [], False, "uvicorn"
        other = app_handle.start(plan, listener)
        self.start.maintenance_pid = other.pid
        other.go()
        due = time.monotonic() + health_checks.HEALTH_DEADLINE
        said = "it did not serve in time"
        while not other.serving and other.code is None and time.monotonic() < due:
            for event in self.service.events_of(other, due):
                said = event.get("message", said)
        if other.serving and other.code is None:
            self._other = other
            return True
        other.end()
        self.start.stream.emit(events.NOTE, f"cannot serve {app} instead: {said}; serving maintenance", level="warning", code="ORC801",
                               item="launch")  # fmt: skip
        return False

    def give_way(self) -> None:
        """For a server that binds by itself: its address is free, while the last answers may still be under way."""
        process = self._process
        if process is None or self._own_listener is None:
            self.end()
            return
        process.terminate()
        poll = select.poll()
        poll.register(self._lifeline, 0)  # that nobody reads it any more is always told
        while process.poll() is None and not poll.poll(50):
            continue
        self._own_listener.close()
        self._own_listener = None

    def end(self) -> None:
        """Lets go of the socket after the last answer: what waits in its queue is the service's."""
        self._served = None
        self._end_process()
        if self._other is not None:
            launch_plan.end_gently(self._other, signal.SIGTERM, time.monotonic() + FAREWELL)
        self._forget()
        if self._own_listener is not None:
            self._own_listener.close()
            self._own_listener = None

    def _end_process(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            process.wait()

    def _forget(self) -> None:
        if self._lifeline >= 0:
            os.close(self._lifeline)
        self._process, self._other, self._lifeline, self.start.maintenance_pid = None, None, -1, 0


class Adopted:
    """A child that another program of this process has started."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._code: int | None = None

    def poll(self) -> int | None:
        return self._collected(os.WNOHANG)

    def wait(self) -> int | None:
        return self._collected(0)

    def terminate(self) -> None:
        if self.poll() is None:
            send(self.pid, signal.SIGTERM)

    def _collected(self, how: int) -> int | None:
        if self._code is None:
            try:
                pid, status = os.waitpid(self.pid, how)
            except ChildProcessError:  # it was collected before it was handed over
                pid, status = self.pid, 0
            self._code = os.waitstatus_to_exitcode(status) if pid else None
        return self._code
