import os
import select
import signal
import subprocess
import sys

import pytest

from orchestrator.launch import signals


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


def test_blocked_signals_arrive_when_released(notes):
    mask = signals.block()
    os.kill(os.getpid(), signal.SIGTERM)
    assert notes.take() == []
    signals.release(mask)
    assert notes.take() == [signal.SIGTERM]


def test_death_by_a_signal_is_seen_by_the_parent():
    code = "import signal; from orchestrator.launch import signals; signal.signal(15, signal.SIG_IGN); signals.die_by(15)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == -15
