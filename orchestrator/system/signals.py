"""Signal handlers that only take a note, and the descriptor that wakes whoever waits.

Builtins alone: the module `signal` brings `enum`, and the supervisor lives for weeks.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from typing import Any
else:
    import _signal as signal

STOPS = (int(signal.SIGTERM), int(signal.SIGINT))
"""What asks for the end; a second one forces it."""
RENEW = int(signal.SIGHUP)
"""With several workers: each is replaced, one after another."""
DUMP = int(signal.SIGRTMAX) - 1
"""Private: a Python server of ours writes its stacks to stderr."""
PASSED_ON = tuple(
    int(each)
    for each in (
        signal.SIGHUP,
        signal.SIGUSR1,
        signal.SIGUSR2,
        signal.SIGWINCH,
        signal.SIGQUIT,
        signal.SIGALRM,
        signal.SIGVTALRM,
        signal.SIGPROF,
        signal.SIGIO,
        signal.SIGPWR,
        signal.SIGURG,
        signal.SIGXCPU,
        *range(signal.SIGRTMIN, signal.SIGRTMAX + 1),
    )
)
"""What is the server's business. Left alone: faults, which are a process's own, and what a shell stops jobs with."""
CHILD = int(signal.SIGCHLD)
NOTED = (*STOPS, *PASSED_ON, CHILD)


class Notes:
    """Signals that arrived, in their order. The loop that waits on `fileno()` decides what they mean."""

    __slots__ = ("_before", "_before_wakeup", "_noted", "_reader", "_writer")

    def __init__(self) -> None:
        self._noted: list[int] = []
        self._before: dict[int, Any] = {}
        self._before_wakeup = -1
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)

    def install(self, numbers: tuple[int, ...] = NOTED) -> None:
        self._before_wakeup = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        for number in numbers:
            self._before[number] = signal.signal(number, self._note)

    def _note(self, number: int, _frame: object) -> None:
        self._noted.append(int(number))

    def fileno(self) -> int:
        return self._reader

    def take(self) -> list[int]:
        """What has arrived since the last time. Never waits."""
        while _drained(self._reader):
            pass
        taken = []
        while self._noted:
            # One by one: a signal that arrives between a copy and a clearing would be lost.
            taken.append(self._noted.pop(0))
        return taken

    def hand_over(self) -> tuple[list[int], int]:
        """For an exec: what has arrived, and the descriptor at which later signals stand, a byte for each.

        With every signal blocked in this thread, another may still be given one; its byte is there at once.
        """
        os.set_inheritable(self._reader, True)
        return self.take(), self._reader

    def recall(self, numbers: list[int]) -> None:
        """Signals that another process noted before it became this one: `take` gives them first."""
        self._noted[:0] = numbers

    def forget(self) -> None:
        """In a forked child: the descriptors are the parent's; `reset` deals with the handlers."""
        signal.set_wakeup_fd(-1)
        os.close(self._reader)
        os.close(self._writer)

    def restore(self) -> None:
        """Puts back what was there before."""
        for number, handler in self._before.items():
            # None: set by something that is not Python; the default is the nearest there is.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        self._before.clear()
        signal.set_wakeup_fd(self._before_wakeup)
        os.close(self._reader)
        os.close(self._writer)


def _drained(descriptor: int) -> bool:
    try:
        return len(os.read(descriptor, 4096)) == 4096
    except BlockingIOError:
        return False


def block() -> set[int]:
    """Holds every signal back until `release`; gives the mask that was."""
    return {int(each) for each in signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())}


def release(mask: set[int] | None = None) -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, mask or set())


def reset() -> None:
    """Every signal as a fresh Python process has it: what a child must do first."""
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals():
        if number in {signal.SIGKILL, signal.SIGSTOP} or signal.getsignal(number) == signal.SIG_DFL:
            continue
        signal.signal(number, _fresh(number))


def _fresh(number: int) -> Any:
    if number == signal.SIGINT:
        return signal.default_int_handler
    if number in {signal.SIGPIPE, signal.SIGXFSZ}:
        return signal.SIG_IGN
    return signal.SIG_DFL


def reset_for_commands() -> None:
    """What Python ignores, other programs expect to die of."""
    reset()
    for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)


def arrived(noted: list[int], descriptor: int) -> list[int]:
    """The other side of `hand_over`: each signal once, and of those that ask for the end the first."""
    try:
        noted = [*noted, *os.read(descriptor, 65536)]
    except BlockingIOError:
        pass
    finally:
        os.close(descriptor)
    stops = [each for each in noted if each in STOPS][:1]
    return stops + [each for each in dict.fromkeys(noted) if each in PASSED_ON]


def ignore_pipes() -> None:
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)


def send(pid: int, number: int) -> bool:
    """A signal to a process, or with a negative number to a group; whether it was one to be had.

    One that has become another user by a set-uid program takes none of ours: that ends nobody who asks it to.
    """
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def die_by(number: int) -> None:
    """Ends this process by a signal, so that who waits sees it. Returns where that is forbidden: PID 1."""
    signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
    os.kill(os.getpid(), number)
