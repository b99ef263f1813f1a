import json
import os
import signal
import stat
import time

import pytest
from matrices import mostly_long
from starting import APP, alive, eventually, family

from orchestrator.core.exit_status import ECHO


def test_a_start_in_which_all_is_well_serves_and_a_request_to_stop_ends_it_with_zero(engine):
    engine.spec(
        "packages: [uvicorn]\ndirectories: [logs]\nmodules: [json]\nhealth: {live: /live, ready: /ready}"
    )
    engine.start().serving()
    assert engine.get("/x")[0] == 200
    assert (engine.root / "logs").is_dir()
    assert engine.statuses() == {
        "package:uvicorn": "ok", "directory:logs": "ok", "port": "ok", "module:json": "ok", "launch": "ok",
        "health:ready": "ok", "health:live": "ok",
    }  # fmt: skip
    report = engine.report()
    assert (report["schema"], report["status"], report["exit_code"]) == (1, "ready", None)
    assert [each["module"] for each in report["imports"]] == ["json", "main"]
    assert [each["name"] for each in report["phases"]] == ["variables", "requirements", "launch", "health"]
    assert engine.stop() == 0
    assert engine.status() == "stopped"


def test_the_state_directory_tells_state_probe_and_events(engine):
    engine.spec("health: {ready: /ready}").start().serving()
    assert stat.S_IMODE(os.stat(engine.state).st_mode) == 0o700
    state = json.loads((engine.state / "state.json").read_text())
    assert (state["service"], state["status"], state["pid"], state["degraded"]) == (
        "shop",
        "ready",
        engine.process.pid,
        [],
    )
    probe = (engine.state / "probe").read_text()
    assert f"endpoint ready http 127.0.0.1 {engine.port} GET /ready 200-299 2" in probe
    names = [each["event"] for each in engine.events()]
    assert names[0] == "started"
    assert "item" in names
    assert names[-1] == "finished"


def test_status_report_and_health_answer_beside_a_running_engine(engine):
    engine.spec("health: {ready: /ready, endpoints: {orders: /orders}}").start().serving()
    assert engine.command("health").returncode == 0
    assert engine.command("health", "orders").returncode == 0
    assert engine.command("health", "nonsense").returncode == 1
    said = engine.command("status")
    assert (said.returncode, said.stdout.splitlines()[0]) == (0, "shop is ready")
    assert json.loads(engine.command("status", "--format", "json").stdout)["status"] == "ready"
    told = engine.command("report")
    assert told.returncode == 0
    assert "health:ready" in told.stdout
    assert json.loads(engine.command("report", "--format", "json").stdout) == engine.report()
    assert engine.command("report", "--format", "junit").stdout.startswith("<?xml")
    assert engine.stop() == 0
    assert engine.command("health").returncode == 1


def test_every_line_of_the_json_log_is_an_object(engine):
    engine.spec(
        "steps: [{name: hello, run: [echo, hello]}]\nhealth: {ready: /ready}\ndirectories: [{path: /proc/nope, on_failure: warn}]"
    )
    engine.start("--log-format", "json").serving()
    assert engine.stop() == 0
    lines = [json.loads(line) for line in engine.stderr.splitlines() if not line.startswith("INFO:")]
    for line in lines:
        assert {"time", "level", "event", "message"} <= line.keys(), line
    assert {"started", "item", "output", "fallback", "finished", "supervision"} <= {
        each["event"] for each in lines
    }


def test_what_uvicorn_prints_is_its_own(engine):
    engine.spec().start("--log-format", "json").serving()
    strange = [line for line in engine.stderr.splitlines() if not line.startswith(("{", "INFO:"))]
    assert strange == []


FAILED = {
    "a package that is missing": ("packages: [no-such-thing]", 3),
    "a step that fails": ("steps: [{name: broken, run: ['false']}]", 3),
    "a check that fails": ("checks: [{name: wrong, run: ['false']}]", 3),
    "a wait that is refused": ("wait_for: [{name: db, tcp: '127.0.0.1:1', deadline: 300ms}]", 75),
    "a wait that is not resolved": ("wait_for: [{name: db, tcp: 'nowhere.invalid:1', deadline: 300ms}]", 75),
    "a late wait and a missing package": ("packages: [no-such-thing]\nwait_for: [{name: db, tcp: '127.0.0.1:1', deadline: 300ms}]", 3),
    "a variable that is not set": ("variables: {TOKEN: {required: true}}", 3),
    "what stop says": ("packages: [{requirement: no-such-thing, on_failure: {stop: {exit_code: 42}}}]", 42),
    "an invalid spec": ("packagess: []", 78),
    "an app that is missing": ("", 5),
    "a module of the list that is missing": ("modules: [nowhere]", 3),
}  # fmt: skip


@pytest.mark.parametrize(
    "case",
    mostly_long(
        FAILED,
        "a package that is missing",
        "a wait that is refused",
        "an invalid spec",
        "an app that is missing",
    ),
)
def test_exit_codes_say_what_kind_of_failure_it_was(engine, case):
    text, code = FAILED[case]
    launch = (
        "{app: nothing:app, host: 127.0.0.1, port: PORT}"
        if case == "an app that is missing"
        else "{app: main:app, host: 127.0.0.1, port: PORT}"
    )
    done = engine.spec(text, launch=launch).run()
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    if code != 78:
        assert engine.report()["exit_code"] == code
        assert engine.report()["status"] == "failed"


def test_the_servers_own_code_and_its_signal_are_passed_on(engine):
    engine.write(
        "main.py",
        APP
        + """
import threading, time
def end():
    while not os.path.exists("now"):
        time.sleep(0.02)
    os._exit(9)
threading.Thread(target=end, daemon=True).start()
""",
    )
    engine.spec().start().serving()
    engine.write("now")
    assert engine.wait() == 9


def test_a_server_that_a_signal_ends_gives_128_and_the_number(engine):
    engine.spec().start().serving()
    os.kill(engine.get("/")[1]["pid"], signal.SIGKILL)
    assert engine.wait() == 137


def test_a_second_interrupt_forces_the_end(engine):
    engine.write("slow.py", "import signal, sys, time\nsignal.signal(signal.SIGTERM, lambda *_: print('hold', flush=True))\n"
                            "print('up', flush=True)\nwhile True: time.sleep(0.05)\n")  # fmt: skip
    engine.spec(launch="{command: [python, slow.py], shutdown: {grace: 20s}}").start().serving()
    engine.until(lambda: "up" in engine.out.read_text())
    engine.process.send_signal(signal.SIGINT)
    engine.until(lambda: "hold" in engine.out.read_text())
    time.sleep(2 * ECHO)
    engine.process.send_signal(signal.SIGTERM)
    time.sleep(2 * ECHO)
    assert engine.process.poll() is None, "a further TERM changes nothing"
    engine.process.send_signal(signal.SIGINT)
    assert engine.wait() == 137


def test_a_role_without_a_launch_ends_with_zero_after_its_steps(engine):
    done = engine.spec("steps: [{name: hello, run: [touch, done]}]", launch="").run()
    assert done.returncode == 0, done.stderr
    assert (engine.root / "done").exists()
    assert engine.report()["status"] == "stopped"


def test_nothing_is_left_after_the_end(engine):
    engine.spec().start().serving()
    below = family(engine.process.pid)
    assert below
    assert engine.stop() == 0
    eventually(lambda: not any(alive(pid) for pid in below), 3)
