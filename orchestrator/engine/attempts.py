"""Where attempts that may block are made: a daemon thread for each wait or check, which cannot keep the end waiting."""

from __future__ import annotations

import os
import queue
import random
import threading
import traceback
from typing import TYPE_CHECKING, Any

from orchestrator.core import backoff
from orchestrator.system import processes

if TYPE_CHECKING:
    from orchestrator.core.context import Context
    from orchestrator.core.outcome import Outcome
    from orchestrator.engine.item import Work


SHORTEST = 0.05
"""Seconds that an attempt gets at least; with less left before the deadline none is made."""


NEARLY = 0.9
"""An attempt that took this much of its time has used it up."""


class Attempt:
    """What a lane tells the engine: an outcome, and whether it is the last."""

    __slots__ = ("bug", "lane", "last", "outcome", "work")

    def __init__(self, work: Work, lane: int, outcome: Outcome | None, *, last: bool, bug: str = "") -> None:
        self.work = work
        self.lane = lane
        self.outcome = outcome
        self.last = last
        self.bug = bug


class Lanes:
    """The threads, and the pipe that wakes the engine's loop when one has something to tell."""

    def __init__(self) -> None:
        self._told: queue.SimpleQueue[Attempt] = queue.SimpleQueue()
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)
        self.running: set[Work] = set()
        self._stop = threading.Event()

    def fileno(self) -> int:
        return self._reader

    def start(self, work: Work, context: Context, policy: backoff.Policy, deadline: float | None) -> None:
        """Tries until it is well, cannot become well, or the deadline (seconds) is over; None tries once."""
        self.running.add(work)
        work.lane += 1
        arguments = (work, work.lane, work.item, context, policy, deadline)
        threading.Thread(target=self._lane, args=arguments, name=work.id, daemon=True).start()

    def take(self) -> list[Attempt]:
        """What was told since the last time. Never waits."""
        try:
            while os.read(self._reader, 4096):
                pass
        except BlockingIOError:
            pass
        taken = []
        while not self._told.empty():
            attempt = self._told.get()
            if attempt.last and attempt.lane == attempt.work.lane:
                self.running.discard(attempt.work)
            taken.append(attempt)
        return taken

    def give_up(self, work: Work) -> None:
        """What a work's lane still tells is not heard any more."""
        work.lane += 1
        self.running.discard(work)

    def abandon(self) -> None:
        """Lets the threads end by themselves, and kills their commands; nobody listens to them any more."""
        self._stop.set()
        processes.abandon()
        self.running.clear()

    def _lane(
        self,
        work: Work,
        lane: int,
        item: Any,
        context: Context,
        policy: backoff.Policy,
        deadline: float | None,
    ) -> None:
        try:
            self._try(work, lane, item, context, policy, deadline)
        except Exception:
            self._tell(Attempt(work, lane, None, last=True, bug=traceback.format_exc()))

    def _try(
        self,
        work: Work,
        lane: int,
        item: Any,
        context: Context,
        policy: backoff.Policy,
        deadline: float | None,
    ) -> None:
        clock, began = context.clock, context.clock.now()
        attempt, before = 0, None
        while not self._stop.is_set() and work.lane == lane:
            attempt += 1
            asked = clock.now()
            left = None if deadline is None else max(deadline - (asked - began), SHORTEST)
            bounded = context if left is None else context.within(min(context.timeout, left))
            outcome = item.attempt(bounded)
            now = clock.now()
            cut_short = bounded.timeout < context.timeout and now - asked >= NEARLY * bounded.timeout
            if before is not None and cut_short and not outcome.ok:
                outcome = before  # by the deadline: what it said when it had its time says more
            pause = backoff.pause(policy, attempt, now - began, random.random())  # noqa: S311 - spreads load, keeps no secret
            until_over = None if deadline is None else deadline - (now - began)
            pause = _not_past(pause, until_over, now - asked)
            over = (
                until_over is None
                or until_over <= SHORTEST
                or (policy.times is not None and attempt >= policy.times)
            )
            last = outcome.ok or outcome.final or over
            self._tell(Attempt(work, lane, outcome, last=last))
            if last or self._stop.wait(pause):
                return
            before = outcome

    def _tell(self, attempt: Attempt) -> None:
        self._told.put(attempt)
        try:
            os.write(self._writer, b".")
        except BlockingIOError:
            return  # the pipe is full: the loop has reason enough to wake


def _not_past(pause: float, left: float | None, took: float) -> float:
    """The pause, but not so long that the last attempt would not find the time that the one before took."""
    return pause if left is None else max(min(pause, left - took - SHORTEST), 0.0)
