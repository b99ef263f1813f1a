"""The importing process begun early: while the engine still reads the spec, the other core imports the framework.

It imports only what the text of the spec names and what asks nothing of the environment. Then it waits for the plan,
and goes on as any forked importer does. If the plan needs another interpreter, user or directory after all, it is thrown away.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import marshal
import os
import signal
import socket
import sys
from typing import TYPE_CHECKING

from orchestrator.launch import spawn
from orchestrator.system import rights, signals
from orchestrator.system.inherited import begin_child

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.launch.plan import LaunchPlan

FRAMEWORKS = {"fastapi": ("fastapi",), "starlette": ("starlette.applications",)}
"""By the word in the spec: modules that read no variable while they are imported, and hold no thread or socket after."""
MOST = 2_000_000
SENSITIVE = ("PYDANTIC_", "PYTHON", "LD_", "MALLOC", "TZ")
"""Variables that an early import may have read: when one changes, the early import is void."""


class Preloaded:
    """A process that imports ahead. Use it once, or end it."""

    def __init__(self, pid: int, control: socket.socket, reports: int) -> None:
        self.pid = pid
        self.cwd = os.getcwd()
        self._control = control
        self._reports = reports
        self._environ = dict(os.environ)

    def fits(self, plan: LaunchPlan) -> bool:
        """Whether the plan can be served by this process."""
        return (
            plan.cwd in ("", self.cwd)
            and not _changed(self._environ, plan.environ)
            and not plan.why_exec(self._environ)
        )

    def adopt(self, plan: LaunchPlan, listener: socket.socket | None) -> tuple[int, int, int]:
        """Hands over the plan: from now on it is the importer. Its pid, the pipe that commands it, its reports."""
        data = marshal.dumps(plan.data())
        descriptors = [listener.fileno()] if listener is not None else []
        head = len(data).to_bytes(8, "big")
        with contextlib.suppress(BrokenPipeError):  # it has ended, and the events say how
            if descriptors:
                socket.send_fds(self._control, [head], descriptors)
            else:
                self._control.sendall(head)
            self._control.sendall(data)
        return self.pid, self._control.detach(), self._reports

    def end(self) -> None:
        """Throws it away."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        self._control.close()
        os.close(self._reports)


def _changed(before: dict[str, str], after: dict[str, str]) -> bool:
    names = {name for name in before.keys() | after.keys() if name.startswith(SENSITIVE)}
    return any(before.get(name) != after.get(name) for name in names)


def begin(files: Sequence[str]) -> Preloaded | None:
    """Starts to import what the files name; None where they name nothing that is worth it."""
    modules = wanted(files)
    if not modules or len(os.listdir("/proc/self/task")) > 1:
        return None
    if "fastapi" in modules:
        importlib.import_module(
            "orchestrator.spec.model"
        )  # brings pydantic, which both sides need: once for both
    ours, theirs = socket.socketpair()
    reports, told = os.pipe()
    parent = os.getpid()
    sys.stdout.flush()
    sys.stderr.flush()
    mask = signals.block()
    pid = os.fork()
    if pid == 0:
        _in_the_child(modules, theirs, told, parent)
    signals.release(mask)
    theirs.close()
    os.close(told)
    return Preloaded(pid, ours, reports)


def wanted(files: Sequence[str]) -> list[str]:
    """The modules to import ahead, by the words in the files: what a file means is not known yet."""
    text = b""
    for name in files:
        with contextlib.suppress(OSError), open(name, "rb") as file:
            text += file.read(MOST)
    if b"app:" not in text or b"command:" in text:
        return []
    modules = [module for word, names in FRAMEWORKS.items() if word.encode() in text for module in names]
    return [*modules, "uvicorn"] if b"server:" not in text else modules


def _in_the_child(modules: Sequence[str], control: socket.socket, told: int, parent: int) -> None:
    """Never returns."""
    from orchestrator.launch.app_process import Child, bind_to_parent
    from orchestrator.launch.child_exit import close_all_but, leave

    code = 1
    try:
        begin_child()
        bind_to_parent(parent)
        gc.collect()
        gc.freeze()
        close_all_but({0, 1, 2, control.fileno(), told})
        _import(modules)
        received = _plan(control)
        if received is None:
            code = 0
        else:
            plan, listener = received
            spawn.assume(plan.data())
            if plan.no_new_privs:
                rights.no_new_privs()
            os.environ.clear()
            os.environ.update(plan.environ)
            code = Child(plan, listener, control.detach(), told, at_once=False).run()
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        leave(code)


def _import(modules: Sequence[str]) -> None:
    """As the app will import them: its directory comes first. What fails here fails again there, and is told then."""
    here = os.getcwd()
    sys.path[:] = [here, *(each for each in sys.path if each not in {here, ""})]
    for name in modules:
        with contextlib.suppress(Exception):
            importlib.import_module(name)


def _plan(control: socket.socket) -> tuple[LaunchPlan, int] | None:
    """The plan and the listener; None when the engine has gone or has no use for this process."""
    from orchestrator.launch.plan import LaunchPlan

    head, descriptors, _, _ = socket.recv_fds(control, 8, 1)
    if len(head) < 8:
        return None
    left, data = int.from_bytes(head, "big"), b""
    while len(data) < left:
        chunk = control.recv(left - len(data))
        if not chunk:
            return None
        data += chunk
    return LaunchPlan.of(marshal.loads(data)), descriptors[0] if descriptors else -1  # noqa: S302 - our own parent wrote it
