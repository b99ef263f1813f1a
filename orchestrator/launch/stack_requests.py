"""Asks the processes of a server for their stacks, one after another; knows nothing of what it is for. Builtins alone.

Only who has a handler for it is asked: for anybody else the signal is the end.
"""

from __future__ import annotations

import time

from orchestrator.system.reaper import descendants
from orchestrator.system.signals import DUMP, send

BETWEEN = 0.03
"""Time for one to write its stacks before the next one does: all of them write to the same place."""
TO_DUMP = 0.3
"""Time for the last of them."""
LONGEST = 3.0
"""No round takes longer where somebody waits for it."""


class Dumping:
    """One round through the processes below `server`, and the signal that the server is sent behind it, or 0."""

    __slots__ = ("due", "left", "then")

    def __init__(self, server: int, then: int) -> None:
        self.left = [pid for pid in (server, *descendants(top=server)) if catches(pid, DUMP)]
        self.then = 0 if then == DUMP and server in self.left else then
        self.due = time.monotonic()

    def go_on(self) -> bool:
        """Asks the next one if it is time; whether the round is over."""
        now = time.monotonic()
        if now < self.due:
            return False
        if not self.left:
            return True
        if not send(self.left.pop(0), DUMP):
            return False
        self.due = now + (BETWEEN if self.left else TO_DUMP)
        return False


def wait_for_stacks(server: int) -> None:
    """A whole round, for who has nothing else to do meanwhile."""
    dumping, end = Dumping(server, 0), time.monotonic() + LONGEST
    while not dumping.go_on() and time.monotonic() < end:
        time.sleep(max(0.0, dumping.due - time.monotonic()))


def catches(pid: int, number: int) -> bool:
    """Whether the process has a handler for the signal."""
    try:
        with open(f"/proc/{pid}/status", "rb") as file:
            masks = [line.split()[1] for line in file if line.startswith(b"SigCgt")]
    except OSError:
        return False  # it has ended
    return any(int(mask, 16) >> (number - 1) & 1 for mask in masks)
