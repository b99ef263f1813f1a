"""Commands: started in a session of their own, heard while they run, ended with all they started.

`Command` is for the engine's loop, which polls it beside signals; `capture` is for a worker thread.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import partial
from typing import IO, TYPE_CHECKING, Any

from orchestrator.core.exit_status import ending
from orchestrator.system.accounts import as_user, other_than
from orchestrator.system.prctl import end_with

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from orchestrator.core.context import Context, User

CAPTURED = 64 * 1024
"""Bytes of output that are kept."""
LAST_CHUNKS = 16
"""How much of what a command left unread is still read after its end: all that a pipe holds."""


@dataclass(frozen=True, slots=True)
class Result:
    """How a command ended: its code, negative for a signal; or the problem that kept it from telling."""

    code: int
    output: str = ""
    problem: str = ""
    timed_out: bool = False

    @property
    def ended(self) -> str:
        """In words: `ended with 3`."""
        return self.problem or ending(self.code)


def environment(context: Context, more: Mapping[str, str | None] | None = None) -> dict[str, str]:
    """The service's environment with changes; None takes a variable out."""
    merged: dict[str, str | None] = {**context.environ, **(more or {})}
    return {name: value for name, value in merged.items() if value is not None}


def popen(
    argv: Sequence[str], user: User | None, *, bound: bool = False, **how: Any
) -> subprocess.Popen[bytes]:
    """Starts a program as the user, with nothing of this process but what is handed on; raises OSError.

    In a session of its own, with the standard streams and `pass_fds` alone, and no set-uid program gives it more rights
    than the user's. `bound`: it ends when this process does, however that ends.
    """
    switch = user is not None and other_than(user)
    first: list[Callable[[], object]] = []
    if switch:
        from orchestrator.system import rights

        assert user is not None
        rights.load()
        first.append(partial(rights.restrict, rights.Rights(user.uid, user.gid)))
        how |= {"user": user.uid, "group": user.gid, "extra_groups": list(user.groups)}
    if bound and (end := end_with(signal.SIGKILL)) is not None:  # behind the switch, which takes it back
        first.append(end)
    return subprocess.Popen(
        list(argv),
        start_new_session=True,
        preexec_fn=partial(_each, first) if first else None,  # noqa: PLW1509 -- makes system calls, takes no lock
        **how,
    )


def _each(calls: list[Callable[[], object]]) -> None:
    for call in calls:
        call()


def start(
    argv: Sequence[str],
    context: Context,
    *,
    cwd: str = "",
    environ: Mapping[str, str] | None = None,
    bound: bool = False,
) -> subprocess.Popen[bytes]:
    """Starts a command as the service's user; raises OSError when it cannot be started.

    `bound`: it ends when this process does, however that ends.
    """
    user = context.user
    reader, writer = os.pipe()
    try:
        if other_than(user):  # else the user could not open /dev/stdout, which is a pipe of root's
            os.fchown(writer, user.uid, user.gid)
        process = popen(
            argv,
            user,
            bound=bound,
            stdin=subprocess.DEVNULL,
            stdout=writer,
            stderr=subprocess.STDOUT,
            cwd=context.path(cwd) if cwd else context.cwd,
            env=own_python(environ if environ is not None else context.environ),
        )
    except BaseException:
        os.close(reader)
        raise
    finally:
        os.close(writer)
    process.stdout = open(reader, "rb")  # noqa: SIM115 -- closed by who reads it
    return process


def on_socket(
    listener: socket.socket, user: User | None, command: Callable[[int], list[str]]
) -> tuple[subprocess.Popen[bytes], int]:
    """Starts a process of ours that answers on a socket, as this user where there is one, with nothing of the environment.

    It ends with the pipe whose reading end `command` is told; the writing end is given, and is its life.
    """
    reader, lifeline = os.pipe()
    os.set_blocking(lifeline, False)  # a process that hears nothing must not hold up who tells it something
    process = popen(
        command(reader), user, pass_fds=(listener.fileno(), reader), stdin=subprocess.DEVNULL, env={"PATH": os.environ.get("PATH", "")}
    )  # fmt: skip
    os.close(reader)
    return process, lifeline


