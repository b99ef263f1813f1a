"""How a process has ended, in words and as a code, and who has asked for an end. No I/O, no clock, builtins alone."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
else:
    import _signal as signal

INT = 2
ECHO = 0.1
"""The same signal so soon again is the same request: `timeout` and terminals tell the process and then its group."""


class Asked:
    """Requests to stop: the first one counts, a second INT forces, and a further TERM changes nothing."""

    __slots__ = ("at", "number")

    def __init__(self) -> None:
        self.number, self.at = 0, 0.0

    def again(self, number: int, now: float) -> bool:
        """Notes a request; whether it changes nothing."""
        counts = not self.number or forces(number, self.number, now - self.at)
        if number == INT or not self.number:
            self.number, self.at = number, now
        return not counts


def forces(number: int, before: int, seconds: float) -> bool:
    """Whether a request to stop forces the end, so many seconds after the one before."""
    return number == INT == before and seconds >= ECHO


def named(number: int) -> str:
    """`SIGTERM`; a real-time signal has but its number."""
    names = (each for each in dir(signal) if each.startswith("SIG") and not each.startswith("SIG_"))
    return next((each for each in names if getattr(signal, each) == number), f"signal {number}")


def exit_code(code: int) -> int:
    """As a shell says it: 128+n for a signal."""
    return 128 - code if code < 0 else code


def ending(code: int) -> str:
    return f"was ended by {named(-code)}" if code < 0 else f"ended with {code}"
