"""After the launch a fallback may need more than the supervisor: the engine comes back in its process, and goes on."""

import os
import signal
import sys
import time

import pytest
from matrices import mostly_long
from starting import APP, cmdline

BREAKABLE = (
    APP
    + """
import signal, threading, time
open("starts", "a").write("x")
MODE = os.environ.get("APP_MODE", "")

def fall():
    while True:
        if os.path.exists("crash") and MODE != "safe":
            os._exit(9)
        time.sleep(0.02)

threading.Thread(target=fall, daemon=True).start()
"""
)
HEALTH = "health: {live: /live, ready: /ready, %s on_failure: %s}\n"
WATCHED = "watch: {interval: 200ms, failures: 2},"


@pytest.fixture
def service(engine):
    engine.write("main.py", BREAKABLE)

    def start(actions, *, watch="", more="", **words):
        engine.spec(more + HEALTH % (watch, actions)).start(**words).serving()
        return engine

    return start


def starts(engine):
    return len((engine.root / "starts").read_text())


def answers(engine, status):
    return engine.until(lambda: (found := engine.tries()) and found[0] == status and found)


def is_supervisor(engine):
    return b"supervisor.py" in cmdline(engine.process.pid)


def test_maintenance_after_a_crash_checks_again_and_hands_over_in_the_same_process(service):
    engine = service("{serve: maintenance}", more="steps: [{name: once, run: [sh, -c, 'echo x >> once']}]\n")
    pid = engine.process.pid
    engine.write("crash")
    answers(engine, 503)
    engine.says("the engine is back")
    assert not is_supervisor(engine)
    assert engine.status() == "maintenance"
    engine.until(lambda: engine.report()["status"] == "maintenance")
    assert engine.get("/live")[0] == 200
    assert engine.command("health", "live").returncode == 0
    assert engine.command("health", "ready").returncode == 1
    (engine.root / "crash").unlink()
    answers(engine, 200)
    engine.serving()
    assert engine.process.pid == pid
    assert engine.status() == "ready"
    assert engine.item("health:ready")["status"] == "healed"
    assert (engine.root / "once").read_text() == "x\n", "a step was run again"
    assert engine.stop() == 0


def test_what_is_said_of_coming_again_is_said_after_a_crash_too(service):
    engine = service("{serve: maintenance, retry_after: 2m, message: Back at noon.}")
    engine.write("crash")
    answers(engine, 503)
    said = engine.get("/")[1]
    assert (said["retry_after"], said["detail"]) == (120, "Back at noon.")
    engine.says("the engine is back")
    engine.until(lambda: engine.status() == "maintenance")
    said = engine.get("/")[1]
    assert (said["retry_after"], said["detail"]) == (120, "Back at noon.")


def test_a_service_that_does_not_come_back_is_not_said_not_to_have_started(service):
    engine = service("[{serve: maintenance, for: 1s}, {stop: {exit_code: 17}}]")
    engine.write("crash")
    assert engine.wait() == 17
    assert "shop did not come back (exit 17): " in engine.stderr
    assert "did not start" not in engine.stderr


@pytest.mark.long
def test_no_connection_is_lost_from_maintenance_to_the_service(service):
    engine = service("{serve: maintenance}")
    engine.write("crash")
    answers(engine, 503)
    found = []
    (engine.root / "crash").unlink()
    engine.until(lambda: found.append(engine.get("/x")[0]) or found[-1] == 200)
    assert set(found) == {200, 503}


@pytest.mark.long
def test_it_comes_back_again_and_again_with_pauses_that_grow(service):
    engine = service("{serve: maintenance}")
    for number in (1, 2):
        engine.write("crash")
        engine.until(lambda: engine.stderr.count("the engine is back") == number)  # noqa: B023 -- asked at once
        (engine.root / "crash").unlink()
        answers(engine, 200)
        engine.serving()
    assert engine.stop() == 0


def test_an_app_that_cannot_even_be_imported_any_more_is_maintained(service):
    engine = service("{serve: maintenance}")
    engine.write("main.py", "raise RuntimeError('half of a deployment')\n")
    engine.write("crash")
    engine.says("half of a deployment")
    assert engine.tries()[0] == 503
    engine.write("main.py", BREAKABLE)
    (engine.root / "crash").unlink()
    answers(engine, 200)
    assert engine.serving().stop() == 0


