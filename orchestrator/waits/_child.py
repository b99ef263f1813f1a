"""Runs a command within a deadline, as the service's user or another, and ends its whole process group with it."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from orchestrator.core.exit_status import ending
from orchestrator.waits._failure import Deadline, Failure

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Sequence
    from typing import IO

    from orchestrator.core.context import Context
    from orchestrator.spec.commanding import Commanding

PATIENCE = 1.0
"""Seconds to read the last output of a command that has ended: a busy machine may take a while."""
KEPT = 64 * 1024
"""Bytes of output that are kept, from the end."""


class Done(NamedTuple):
    """How a command ended, and its output."""

    code: int
    """Its exit code, or minus the signal that ended it."""
    stdout: str
    stderr: str

    @property
    def whole(self) -> str:
        """All output that was kept."""
        return self.stderr + self.stdout

    @property
    def details(self) -> str:
        return self.whole[-2000:]

    @property
    def end(self) -> str:
        """How it ended, with its last line of output."""
        lines = (self.stderr.strip() or self.stdout.strip()).splitlines()
        return ending(self.code) + (f": {lines[-1].strip()[:200]}" if lines else "")


def run(
    argv: Sequence[str],
    context: Context,
    deadline: Deadline,
    descriptors: tuple[int, ...] = (),
    *,
    stdin: str | None = None,
) -> Done:
    """Runs a command to its end; raises Failure when it cannot start, or does not end in time."""
    from orchestrator.system.processes import awaited

    child = _started(argv, context, descriptors, stdin)
    readers = [_Reader(stream) for stream in (child.stdout, child.stderr) if stream is not None]
    problem: Failure | None = None
    with awaited(child.pid):
        try:
            _wait(child, argv, deadline)
        except Failure as failure:
            problem = failure
        finally:
            _end(child)
    stdout, stderr = (each.text(PATIENCE) for each in readers)
    done = Done(child.returncode, stdout, stderr)
    if problem is not None:
        problem.details = done.details
        raise problem
    return done


def asked(argv: Sequence[str], how: Commanding, context: Context, deadline: Deadline) -> Done:
    """The same with the directory, environment, user and input that the spec gives."""
    from orchestrator.core.outcome import Outcome
    from orchestrator.system.users import acting

    acts = acting(how.user, context)
    if isinstance(acts, Outcome):
        raise Failure("unexpected", acts.summary, acts.hint, final=True)
    changes = how.environment or {}
    environ = {name: text for name, text in (acts.environ | changes).items() if text is not None}
    placed = replace(acts, environ=environ, cwd=context.path(how.cwd) if how.cwd else context.cwd)
    return run(argv, placed, deadline, stdin=how.stdin)


def _wait(child: subprocess.Popen[bytes], argv: Sequence[str], deadline: Deadline) -> None:
    """Waits without reaping it: until then no other process can get its number, by which its group is ended."""
    pause = 0.002
    while os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        time.sleep(min(pause, deadline.remaining(f"{argv[0]} did not end")))
        pause = min(2 * pause, 0.05)


def _end(child: subprocess.Popen[bytes]) -> None:
    """Ends what the command left running, which would pile up with every attempt."""
    with suppress(PermissionError):  # of a group of zombies and of others' processes
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _input(stdin: str | None) -> int:
    """A file in memory: a pipe would have to be filled while the command runs."""
    if stdin is None:
        return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    file = os.memfd_create("stdin", os.MFD_CLOEXEC)
    os.write(file, stdin.encode())
    os.lseek(file, 0, os.SEEK_SET)
    return file


def _started(
    argv: Sequence[str], context: Context, descriptors: tuple[int, ...], stdin: str | None
) -> subprocess.Popen[bytes]:
    import subprocess

    from orchestrator.system.processes import own_python, popen

    given = _input(stdin)
    try:
        # Bound: however the engine ends, nobody is left to end it at its deadline.
        return popen(
            argv,
            context.user,
            bound=True,
            stdin=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=context.cwd,
            env=own_python(context.environ),
            pass_fds=descriptors,
        )
    except FileNotFoundError as error:
        if error.filename == context.cwd and argv[0] != context.cwd:
            raise Failure("unexpected", f"there is no working directory {context.cwd}", final=True) from None
        hint = "" if "/" in argv[0] else f"no directory of PATH has it ({context.environ.get('PATH', '')})"
        raise Failure("unexpected", f"there is no command {argv[0]}", hint, final=True) from None
    except OSError as error:
        raise Failure(
            "unexpected", f"cannot start {argv[0]}: {error.strerror or error}", final=True
        ) from None
    finally:
        os.close(given)


class _Reader:
    """Reads a stream so that the command never waits, and keeps its end."""

    def __init__(self, stream: IO[bytes]) -> None:
        import _thread

        self.stream = stream
        self.kept = b""
        self.done = _thread.allocate_lock()
        self.done.acquire()
        _thread.start_new_thread(self._read, ())

    def _read(self) -> None:
        try:
            while chunk := os.read(self.stream.fileno(), 65536):
                self.kept = (self.kept + chunk)[-KEPT:]
        finally:
            self.stream.close()
            self.done.release()

    def text(self, patience: float) -> str:
        """The output that was kept. A process that outlived the command may still hold the stream."""
        self.done.acquire(timeout=patience)
        return self.kept.decode("utf-8", "replace")
