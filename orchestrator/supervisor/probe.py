"""One look at a health endpoint, in a child of the supervisor; knows nothing of what follows from it.

A child, because neither a slow look-up nor a slow answer may keep a signal waiting, and because judging more than a
status takes imports that the supervisor is spared.
"""

from __future__ import annotations

import os
import sys
import time

from orchestrator.core.exit_status import ending
from orchestrator.launch import spawn
from orchestrator.system import signals
from orchestrator.system.inherited import begin_child

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

    Endpoint = dict[str, Any]
    Plan = dict[str, Any]

KILL = 9
MARGIN = 1.0
"""A probe keeps its own deadline; this much later it hangs."""
KEPT = 4096
CLOCK_GRAIN = 0.05
"""Files are stamped by a clock that ticks: a little behind the one that is read."""


class Heard:
    """A child that runs beside the server, and the end of what it says."""

    __slots__ = ("due", "late", "pid", "reader", "said")

    def __init__(self, pid: int, reader: int, due: float | None) -> None:
        self.pid, self.reader, self.due = pid, reader, due
        self.said = b""
        self.late = False

    def hear(self) -> None:
        """What it says, as far as it was said; the end of it is kept."""
        while self.reader >= 0:
            try:
                chunk = os.read(self.reader, 65536)
            except BlockingIOError:
                return
            if not chunk:
                os.close(self.reader)
                self.reader = -1
            self.said = (self.said + chunk)[-KEPT:]

    def stop_if_late(self, now: float) -> None:
        if self.due is None or now < self.due:
            return
        self.late, self.due = True, now + MARGIN
        for each in (-self.pid, self.pid):
            signals.send(each, KILL)

    def last_line(self) -> str:
        """Its last words, after it has ended."""
        self.hear()
        if self.reader >= 0:  # a process that it left behind has it, too
            os.close(self.reader)
            self.reader = -1
        lines = self.said.decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else ""


class Prober(Heard):
    """A probe that runs."""

    __slots__ = ("kind", "timeout")

    def __init__(self, kind: str, endpoint: Endpoint, plan: Plan, path: list[str]) -> None:
        self.kind = kind
        self.timeout: float = endpoint["timeout"]
        own_deadline = endpoint.get("kind", "http") != "command"
        due = time.monotonic() + self.timeout + (MARGIN if own_deadline else 0.0)
        pid, reader = start(lambda writer: _in_the_child(endpoint, plan, path, writer))
        super().__init__(pid, reader, due)

    def finding(self, code: int) -> tuple[bool, str]:
        """Whether the endpoint is well, and why, after the probe has ended."""
        said = self.last_line()
        if self.late:
            return False, f"timeout: no answer within {self.timeout:g} s"
        return code == 0, said if said or code == 0 else f"it {ending(code)}"


def start(work: Callable[[int], NoReturn]) -> tuple[int, int]:
    """Starts a child that never returns from `work`, to which it is given where to speak; its number and what it says."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    mask = signals.block()
    pid = os.fork()
    if pid == 0:
        work(writer)
    signals.release(mask)
    os.close(writer)
    return pid, reader


def _in_the_child(endpoint: Endpoint, plan: Plan, path: list[str], writer: int) -> NoReturn:
    code = 1
    try:
        begin_child()
        if endpoint.get("kind") == "command":
            _become(endpoint["argv"], plan, writer)
        well, why = probe(endpoint, plan, path)
        code = int(not well)
        os.write(writer, _said(why))
    except BaseException as error:
        os.write(writer, _said(f"the probe failed: {error!r}"))
    finally:
        os._exit(code)


def _said(text: str) -> bytes:
    return " ".join(text.split())[:2000].encode("utf-8", "replace")


def _become(argv: list[str], plan: Plan, writer: int) -> NoReturn:
    """The command as the service's user, in its directory and environment; what it says is the reason."""
    os.dup2(writer, 1)
    os.dup2(writer, 2)
    spawn.assume(plan)
    signals.reset_for_commands()
    try:
        os.execvpe(argv[0], argv, plan["environ"])
    except OSError as error:
        raise RuntimeError(f"cannot run {argv[0]}: {error.strerror}") from None


def probe(endpoint: Endpoint, plan: Plan, path: list[str]) -> tuple[bool, str]:
    """Whether the endpoint is well, and what was found."""
    if endpoint.get("kind") == "heartbeat":
        return _beats(endpoint)
    if endpoint.get("asked"):
        return _judged(endpoint, plan, path)
    return _asked(endpoint)


def _beats(endpoint: Endpoint) -> tuple[bool, str]:
    """Whether the file is young, and not from a server before this one."""
    from orchestrator.health.probe_verdict import heartbeat

    well, why = heartbeat(endpoint["file"], endpoint["max_age"])
    if well and os.stat(endpoint["file"]).st_mtime < endpoint.get("since", 0.0) - CLOCK_GRAIN:
        return False, f"{why}, from before the server was started again"
    return well, why


def _asked(endpoint: Endpoint) -> tuple[bool, str]:
    from orchestrator.health.http_probe import ask_host, ask_socket

    request, timeout = endpoint["request"], endpoint["timeout"]
    if endpoint["unix"]:
        status, phrase = ask_socket(endpoint["unix"], request, timeout)
    else:
        status, phrase = ask_host(endpoint["host"], endpoint["port"], request, timeout, endpoint["tls"])
    well = any(low <= status <= high for low, high in endpoint["statuses"])
    return well, f"status {status} {phrase}" if status else phrase


def _judged(endpoint: Endpoint, plan: Plan, path: list[str]) -> tuple[bool, str]:
    """More than a status: with all that the engine judges by, which only this child imports.

    As the service's user: what root imports must not be another's to change.
    """
    spawn.assume(plan)
    sys.path[:] = path
    import pickle

    from orchestrator.core.context import Context
    from orchestrator.health.verify import ask

    asked = pickle.loads(endpoint["asked"])  # noqa: S301 -- packed by ourselves, and never out of our memory
    outcome = ask(asked, endpoint["timeout"], Context(environ=plan["environ"]))
    return outcome.ok, outcome.summary