def test_what_the_server_said_is_the_exit_code_at_the_end_of_the_list(service):
    engine = service("[{run: ['false']}]")
    engine.write("crash")
    assert engine.wait() == 9


def test_restarts_come_first(service):
    engine = service("[{restart: {times: 1}}, {serve: maintenance}]")
    engine.write("crash")
    answers(engine, 503)
    assert starts(engine) >= 2
    assert "restarting in 0.5 s" in engine.stderr


def test_a_command_mends_what_made_the_server_crash(service):
    engine = service("{run: [rm, crash]}")
    pid = engine.process.pid
    engine.write("crash")
    engine.until(lambda: starts(engine) == 2)
    engine.serving()
    assert engine.process.pid == pid
    assert answers(engine, 200)
    assert engine.item("health:ready")["status"] == "healed"
    assert engine.item("health:ready")["fallbacks"][-1]["action"] == "run"


def test_set_starts_a_crashed_server_with_another_environment(service):
    engine = service("{set: {APP_MODE: safe}}")
    engine.write("crash")
    engine.until(lambda: (found := engine.tries()) and found[1]["environ"].get("APP_MODE") == "safe")
    assert engine.serving().stop() == 0


@pytest.mark.long
def test_another_app_is_served_until_the_service_can_be_again(service):
    engine = service("{serve: 'closed:app'}")
    engine.write("closed.py", """
        async def app(scope, receive, send):
            if scope["type"] == "http":
                await send({"type": "http.response.start", "status": 418, "headers": []})
                await send({"type": "http.response.body", "body": b"closed"})
    """)  # fmt: skip
    engine.write("crash")
    answers(engine, 418)
    (engine.root / "crash").unlink()
    answers(engine, 200)
    assert engine.serving().stop() == 0


def test_without_health_the_launch_says_what_follows(engine):
    engine.write("main.py", BREAKABLE)
    engine.spec(launch="{app: main:app, host: 127.0.0.1, port: PORT, on_failure: {serve: maintenance}}")
    engine.start().serving()
    engine.write("crash")
    answers(engine, 503)
    (engine.root / "crash").unlink()
    answers(engine, 200)
    engine.serving()
    assert engine.item("launch")["status"] == "healed"


@pytest.mark.parametrize("number", mostly_long([signal.SIGTERM, signal.SIGINT], signal.SIGTERM))
def test_a_stop_while_it_is_back_is_a_proper_end(service, number):
    engine = service("{serve: maintenance}")
    engine.write("crash")
    engine.says("the engine is back")
    assert engine.stop(number) == 0
    assert engine.status() == "stopped"


def test_a_stop_while_it_comes_back_is_heard(service):
    engine = service("{serve: maintenance}")
    engine.write("crash")
    answers(engine, 503)
    assert engine.stop() == 0
    assert engine.status() == "stopped"


def test_where_the_engine_cannot_come_back_maintenance_stays(service):
    engine = service("{serve: maintenance}")
    (engine.root / "startup.yaml").unlink()
    engine.write("crash")
    engine.says("the engine cannot come back")
    answers(engine, 503)
    assert is_supervisor(engine)
    assert engine.stop() == 0


def test_where_the_engine_cannot_come_back_the_action_after_next_follows(service):
    engine = service("[{set: {APP_MODE: safe}}, {stop: {exit_code: 21}}]")
    (engine.root / "startup.yaml").unlink()
    engine.write("crash")
    assert engine.wait() == 21


def test_warn_keeps_a_server_that_lives_and_is_not_well(service):
    engine = service("warn", watch=WATCHED)
    server = engine.get("/")[1]["pid"]
    engine.write("broken-live")
    engine.until(lambda: engine.statuses()["health:live"] == "warned")
    assert engine.get("/")[1]["pid"] == server
    assert is_supervisor(engine)
    assert engine.stop() == 0


