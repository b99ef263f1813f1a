"""Reaps orphans without stealing a child's status: it peeks, and takes strangers only."""

from __future__ import annotations

import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

FLAGS = os.WEXITED | os.WNOHANG | os.WNOWAIT


class Reaper:
    """Collects adopted processes that ended. `known` says whether a process is somebody's own child.

    With threads that start children, a child may end before its owner has noted its number; hence `patience`:
    seconds for which an ended stranger is left alone, in case that somebody waits for it.
    """

    __slots__ = ("_known", "_patience", "_seen")

    def __init__(self, known: Callable[[int], bool], patience: float = 0.0) -> None:
        self._known = known
        self._patience = patience
        self._seen: dict[int, float] = {}

    def reap(self) -> int:
        """Takes every ended stranger; the number of them."""
        if self._patience:
            return self._reap_patiently()
        taken = 0
        while (pid := peek()) is not None:
            if self._known(pid):
                # It hides whatever ended behind it.
                return taken + sum(_take(each) for each in ended_children() if not self._known(each))
            taken += _take(pid)
        return taken

    def _reap_patiently(self) -> int:
        now = time.monotonic()
        strangers = [pid for pid in ended_children() if not self._known(pid)] if peek() is not None else []
        self._seen = {pid: self._seen.get(pid, now) for pid in strangers}
        return sum(_take(pid) for pid, since in self._seen.items() if now - since >= self._patience)

    @property
    def waiting(self) -> bool:
        """Whether strangers are left alone for now: call again when the patience is over."""
        return bool(self._seen)


def peek() -> int | None:
    """A child that ended and is not collected yet."""
    try:
        found = os.waitid(os.P_ALL, 0, FLAGS)
    except ChildProcessError:
        return None
    return found.si_pid if found else None


def childless() -> bool:
    try:
        os.waitid(os.P_ALL, 0, FLAGS)
    except ChildProcessError:
        return True
    return False


def _take(pid: int) -> int:
    try:
        return int(os.waitpid(pid, os.WNOHANG)[0] == pid)
    except ChildProcessError:
        return 0  # its owner was faster


def ended_children() -> list[int]:
    return [pid for pid, parent, state in processes() if parent == os.getpid() and state == "Z"]


def descendants(without: tuple[int, ...] = (), top: int = 0) -> list[int]:
    """Every living process below this one, or below `top`, except the named ones and what is below them."""
    if childless():
        return []  # the usual case at the end: spares a walk over every process there is
    below: dict[int, list[int]] = {}
    for pid, parent, state in processes():
        if state not in "ZX":
            below.setdefault(parent, []).append(pid)
    found: list[int] = []
    front = [top or os.getpid()]
    while front:
        nearest = [pid for parent in front for pid in below.get(parent, ()) if pid not in without]
        found += nearest
        front = nearest
    return found


def uid_of(pid: int) -> int | None:
    """Who a process is; None for one that has ended."""
    try:
        with open(f"/proc/{pid}/status", "rb") as file:
            return next(int(line.split()[1]) for line in file if line.startswith(b"Uid:"))
    except (OSError, StopIteration):
        return None


def processes() -> list[tuple[int, int, str]]:
    """Number, parent and state of every process that can be seen."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    words = file.read().rpartition(b")")[2].split()
            except OSError:
                continue  # it ended in the meantime
            found.append((int(name), int(words[1]), words[0].decode()))
    return found
