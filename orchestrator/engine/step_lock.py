"""A step's turn: asks in a thread of its own whether it is done already, waits there for its lock, and tells the loop.

Knows locks and the question whether a step is done already, nothing of how it is run.
"""

from __future__ import annotations

import os
import queue
import random
import select
import threading
import time
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.core.outcome import Outcome, failed
from orchestrator.engine.locks import CannotLock
from orchestrator.requirements._conditions import CannotTell

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestrator.engine.locks import Lock

WAITS, GO, DONE, FAILED, LOST, BUG = "waits", "go", "done", "failed", "lost", "bug"
_SAID_AFTER = 2
"""Vain tries before it is said that it waits: a lock may only just be given back."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 0.5


@dataclass(frozen=True, slots=True)
class Told:
    """What a turn tells: that it waits, that the step may run or is done, or why neither will be."""

    word: str
    text: str = ""
    outcome: Outcome | None = None


class _Bell:
    """Wakes a `poll` in another thread. Closed when nobody has it any more."""

    def __init__(self) -> None:
        self._descriptor = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def fileno(self) -> int:
        return self._descriptor

    def ring(self) -> None:
        os.eventfd_write(self._descriptor, 1)

    def quiet(self) -> None:
        try:
            os.eventfd_read(self._descriptor)
        except BlockingIOError:
            return  # nobody has rung

    def __del__(self) -> None:
        os.close(self._descriptor)


class Turn:
    """`fileno` is readable when `take` has something to tell. `end` gives the lock back, held or not.

    Without a lock it asks the question alone, and its word to go is its last.
    """

    def __init__(self, lock: Lock | None, done: Callable[[], str], patience: float) -> None:
        self._lock = lock
        self._done = done
        self._patience = patience
        """Seconds for which a lock that cannot be tried is tried again. A lock that is held is waited for without end."""
        self._told: queue.SimpleQueue[Told] = queue.SimpleQueue()
        self._heard = _Bell()
        self._end = _Bell()
        self._over = False
        name = f"lock {lock.name}" if lock is not None else "is it done"
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def fileno(self) -> int:
        return self._heard.fileno()

    def take(self) -> list[Told]:
        """What was told since the last time. Never waits."""
        self._heard.quiet()
        taken = []
        while not self._told.empty():
            taken.append(self._told.get())
        return taken

    def end(self) -> None:
        """The lock is given back, or no more waited for. Never waits."""
        self._over = True
        self._end.ring()

    def _tell(self, word: str, text: str = "", outcome: Outcome | None = None) -> None:
        self._told.put(Told(word, text, outcome))
        self._heard.ring()

    def _run(self) -> None:
        try:
            self._turn()
        except CannotTell as error:
            said = f"cannot tell whether it is done: {error}"
            self._tell(FAILED, outcome=failed("ORC601", "condition", said, final=True))
        except CannotLock as error:
            self._tell(FAILED, outcome=error.outcome)
        except Exception:
            self._tell(BUG, traceback.format_exc())
        finally:
            if self._lock is not None:
                self._lock.release()

    def _turn(self) -> None:
        if done := self._done():
            self._tell(DONE, done)
        elif self._lock is None:
            self._tell(GO)
        elif self._taken(self._lock):
            self._under_the_lock(self._lock)

    def _taken(self, lock: Lock) -> bool:
        """Tries until it is taken, or not wanted any more."""
        pause, vain, tried = _FIRST_PAUSE, 0, time.monotonic()
        while not self._over:
            try:
                if lock.take():
                    return True
                tried = time.monotonic()
                text = _waits_for(lock)
            except CannotLock as error:
                if error.outcome.final or time.monotonic() - tried >= self._patience:
                    raise
                text = error.outcome.summary
            vain += 1
            if vain == _SAID_AFTER:
                self._tell(WAITS, text)
            self._sleep(pause * (0.5 + random.random() / 2))  # noqa: S311 - spreads load, keeps no secret
            pause = min(pause * 1.5, _LONGEST_PAUSE)
        return False

    def _under_the_lock(self, lock: Lock) -> None:
        """Who had the lock before may have done it: asked again."""
        if done := self._done():
            self._tell(DONE, done)
            return
        lost = lock.lost()
        if not lost and not self._over:
            self._tell(GO)
            lost = self._held(lock)
        if lost:
            self._tell(LOST, lost)

    def _held(self, lock: Lock) -> str:
        """Holds it until it is given back, or lost: then why."""
        while not self._over:
            self._sleep(None, lock.fileno())
            if not self._over and (lost := lock.lost()):
                return lost
        return ""

    def _sleep(self, seconds: float | None, lock: int = -1) -> None:
        """Until the end is rung, or the lock (its descriptor) has something to say while it is held."""
        poll = select.poll()
        poll.register(self._end, select.POLLIN)
        if lock >= 0:
            poll.register(lock, select.POLLIN)
        poll.poll(None if seconds is None else seconds * 1000)


def _waits_for(lock: Lock) -> str:
    holder = lock.holder()
    return f"waiting for the lock {lock.name}" + (f", which {holder} holds" if holder else "")
