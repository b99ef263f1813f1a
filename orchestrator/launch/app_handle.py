"""The engine's handle on the importing process: starts it, hears it, judges hangs and crashes, says go.

Knows nothing of requirements and reports; what it hears are events, plain dictionaries.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from orchestrator.launch import spawn
from orchestrator.launch.app_process import Child, bind_to_parent
from orchestrator.launch.child_exit import close_all_but, leave
from orchestrator.launch.stack_requests import wait_for_stacks
from orchestrator.system import signals
from orchestrator.system.inherited import begin_child

if TYPE_CHECKING:
    import socket

    from orchestrator.launch.plan import LaunchPlan
    from orchestrator.launch.preimport import Preloaded

    Event = dict[str, Any]


TO_DUMP, EACH_DUMP = 0.1, 0.03
"""For an import or a server that hangs to say where, before it is killed; and for each of its workers."""


class Importer:
    """The child that imports, and on `go` is the server.

    Events, in their order: `importing` (id, module, deadline), then `imported` (id, module, ms) or
    `failed` (id, reason, message and more), for each module and at last for the app, whose id is `launch`;
    `ready` (ms) when all were imported; after `go`, `workers` (count, form: fork or exec, why) where there are
    several, and `serving` when all of them do; or `executing` and then `exec` for a program of its own;
    `ended` (code, negative for a signal) once, last.
    Reasons: missing, attribute, app, exception, exit, crash, hang, startup, command, start.
    """

    def __init__(
        self, pid: int, control: int, reports: int, form: str, why: str, *, begun: float = 0.0
    ) -> None:
        self.pid = pid
        self.form = form
        """`fork` or `exec`."""
        self.why = why
        """Why it was not forked, when a fork was asked for."""
        self.ready = False
        self.serving = False
        self.executed = False
        """Whether it is a program of its own by now."""
        self.workers = 1
        self.code: int | None = None
        """What it ended with, negative for a signal; None while it lives."""
        self._control = control
        self._reports = reports
        self._buffer = b""
        self._current: Event | None = None
        self._due: float | None = None
        if begun:  # it imports already, before its first word: that, too, must end
            self._current = {"id": "launch", "module": "the framework", "deadline": begun}
            self._due = time.monotonic() + begun
        os.set_blocking(reports, False)
        self._exit = _watched(pid)
        self._executing = self._silent = False
        self._poll = select.epoll()
        self._poll.register(reports, select.EPOLLIN)
        if self._exit >= 0:
            self._poll.register(self._exit, select.EPOLLIN)

    def fileno(self) -> int:
        """Readable when there is something to `read_events`: a report, or the end. Read them at SIGCHLD, too."""
        return self._poll.fileno() if not self._poll.closed else -1

    def deadline(self) -> float | None:
        """When (`time.monotonic`) to call `read_events` at the latest: the import may take no longer."""
        return self._due

    def read_events(self) -> list[Event]:
        """What happened since the last time. Never waits."""
        events = [event for line in self._lines() if (event := self._heard(line))]
        if self._due is not None and time.monotonic() >= self._due:
            events.append(self._hung())
        if self._executing and self._silent:
            events.append(self._executed())
        return events + self._end()

    def go(self, environ_update: dict[str, str | None] | None = None) -> None:
        """Lets it serve, with the last changes of its environment; None takes a variable out."""
        order = json.dumps({"go": environ_update or {}}).encode() + b"\n"
        with contextlib.suppress(BrokenPipeError):  # it has ended, and the events say how
            while order:
                order = order[os.write(self._control, order) :]

    def show_where(self) -> None:
        """Has it write its stacks, and waits for that: it hangs, and is about to be killed."""
        if self.code is not None:
            return
        if self.executed:
            wait_for_stacks(self.pid)
            return
        if signals.send(self.pid, signals.DUMP):
            time.sleep(TO_DUMP + EACH_DUMP * self.workers)

    def end(self) -> None:
        """Throws it away, with whatever it started."""
        if self.code is None:
            self._kill()
            self.code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        self.close()

    def close(self) -> None:
        """Lets go of the pipes; the process goes on if it has been told to go, and ends otherwise."""
        if not self._poll.closed:
            self._poll.close()
            for descriptor in (self._control, self._reports, self._exit):
                if descriptor >= 0:
                    os.close(descriptor)

    def _lines(self) -> list[bytes]:
        *whole, self._buffer = (self._buffer + self._received()).split(b"\n")
        return whole

    def _received(self) -> bytes:
        chunks = []
        with contextlib.suppress(BlockingIOError):
            while chunk := os.read(self._reports, 65536):
                chunks.append(chunk)
            # The end of file would wake the poll for ever; the end of the process is awaited on its own.
            self._silent = True
            with contextlib.suppress(FileNotFoundError):
                self._poll.unregister(self._reports)
        return b"".join(chunks)

    def _heard(self, line: bytes) -> Event | None:
        event: Event = json.loads(line)
        kind = event["event"]
        if kind == "importing":
            self._current = event
            self._due = time.monotonic() + event["deadline"] if event["deadline"] else None
        elif kind in {"imported", "failed"}:
            self._current = self._due = None
        self.ready = self.ready or kind == "ready"
        self.serving = self.serving or kind == "serving"
        self.executed = self.executed or kind == "executing"
        self._executing = kind == "executing"
        self.workers = event["count"] if kind == "workers" else self.workers
        return event

    def _executed(self) -> Event:
        """The pipe closed and no failure was told: the exec has closed it."""
        self._executing, self.serving = False, True
        return {"event": "exec"}

    def _hung(self) -> Event:
        """Over the deadline. Nothing but a kill ends a hanging import; that process alone is lost."""
        assert self._current is not None
        event = self._lost("hang", f"its import did not end within {self._current['deadline']:g} s")
        self.show_where()
        self._kill()
        return event

    def _end(self) -> list[Event]:
        if self.code is not None:
            return []
        try:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
        except ChildProcessError:
            raise AssertionError("somebody else has collected the importer") from None
        if not pid:
            return []
        self.code = os.waitstatus_to_exitcode(status)
        # Its last words may have come between the reading and the end.
        last = [event for line in self._lines() if (event := self._heard(line))]
        if self._exit >= 0:
            self._poll.unregister(self._exit)
        if self._current is not None:
            last.append(self._lost(*_ending(self.code)))
        return [*last, {"event": "ended", "code": self.code}]

    def _lost(self, reason: str, message: str) -> Event:
        assert self._current is not None
        event = {"event": "failed", "id": self._current["id"], "module": self._current["module"]}
        self._current = self._due = None
        return event | {"reason": reason, "message": message, "at": "", "traceback": ""}

    def _kill(self) -> None:
        for each in (self.pid, -self.pid):
            signals.send(each, signal.SIGKILL)


def _watched(pid: int) -> int:
    """A descriptor that is readable when the process has ended; on kernels before 5.3 there is SIGCHLD alone."""
    try:
        return os.pidfd_open(pid)
    except OSError:
        return -1


def _ending(code: int) -> tuple[str, str]:
    if code < 0:
        return "crash", f"its import crashed the process: {signal.Signals(-code).name}"
    return "exit", f"its import ended the process with {code}"


def start(
    plan: LaunchPlan, listener: socket.socket | None, *, fork: bool = True, preloaded: Preloaded | None = None
) -> Importer:
    """Starts the importing process: a fork where that is right, else a new interpreter; see `Importer.why`.

    `preloaded` is taken where it fits, and ended where it does not.

    To be called from the main thread, for the child ends with the thread that started it.
    """
    assert threading.current_thread() is threading.main_thread()
    if preloaded is not None:
        if fork and preloaded.fits(plan):
            return Importer(*preloaded.adopt(plan, listener), "fork", "", begun=plan.app_deadline)
        preloaded.end()
    why = _why_exec(plan) if fork else ""
    sys.stdout.flush()
    sys.stderr.flush()
    descriptor = listener.fileno() if listener is not None else -1
    if not fork or why:
        pid, control, reports = spawn.start(plan.data(), descriptor, at_once=False)
        return Importer(pid, control, reports, "exec", why)
    pid, control, reports = _forked(plan, descriptor)
    return Importer(pid, control, reports, "fork", "")


def _why_exec(plan: LaunchPlan) -> str:
    threads = len(os.listdir("/proc/self/task"))
    if threads > 1:
        return f"{threads} threads run here, and a fork takes none of them along but all of their locks"
    return plan.why_exec(dict(os.environ))


def _forked(plan: LaunchPlan, listener: int) -> tuple[int, int, int]:
    orders, control = os.pipe()
    reports, told = os.pipe()
    parent = os.getpid()
    mask = signals.block()
    pid = os.fork()
    if pid == 0:
        _in_the_child(plan, listener, orders, told, parent)
    signals.release(mask)
    os.close(orders)
    os.close(told)
    return pid, control, reports


def _in_the_child(plan: LaunchPlan, listener: int, orders: int, told: int, parent: int) -> None:
    """Never returns: the frames below are the engine's, and what they hold must not be closed."""
    code = 1
    try:
        begin_child()
        bind_to_parent(parent)
        # Dead objects first: a file collected later would close a number that the server uses by then.
        gc.collect()
        gc.freeze()
        close_all_but({0, 1, 2, listener, orders, told})
        code = spawn.CANNOT_START
        spawn.assume(plan.data())
        os.environ.clear()
        os.environ.update(plan.environ)
        code = Child(plan, listener, orders, told, at_once=False).run()
    except OSError as error:
        os.write(told, spawn.failure(error))
    except BaseException:
        sys.excepthook(*sys.exc_info())  # a bug of ours: said, and the engine sees the code
    finally:
        leave(code)
