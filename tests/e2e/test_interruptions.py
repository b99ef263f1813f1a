import os
import signal
import time

import pytest
from starting import alive, eventually, family

from orchestrator.core.exit_status import ECHO

SOON = 0.4
"""What is promised is 200 ms; the machine that tests may be busy."""


def interrupted(engine, number=signal.SIGTERM):
    began = time.monotonic()
    code = engine.stop(number)
    return code, time.monotonic() - began


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_request_to_stop_ends_a_wait_at_once(engine, number, code):
    engine.spec("wait_for: [{name: db, tcp: '127.0.0.1:1'}]").start().says("wait:db")
    ended, took = interrupted(engine, number)
    assert ended == code
    assert took < SOON
    assert engine.status() == "stopped"
    assert engine.report()["exit_code"] == code


def test_a_request_to_stop_ends_a_wait_that_hangs_in_a_command(engine):
    engine.spec("wait_for: [{name: slow, command: [sleep, '30'], timeout: 25s}]").start()
    eventually(lambda: len(family(engine.process.pid)) >= 1)
    eventually(lambda: engine.status() == "starting")
    time.sleep(0.2)
    ended, took = interrupted(engine)
    assert ended == 143
    assert took < SOON


def test_a_request_to_stop_ends_an_import_at_once(engine):
    engine.write("main.py", "import time\nopen('importing', 'w').close()\ntime.sleep(60)\n")
    engine.spec().start().until((engine.root / "importing").exists)
    below = family(engine.process.pid)
    ended, took = interrupted(engine)
    assert ended == 143
    assert took < SOON
    eventually(lambda: not any(alive(pid) for pid in below), 3)


def test_a_request_to_stop_ends_a_step_and_all_that_it_started(engine):
    engine.write("step.sh", "sleep 60 & sleep 60 & touch running; wait\n")
    engine.spec("steps: [{name: long, run: [sh, step.sh]}]").start().until((engine.root / "running").exists)
    below = family(engine.process.pid)
    assert len(below) >= 3
    ended, took = interrupted(engine)
    assert ended == 143
    assert took < SOON
    eventually(lambda: not any(alive(pid) for pid in below), 3)


def test_a_step_that_cleans_up_has_its_grace(engine):
    engine.write("step.py", "import signal, time, sys\n"
                 "def end(*_):\n    time.sleep(0.3); open('cleaned', 'w').close(); sys.exit(0)\n"
                 "signal.signal(signal.SIGTERM, end)\nopen('running', 'w').close()\ntime.sleep(60)\n")  # fmt: skip
    engine.spec("steps: [{name: long, run: [python, step.py]}]").start().until(
        (engine.root / "running").exists
    )
    assert engine.stop() == 143
    assert (engine.root / "cleaned").exists()


def test_a_second_interrupt_ends_a_step_that_does_not_want_to_end(engine):
    engine.write("step.py", "import signal, time\nsignal.signal(signal.SIGTERM, lambda *_: open('asked', 'w').close())\n"
                            "open('running', 'w').close()\nwhile True: time.sleep(0.05)\n")  # fmt: skip
    engine.spec("steps: [{name: long, run: [python, step.py], grace: 30s}]").start()
    engine.until((engine.root / "running").exists)
    engine.process.send_signal(signal.SIGINT)
    engine.until((engine.root / "asked").exists)
    time.sleep(2 * ECHO)
    ended, took = interrupted(engine, signal.SIGINT)
    assert ended == 137
    assert took < SOON


def test_a_request_to_stop_ends_a_remedy(engine):
    engine.spec("files: [{path: nothing, on_failure: {run: [sh, -c, 'touch running; sleep 60']}}]").start()
    engine.until((engine.root / "running").exists)
    below = family(engine.process.pid)
    ended, took = interrupted(engine)
    assert ended == 143
    assert took < SOON
    eventually(lambda: not any(alive(pid) for pid in below), 3)


def test_a_request_to_stop_while_health_is_asked_ends_the_server(engine):
    engine.write("broken-ready")
    engine.spec("health: {ready: /ready}").start()
    engine.until(lambda: engine.tries("/x"))
    server = engine.get("/x")[1]["pid"]
    assert engine.stop() == 143
    assert not alive(server)


def test_a_request_to_stop_during_maintenance_ends_it(engine):
    engine.spec("files: [{path: flag, on_failure: {serve: maintenance}}]").start()
    engine.until(lambda: engine.tries("/"))
    below = family(engine.process.pid)
    ended, took = interrupted(engine)
    assert ended == 143
    assert took < 4
    assert not any(alive(pid) for pid in below)


def test_an_engine_that_is_killed_leaves_neither_server_nor_importer(engine):
    engine.spec().start().serving()
    below = family(engine.process.pid)
    os.kill(engine.process.pid, signal.SIGKILL)
    engine.wait()
    eventually(lambda: not any(alive(pid) for pid in below), 5)


def test_a_stop_is_heard_while_a_step_is_asked_whether_it_is_done(engine):
    engine.spec(
        "steps: [{name: it, run: [touch, ran], unless: {succeeds: [sh, -c, 'touch asked; sleep 30']}, timeout: 60s}]"
    )
    engine.start()
    engine.until((engine.root / "asked").exists)
    began = time.monotonic()
    assert engine.stop() == 143
    assert time.monotonic() - began < 5
    assert not (engine.root / "ran").exists()


def test_a_request_that_is_told_twice_at_once_is_one_request(engine):
    """`timeout` tells the process and then its group: a step keeps its grace, and nothing is forced."""
    engine.write("step.py", "import signal, sys, time\nsignal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.3), sys.exit(0)))\n"
                            "open('running', 'w').close()\nwhile True: time.sleep(0.05)\n")  # fmt: skip
    engine.spec("steps: [{name: long, run: [python, step.py], grace: 30s}]").start()
    engine.until((engine.root / "running").exists)
    for _ in range(3):
        engine.process.send_signal(signal.SIGTERM)
        time.sleep(0.01)
    assert engine.wait() == 143


def test_a_further_term_changes_nothing(engine):
    """Platforms send two: a step keeps its grace."""
    engine.write("step.py", "import signal, sys, time\nsignal.signal(signal.SIGTERM, lambda *_: (time.sleep(1), sys.exit(0)))\n"
                            "open('running', 'w').close()\nwhile True: time.sleep(0.05)\n")  # fmt: skip
    engine.spec("steps: [{name: long, run: [python, step.py], grace: 30s}]").start()
    engine.until((engine.root / "running").exists)
    for _ in range(3):
        engine.process.send_signal(signal.SIGTERM)
        time.sleep(2 * ECHO)
    assert engine.wait() == 143


def test_the_report_says_how_it_ended(engine):
    engine.spec("health: {ready: /ready}").start().serving()
    assert engine.report()["status"] == "ready"
    assert engine.stop() == 0
    assert (engine.report()["status"], engine.report()["exit_code"]) == ("stopped", 0)
    assert "shop: stopped, exit 0; its start took" in engine.command("report").stdout