def own_python(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment in which `python` is the one that serves: an image may have several, and a venv not on its PATH."""
    here = os.path.dirname(sys.executable)
    path = environ.get("PATH", os.defpath)
    if here in path.split(os.pathsep):
        return dict(environ)
    return {**environ, "PATH": f"{here}{os.pathsep}{path}"}


def not_started(argv: Sequence[str], error: OSError) -> tuple[str, str]:
    """What went wrong, and the hint."""
    name = argv[0]
    if isinstance(error, FileNotFoundError):
        if error.filename and error.filename != name:
            return f"its directory {error.filename} does not exist", "create it, or correct `cwd`"
        return f"there is no program `{name}`", "is it installed in the image, and is its directory on PATH?"
    if isinstance(error, PermissionError):
        return f"`{name}` cannot be executed: permission denied", f"chmod +x {name}"
    if error.errno == 8:
        return (
            f"`{name}` is no program: exec format error",
            "a script needs a first line such as #!/bin/sh, and LF line endings",
        )
    return f"`{name}` cannot be started: {error.strerror}", ""


class Command:
    """A running command. `fileno` is readable when there is output or its end."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        said: Callable[[str], None],
        *,
        deadline: float | None,
        grace: float,
        user: User | None = None,
    ) -> None:
        self.process = process
        self._user = user
        self.deadline = deadline
        """When (`time.monotonic`) it is asked to end."""
        self.timed_out = False
        self.tail = bytearray()
        self._said = said
        self._grace = grace
        self._kill_at: float | None = None
        self._line = b""
        assert process.stdout is not None
        self._out: IO[bytes] | None = process.stdout
        os.set_blocking(process.stdout.fileno(), False)
        self._end = os.pidfd_open(process.pid)
        self._selector = selectors.EpollSelector()
        self._selector.register(process.stdout, selectors.EVENT_READ)
        self._selector.register(self._end, selectors.EVENT_READ)

    def fileno(self) -> int:
        return self._selector.fileno()

    def due(self) -> float | None:
        """When `poll` must be called at the latest."""
        return self._kill_at if self._kill_at is not None else self.deadline

    def stop(self) -> None:
        """TERM to its group now; KILL after its grace."""
        if self._kill_at is None:
            self._kill_at = time.monotonic() + self._grace
            self._signal(signal.SIGTERM)

    def kill(self) -> None:
        self._kill_at = time.monotonic()
        self._signal(signal.SIGKILL)

    def poll(self) -> Result | None:
        """Reads some of what it said, keeps its times; the result once it has ended."""
        self._read(1)
        now = time.monotonic()
        if self._kill_at is None and self.deadline is not None and now >= self.deadline:
            self.timed_out = True
            self.stop()
        elif self._kill_at is not None and now >= self._kill_at:
            self._signal(signal.SIGKILL)
            self._kill_at = now + 1.0
        if self.process.poll() is None:
            return None
        self._signal(signal.SIGKILL)  # what it left behind in its group
        self._read(LAST_CHUNKS)
        self._close()
        return Result(self.process.returncode, self.tail.decode("utf-8", "replace"), timed_out=self.timed_out)

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            try:
                os.killpg(self.process.pid, number)
            except PermissionError:
                if self._user is None:
                    return
                # A root without CAP_KILL: a child that is this user may.
                as_user(self._user, partial(os.killpg, self.process.pid, number))

    def _read(self, chunks: int) -> None:
        """Not without end: one that never stops talking must not keep the engine from everything else."""
        for _ in range(chunks):
            chunk = self._out.read(65536) if self._out is not None else None
            if self._out is None or chunk is None:
                return
            if not chunk:
                self._selector.unregister(self._out)
                self._out.close()
                self._out = None
                break
            self.tail = (self.tail + chunk)[-CAPTURED:]
            *lines, self._line = (self._line + chunk).split(b"\n")
            if len(self._line) > CAPTURED:
                lines, self._line = [*lines, self._line], b""
            for line in lines:
                self._said(line.decode("utf-8", "replace").rstrip("\r"))

    def _close(self) -> None:
        if self._line:
            self._said(self._line.decode("utf-8", "replace"))
        if self._out is not None:
            self._out.close()
            self._out = None
        self._selector.close()
        os.close(self._end)


_groups: set[int] = set()
"""The process groups that worker threads wait for at this moment."""


@contextlib.contextmanager
def awaited(group: int) -> Iterator[None]:
    """While a worker thread waits for the group's leader: `abandon` ends the whole group."""
    _groups.add(group)
    try:
        yield
    finally:
        _groups.discard(group)


def abandon() -> None:
    """Kills what worker threads wait for, with all it has started: nobody wants to know any more."""
    for group in list(_groups):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


def capture(argv: Sequence[str], context: Context, timeout: float) -> Result:
    """Runs a command to its end or to its timeout. Never raises for what the command does. It ends with this process."""
    try:
        process = start(argv, context, bound=True)
    except OSError as error:
        return Result(-1, problem=not_started(argv, error)[0])
    running = Command(
        process, lambda _line: None, deadline=time.monotonic() + timeout, grace=0.2, user=context.user
    )
    with awaited(process.pid), selectors.DefaultSelector() as selector:
        selector.register(running, selectors.EVENT_READ)
        while (result := running.poll()) is None:
            due = running.due()
            selector.select(None if due is None else max(0.0, due - time.monotonic()))
    if result.timed_out:
        return Result(result.code, result.output, f"did not end within {timeout:g} s", timed_out=True)
    return result
