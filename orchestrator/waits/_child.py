"""Runs a command as the service's user within a deadline; its whole process group ends with it."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from orchestrator.waits._failure import Deadline, Failure

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Sequence
    from typing import IO

    from orchestrator.engine.context import Context

KEPT = 64 * 1024
"""Bytes of output that are kept: the last ones."""


class Done(NamedTuple):
    """What a command came to."""

    code: int
    """Its exit code, or minus the signal that ended it."""
    stdout: str
    stderr: str

    @property
    def details(self) -> str:
        return (self.stderr + self.stdout)[-2000:]

    @property
    def end(self) -> str:
        """How it ended, with the last line it said."""
        lines = (self.stderr.strip() or self.stdout.strip()).splitlines()
        said = f": {lines[-1].strip()[:200]}" if lines else ""
        how = (
            f"was ended by {signal.Signals(-self.code).name}" if self.code < 0 else f"ended with {self.code}"
        )
        return how + said


def run(argv: Sequence[str], context: Context, deadline: Deadline, descriptors: tuple[int, ...] = ()) -> Done:
    """Runs a command to its end; raises Failure when it cannot start or does not end in time."""
    from orchestrator.engine.processes import awaited

    child = _started(argv, context, descriptors)
    readers = [_Reader(stream) for stream in (child.stdout, child.stderr) if stream is not None]
    with awaited(child.pid):
        try:
            _wait(child, argv, deadline)
        finally:
            _end(child)
    stdout, stderr = (each.text(0.2) for each in readers)
    return Done(child.returncode, stdout, stderr)


def _wait(child: subprocess.Popen[bytes], argv: Sequence[str], deadline: Deadline) -> None:
    """Waits without taking its status: until then its number, by which its group is ended, is nobody else's."""
    pause = 0.002
    while os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        time.sleep(min(pause, deadline.remaining(f"{argv[0]} did not end")))
        pause = min(2 * pause, 0.05)


def _end(child: subprocess.Popen[bytes]) -> None:
    """What the command left running goes too, or it would pile up with every attempt."""
    with suppress(PermissionError):  # of a group of zombies and of others' processes
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _started(argv: Sequence[str], context: Context, descriptors: tuple[int, ...]) -> subprocess.Popen[bytes]:
    import subprocess

    from orchestrator.launch.prctl import end_with

    user = context.user
    switch = os.geteuid() == 0 and user.uid != 0
    try:
        return subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=context.cwd,
            env=context.environ,
            pass_fds=descriptors,
            start_new_session=True,
            # However the engine ends: nobody is left to end it at its deadline.
            preexec_fn=end_with(signal.SIGKILL),  # noqa: PLW1509 -- makes one system call, takes no lock
            user=user.uid if switch else None,
            group=user.gid if switch else None,
            extra_groups=user.groups if switch else None,
        )
    except FileNotFoundError as error:
        if error.filename == context.cwd and argv[0] != context.cwd:
            raise Failure("unexpected", f"there is no working directory {context.cwd}", final=True) from None
        hint = "" if "/" in argv[0] else f"it is in no directory of PATH ({context.environ.get('PATH', '')})"
        raise Failure("unexpected", f"there is no command {argv[0]}", hint, final=True) from None
    except OSError as error:
        raise Failure(
            "unexpected", f"cannot start {argv[0]}: {error.strerror or error}", final=True
        ) from None


class _Reader:
    """Takes what a stream says, keeps its end, and never lets the command wait."""

    def __init__(self, stream: IO[bytes]) -> None:
        import _thread

        self.stream = stream
        self.said = b""
        self.done = _thread.allocate_lock()
        self.done.acquire()
        _thread.start_new_thread(self._read, ())

    def _read(self) -> None:
        try:
            while chunk := os.read(self.stream.fileno(), 65536):
                self.said = (self.said + chunk)[-KEPT:]
        finally:
            self.stream.close()
            self.done.release()

    def text(self, patience: float) -> str:
        """All that was said. Somebody who outlived the command may still hold the stream."""
        self.done.acquire(timeout=patience)
        return self.said.decode("utf-8", "replace")
