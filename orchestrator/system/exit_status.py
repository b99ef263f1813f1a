"""How a process has ended, in words and as a code, and who has asked for an end. No I/O, no clock, builtins alone."""

from __future__ import annotations

from orchestrator.system.signals import named

ECHO = 0.1
"""The same signal so soon again is the same request: `timeout` and terminals tell the process and then its group."""


class Asked:
    """Who asked last for the end."""

    __slots__ = ("at", "number")

    def __init__(self) -> None:
        self.number, self.at = 0, 0.0

    def again(self, number: int, now: float) -> bool:
        """Notes a request; whether it is the one before, told once more."""
        echo = number == self.number and now - self.at < ECHO
        self.number, self.at = number, now
        return echo


def exit_code(code: int) -> int:
    """As a shell says it: 128+n for a signal."""
    return 128 - code if code < 0 else code


def ending(code: int) -> str:
    return f"was ended by {named(-code)}" if code < 0 else f"ended with {code}"
