"""`telemetry.listen` over a whole life: from the start, through readiness, a crash and the engine that comes back, to the end."""

import http.client
import json
import os
import signal
import socket

import pytest
from ports import free_port
from starting import eventually

SPEC = "telemetry: {{listen: '127.0.0.1:{port}'}}\n"


@pytest.fixture
def asked(engine):
    """Asks the operations listener; status and body, or nothing where nobody listens."""
    engine.operations = free_port()

    def ask(path):
        connection = http.client.HTTPConnection("127.0.0.1", engine.operations, timeout=10)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except OSError:
            return None
        finally:
            connection.close()

    return ask


def spec(engine, text=""):
    return engine.spec(SPEC.format(port=engine.operations) + text)


def test_it_tells_how_the_service_is_from_the_start_to_the_end(engine, asked):
    spec(engine, "wait_for: [{name: it, file: late}]\nhealth: {ready: /ready}\n").start()
    eventually(lambda: asked("/ready") == (503, "starting\n"))
    assert asked("/live") == (200, "starting\n")
    engine.write("late")
    engine.serving()
    assert asked("/ready") == (200, "ready\n")
    assert json.loads(asked("/status")[1])["pid"] == engine.process.pid
    assert 'orchestrator_service_status{status="ready"} 1' in asked("/metrics")[1]
    assert 'orchestrator_item_status{item="wait:it",kind="wait",status="ok"} 1' in asked("/metrics")[1]
    assert engine.stop() == 0
    assert asked("/live") is None


def test_features_that_are_off_are_told_and_when_they_are_on_again(engine, asked):
    spec(engine, "files: [{path: late, on_failure: {degrade: search, recheck: 100ms}}]\n").start().serving()
    assert 'orchestrator_feature_degraded{feature="search"} 1' in asked("/metrics")[1]
    engine.write("late")
    eventually(lambda: 'orchestrator_feature_degraded{feature="search"} 0' in asked("/metrics")[1])


def test_it_outlives_the_server_and_answers_in_maintenance(engine, asked):
    spec(engine, "health: {ready: /ready, on_failure: [{serve: maintenance}]}\n").start().serving()
    before = listener_of(engine)
    engine.write("main.py", "raise SystemExit('broken')")
    os.kill(engine.get("/")[1]["pid"], signal.SIGKILL)
    eventually(lambda: asked("/ready") == (503, "maintenance\n"))
    assert asked("/live") == (200, "maintenance\n")
    assert listener_of(engine) == before
    assert engine.stop() == 0
    eventually(lambda: asked("/live") is None)


def listener_of(engine):
    from starting import cmdline, family

    return [pid for pid in family(engine.process.pid) if b"operations.py" in cmdline(pid)]


def test_nothing_listens_that_was_not_asked_for(engine):
    engine.spec("health: {ready: /ready}\n").start().serving()
    assert listener_of(engine) == []


def test_a_taken_address_is_said_and_the_service_starts(engine, asked):
    with socket.create_server(("127.0.0.1", engine.operations)):
        spec(engine, "health: {ready: /ready}\n").start().serving()
    assert "no operations listener: cannot bind 127.0.0.1" in engine.stderr
    assert engine.status() == "ready"


def test_that_it_ended_is_said(engine, asked):
    spec(engine).start().serving()
    (pid,) = listener_of(engine)
    os.kill(pid, signal.SIGKILL)
    engine.says("the operations listener was ended by SIGKILL")
    assert engine.get("/")[0] == 200
    assert engine.stop() == 0


def test_it_goes_with_an_engine_that_is_killed(engine, asked):
    spec(engine).start().serving()
    engine.process.kill()
    engine.process.wait()
    eventually(lambda: asked("/live") is None)