def test_degrade_keeps_a_server_that_lives_and_the_feature_comes_back(service):
    engine = service("{degrade: fast, recheck: 300ms}", watch=WATCHED)
    server = engine.get("/")[1]["pid"]
    engine.write("broken-live")
    engine.until(lambda: engine.get("/")[1]["degraded"] == ["fast"])
    (engine.root / "broken-live").unlink()
    engine.until(lambda: engine.get("/")[1]["degraded"] == [])
    engine.until(lambda: engine.status() == "ready")
    assert engine.get("/")[1]["pid"] == server


def test_a_command_mends_a_server_that_lives(service):
    engine = service("[{run: [rm, broken-live]}, {stop: {exit_code: 9}}]", watch=WATCHED)
    server = engine.get("/")[1]["pid"]
    engine.write("broken-live")
    engine.says("health:live holds")
    assert engine.get("/")[1]["pid"] == server
    engine.until(lambda: engine.statuses()["health:live"] == "healed")


@pytest.mark.long
def test_a_command_that_does_not_mend_leads_on(service):
    engine = service("[{run: ['true']}, {stop: {exit_code: 23}}]", watch=WATCHED)
    engine.write("broken-live")
    assert engine.wait() == 23


def test_a_server_that_is_not_well_is_maintained_and_handed_over(service):
    engine = service("{serve: maintenance}", watch=WATCHED)
    engine.write("broken-live")
    engine.write("broken-ready")
    answers(engine, 503)
    engine.says("the engine is back")
    (engine.root / "broken-live").unlink()
    (engine.root / "broken-ready").unlink()
    answers(engine, 200)
    assert engine.serving().stop() == 0


def test_features_stay_off_while_the_engine_is_back(service):
    engine = service(
        "{serve: maintenance}",
        more="files: [{path: late, on_failure: {degrade: search, recheck: 300ms}}]\n",
    )
    engine.write("crash")
    engine.says("the engine is back")
    (engine.root / "crash").unlink()
    found = answers(engine, 200)[1]
    assert found["at_import"] == "search"
    engine.serving()
    assert engine.status() == "degraded"
    engine.write("late")
    engine.until(lambda: engine.status() == "ready")


@pytest.mark.long
def test_nothing_is_left_open_from_one_engine_to_the_next(service):
    engine = service("{serve: maintenance}")
    pid = engine.process.pid

    def round_trip():
        before = engine.stderr.count("the engine is back")
        engine.write("crash")
        engine.until(lambda: engine.stderr.count("the engine is back") > before)
        (engine.root / "crash").unlink()
        answers(engine, 200)
        engine.serving()
        return sorted(
            os.readlink(f"/proc/{pid}/fd/{name}").partition(":")[0] for name in os.listdir(f"/proc/{pid}/fd")
        )

    first = round_trip()
    assert round_trip() == first


def test_python_is_the_one_that_was_started_first(service):
    engine = service("{serve: maintenance}")
    engine.write("crash")
    engine.says("the engine is back")
    words = cmdline(engine.process.pid).split(b"\0")
    assert words[0] == sys.executable.encode()
    assert words[1:4] == [b"-m", b"orchestrator", b"run"]
    with open(f"/proc/{engine.process.pid}/environ", "rb") as file:
        environ = file.read()
    assert f"PORT={engine.port}".encode() in environ.split(b"\0")


def test_restarts_that_were_spent_stay_spent(engine):
    engine.write("main.py", BREAKABLE)
    engine.spec(
        "health: {ready: /ready, on_failure: [{restart: {times: 1}}, {run: [rm, crash]}, {stop: {exit_code: 31}}]}"
    ).start().serving()
    engine.write("crash")
    engine.until(lambda: starts(engine) >= 3 and not (engine.root / "crash").exists())
    engine.serving()
    began = time.monotonic()
    engine.write("crash")
    assert engine.wait() == 31
    assert time.monotonic() - began < 15


@pytest.mark.parametrize("delay", mostly_long([0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4], 0.1, 0.3))
def test_a_stop_at_any_moment_of_the_change_is_heard(service, delay):
    engine = service("{serve: maintenance}")
    engine.write("crash")
    engine.says("the server ended with 9")
    time.sleep(delay)
    assert engine.stop() == 0
    assert engine.status() == "stopped"
