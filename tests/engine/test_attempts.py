"""Attempts until a deadline, on a clock of the test's own: nothing here takes time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.backoff import Policy
from orchestrator.core.context import Context
from orchestrator.core.outcome import failed, ok
from orchestrator.core.phases import WAIT
from orchestrator.engine import attempts
from orchestrator.engine.item import Work


class Clock:
    def __init__(self):
        self.time = 0.0

    def now(self):
        return self.time


class Item:
    """Takes its time, at most what it is given, and then says what it says."""

    cut_short = "timeout"

    def __init__(self, clock, takes, says="refused", well_from=None):
        self.clock, self.takes, self.says, self.well_from = clock, takes, says, well_from
        self.began = []

    def attempt(self, context):
        self.began.append(self.clock.time)
        cut = self.takes > context.timeout
        self.clock.time += min(self.takes, context.timeout)
        if self.well_from is not None and self.clock.time >= self.well_from and not cut:
            return ok("well")
        return failed("ORC501", self.cut_short if cut else self.says, "cut short" if cut else "as ever")


def outcomes(item, deadline, policy=None, timeout=2.0):
    """All that the lane tells, and when it told the last."""
    made = attempts.Lanes()
    clock = item.clock
    made._stop.wait = lambda pause: setattr(clock, "time", clock.time + pause)
    work = Work("wait:it", item, ("wait_for", 0), None, WAIT)
    work.lane = 1
    made._try(work, 1, item, Context({}, clock=clock, timeout=timeout), policy or Policy(), deadline)
    return made.take()


@given(st.floats(0.2, 100), st.floats(0.0005, 1.9))
def test_it_tries_until_its_time_is_over_and_not_longer(deadline, takes):
    item = Item(Clock(), takes)
    told = outcomes(item, deadline)
    assert [each.last for each in told] == [False] * (len(told) - 1) + [True]
    assert item.clock.time <= deadline + attempts.SHORTEST
    assert item.clock.time >= deadline - attempts.SHORTEST - 1e-6


def test_what_comes_late_is_still_seen():
    item = Item(Clock(), 0.001, well_from=9.9)
    assert outcomes(item, 10.0)[-1].outcome.ok


@pytest.mark.parametrize("takes", [0.7, 5.0])
def test_an_attempt_that_is_cut_short_does_not_hide_what_was_the_matter(takes):
    """The last one has less time than it needs; the reason that was known stays."""
    item = Item(Clock(), 0.001)
    made = outcomes(item, 1.0)
    assert made[-1].outcome.reason == "refused"
    slow = Item(Clock(), takes)
    told = outcomes(slow, 1.0)
    assert told[-1].outcome.reason == ("refused" if takes < 1 else "timeout")


def test_without_a_deadline_it_is_tried_once():
    assert len(outcomes(Item(Clock(), 0.1), None)) == 1


def test_so_many_times_are_enough():
    assert len(outcomes(Item(Clock(), 0.001), 60.0, Policy(times=3))) == 3


def test_whatever_a_cut_attempt_calls_it_the_reason_that_was_known_stays():
    """A name server that is given no time to answer is not one that is silent."""
    item = Item(Clock(), 0.3, says="unknown name")
    item.cut_short = "dns"
    assert {each.outcome.reason for each in outcomes(item, 1.0)} == {"unknown name"}
