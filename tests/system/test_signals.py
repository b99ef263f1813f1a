import os
import select
import signal
import subprocess
import sys

import pytest

from orchestrator.system import signals


@pytest.fixture
def notes():
    made = signals.Notes()
    made.install()
    yield made
    made.restore()


def test_signals_are_noted_in_their_order_and_once(notes):
    for number in (signal.SIGUSR1, signal.SIGHUP, signal.SIGUSR1):
        os.kill(os.getpid(), number)
    assert select.select([notes], [], [], 1)[0]
    assert notes.take() == [signal.SIGUSR1, signal.SIGHUP, signal.SIGUSR1]
    assert notes.take() == []
    assert not select.select([notes], [], [], 0)[0]


def test_what_was_there_before_is_put_back():
    heard = []
    before = signal.signal(signal.SIGUSR1, lambda *_: heard.append("mine"))
    try:
        notes = signals.Notes()
        notes.install()
        notes.restore()
        os.kill(os.getpid(), signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert heard == ["mine"]


BLOCKED = """
import os
from orchestrator.system import signals
notes = signals.Notes()
notes.install()
mask = signals.block()
os.kill(os.getpid(), 15)
assert notes.take() == []
signals.release(mask)
assert notes.take() == [15]
"""


def test_blocked_signals_arrive_when_released():
    # Alone: here other threads may be given the signal.
    assert subprocess.run([sys.executable, "-c", BLOCKED]).returncode == 0


def test_what_nobody_has_read_is_handed_over_once():
    notes = signals.Notes()
    notes.install()
    os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGHUP)
    noted, descriptor = notes.hand_over()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
        os.kill(os.getpid(), number)
    copy = os.dup(descriptor)
    assert signals.arrived(noted, copy) == [signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1]
    notes.restore()


def test_death_by_a_signal_is_seen_by_the_parent():
    code = "import signal; from orchestrator.system import signals; signal.signal(15, signal.SIG_IGN); signals.die_by(15)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == -15
