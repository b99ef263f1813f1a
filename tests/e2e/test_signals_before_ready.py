"""Every signal while a start waits, runs a step or imports: as process 1, as another, and on a terminal."""

import os
import signal
import time

import pytest
from matrices import crossed, mostly_long
from namespaces import PLACES, TERMINAL, everywhere
from starting import alive, cmdline, eventually, family

from orchestrator.core.exit_status import ECHO
from orchestrator.system.signals import PASSED_ON

SOON = 2.0
"""200 ms are promised; the machine that tests may be busy with other things."""
HANGING = "open('{0}', 'w').close()\nimport time\ntime.sleep(120)\n"
PHASES = {
    "a wait": "wait_for: [{name: flag, file: nothing}]",
    "a wait in a command": "wait_for: [{name: slow, command: [sh, -c, 'sleep 120 & python hang.py reached; true'], timeout: 100s, deadline: 100s}]",
    "a check": "checks: [{name: slow, run: [sh, -c, 'sleep 120 & python hang.py reached; true'], timeout: 100s}]",
    "a condition": "files: [{path: x, when: {succeeds: [sh, -c, 'sleep 120 & python hang.py reached; true'], timeout: 100s}}]",
    "a step": "steps: [{name: long, run: [sh, -c, 'sleep 120 & python hang.py reached; true']}]",
    "an import": "modules: [imported]",
    "a remedy": "files: [{path: nothing, on_failure: {run: [python, hang.py, reached]}}]",
}


def begun(engine, phase, prefix):
    """The engine's own pid, once it is in that phase."""
    engine.write("hang.py", "import sys, time\nopen(sys.argv[1], 'w').close()\ntime.sleep(120)\n")
    engine.write("imported.py", HANGING.format("reached"))
    engine.spec(PHASES[phase]).start(prefix=prefix)
    if phase == "a wait":
        engine.says("wait:flag")
    engine.until((engine.root / "reached").exists if phase != "a wait" else lambda: True)
    return own_pid(engine, prefix)


def own_pid(engine, prefix):
    """Of all that runs below, the first is the engine: whatever stands before it starts nothing else."""
    return family(engine.process.pid)[0] if prefix else engine.process.pid


def ends(engine, code):
    began = time.monotonic()
    assert engine.wait() == code, engine.stderr
    assert time.monotonic() - began < SOON
    assert "Traceback" not in engine.stderr
    assert "KeyboardInterrupt" not in engine.stderr


def nothing_is_left(below):
    eventually(lambda: not any(alive(pid) for pid in below), 5, lambda: [cmdline(pid) for pid in below])


@crossed(prefix=PLACES, phase=PHASES)
def test_what_is_the_servers_business_ends_no_start(engine, prefix, phase):
    pid = begun(engine, phase, prefix)
    for number in PASSED_ON:
        os.kill(pid, number)
    below = family(pid)
    os.kill(pid, signal.SIGTERM)
    ends(engine, 143)
    nothing_is_left(below)
    assert engine.status() == "stopped"
    assert engine.report()["exit_code"] == 143


@pytest.mark.parametrize("phase", mostly_long(PHASES, "a wait", "an import"))
def test_ctrl_c_ends_a_start_with_130_and_all_that_it_has_begun(engine, phase):
    """The keyboard tells the whole foreground group, in which the importing process may be too."""
    pid = begun(engine, phase, TERMINAL)
    below = family(pid)
    engine.process.send_signal(signal.SIGUSR2)
    ends(engine, 130)
    nothing_is_left(below)


@everywhere
def test_a_second_request_ends_what_does_not_want_to_end(engine, prefix):
    engine.write(
        "deaf.py",
        "import signal, time\nsignal.signal(signal.SIGTERM, lambda *_: open('asked', 'w').close())\n"
        "open('reached', 'w').close()\nwhile True: time.sleep(0.05)\n",
    )
    engine.spec("steps: [{name: long, run: [python, deaf.py], grace: 60s}]").start(prefix=prefix)
    engine.until((engine.root / "reached").exists)
    pid = own_pid(engine, prefix)
    below = family(pid)
    os.kill(pid, signal.SIGINT)
    engine.until((engine.root / "asked").exists)
    time.sleep(2 * ECHO)
    os.kill(pid, signal.SIGINT)
    ends(engine, 137)
    nothing_is_left(below)
