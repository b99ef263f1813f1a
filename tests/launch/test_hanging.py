"""Servers that hang, what they say of it, and how long things took; long connections at the end."""

import json
import os
import pickle
import re
import signal
import socket
import time

import pytest
from launching import alive, eventually, family
from ports import free_port

HANGING = """
import os, time
from tiny_asgi import App
app = App()

@app.get("/")
def root():
    return {"pid": os.getpid()}

@app.get("/health")
async def health():
    return {}

@app.get("/hang")
async def hang():
    print("hanging", flush=True)
    time.sleep(600)
"""


def ask(service, path="/hang"):
    """A request that nobody waits for."""
    caller = socket.create_connection(("127.0.0.1", service.port), timeout=5)
    caller.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    return caller


def shows_where(service):
    """The stack, to the line: nobody writes into another's."""
    return " in hang\n" in service.errors()


def hang(service):
    caller = ask(service)
    eventually(lambda: "hanging" in (service.directory / "out").read_text())
    return caller


@pytest.mark.parametrize("workers", [1, 2])
def test_a_server_that_hangs_shows_where_before_it_is_killed(launch, workers):
    service = launch(HANGING, workers=workers, grace=0.5).supervised()
    with hang(service):
        service.signal(signal.SIGTERM)
        assert service.wait(10) == 137
    assert "most recent call first" in service.errors()
    assert " in hang\n" in service.errors()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_quit_shows_the_stacks_of_a_server_that_then_ends(launch, workers):
    service = launch(HANGING, workers=workers).supervised()
    with hang(service):
        if workers == 1:
            service.signal(signal.SIGQUIT)
            assert service.wait(10) == 131
        else:
            service.signal(signal.SIGQUIT)
            eventually(lambda: service.errors().count("was ended by SIGQUIT") >= 2)
    assert shows_where(service)


def test_workers_that_hang_write_their_stacks_one_after_the_other(launch):
    service = launch(HANGING, workers=3, grace=0.5).supervised()
    callers = []
    try:
        while (service.directory / "out").read_text().count("hanging") < 3:
            callers.append(ask(service))
            time.sleep(0.05)
        service.signal(signal.SIGTERM)
        assert service.wait(10) == 137
    finally:
        for caller in callers:
            caller.close()
    blocks = re.split(r"(?=Current thread|Thread 0x)", service.errors())
    hanging = [block for block in blocks if " in hang\n" in block]
    assert len(hanging) == 3
    for block in hanging:
        lines = block.partition("orchestrator:")[0].splitlines()[1:]
        assert all(re.fullmatch(r'  File "[^"]+", line \d+ in \S+|\s*', line) for line in lines), block


def test_an_import_that_hangs_shows_where(launch):
    service = launch("import time\ndef slow():\n    time.sleep(600)\nslow()\n", app_deadline=1.0)
    assert service.event("failed")["reason"] == "hang"
    assert " in slow\n" in service.errors()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_new_worker_or_server_takes_the_place_of_one_whose_loop_is_blocked(launch, workers):
    request = "GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    live = {"host": "127.0.0.1", "port": 0, "unix": "", "request": request, "timeout": 0.5, "statuses": [[200, 299]], "tls": ""}  # fmt: skip
    service = launch(
        HANGING, workers=workers, grace=0.5, on_failure=[{"do": "restart", "times": 3}],
        health={"interval": 0.1, "failures": 2, "successes": 1, "deadline": 20.0, "live": live},
    ).supervised()  # fmt: skip
    callers = [hang(service)]
    while workers == 2 and "live failed" not in service.errors():
        callers.append(ask(service))  # until both are blocked
        time.sleep(0.2)
    eventually(lambda: "live failed 2 times: timeout" in service.errors())
    eventually(lambda: "ready again" in service.errors(), 20)
    assert eventually(service.answers, 5)
    assert shows_where(service)
    for caller in callers:
        caller.close()
    service.signal(signal.SIGTERM)
    assert service.wait(10) == 0


def test_a_worker_that_hangs_keeps_no_rolling_restart_from_its_end(launch):
    service = launch(HANGING, workers=2, grace=0.5).supervised()
    before = family(service.event("started")["pid"])
    with hang(service):
        service.signal(signal.SIGHUP)
        eventually(lambda: "every worker is renewed" in service.errors(), 20)
    assert not any(map(alive, before))
    assert " in hang\n" in service.errors()


def test_how_long_the_end_took_stands_in_the_events(launch, tmp_path):
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    service = launch(HANGING, state_dir=str(state), drain=0.5, grace=0.5).supervised()
    with hang(service):
        service.signal(signal.SIGTERM)
        assert service.wait(10) == 137
    last = next(
        each
        for line in (state / "events.jsonl").read_text().splitlines()
        if "drain_ms" in (each := json.loads(line))
    )
    assert 450 <= last["drain_ms"] <= 1500
    assert 450 <= last["server_ms"] <= 3000
    assert last["forced"] is True
    assert "stopped after" in service.errors()


SOCKETS = """
from fastapi import FastAPI, WebSocket
app = FastAPI()

@app.websocket("/ws")
async def ws(socket: WebSocket):
    await socket.accept()
    await socket.send_text("hello")
    while True:
        await socket.receive_text()
"""


@pytest.mark.parametrize("workers", [1, 2])
def test_a_long_websocket_is_told_of_the_end(launch, workers):
    client = pytest.importorskip("websockets.sync.client")
    from websockets.exceptions import ConnectionClosed

    service = launch(SOCKETS, workers=workers).supervised()
    with client.connect(f"ws://127.0.0.1:{service.port}/ws") as connection:
        assert connection.recv(timeout=5) == "hello"
        service.signal(signal.SIGTERM)
        with pytest.raises(ConnectionClosed) as closed:
            connection.recv(timeout=10)
    assert closed.value.rcvd.code == 1012
    assert service.wait(10) == 0


def probe_file(tmp_path):
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    (state / "probe").write_text("status ready\nreason \nupdated 0\nendpoint queue command\n")
    return state


def verdicts(state):
    return [line for line in (state / "probe").read_text().splitlines() if line.startswith("verdict queue")]


def test_commands_are_judged_with_the_watch_off(launch, tmp_path):
    state = probe_file(tmp_path)
    queue = {"kind": "command", "argv": ["sh", "-c", "echo 3 jobs wait"], "timeout": 2.0}
    service = launch(state_dir=str(state), health={"interval": 0, "more": {"queue": queue}}).supervised()
    line = eventually(lambda: verdicts(state))[0]
    assert line.startswith("verdict queue ok expires=")
    assert line.endswith("3 jobs wait")
    assert int(line.split("=")[1].split()[0]) > time.time() + 60
    from orchestrator.health.probe_verdict import judge

    # The probe takes the engine's word, also through its own file.
    os.environ.pop("ORCHESTRATOR_STATE_DIR", None)
    assert judge("queue", "", str(state))[0] is True
    service.signal(signal.SIGTERM)
    assert service.wait(10) == 0


def test_an_expectation_beyond_the_status_is_judged_by_the_watch(launch, tmp_path):
    from orchestrator.health import verify
    from orchestrator.spec.expect import Expect

    state = probe_file(tmp_path)
    source = "import os\nfrom tiny_asgi import App\napp = App()\n@app.get('/ready')\ndef ready():\n    return {'ok': not os.path.exists('ill')}\n"
    expect = Expect.model_validate({"json": {"ok": True}})
    port = free_port()
    asked = pickle.dumps(verify.Endpoint(path="/ready", port=port, expect=expect))
    ready = {"asked": asked.decode("latin-1"), "timeout": 5.0, "request": "", "port": port}
    service = launch(
        source, port=port, state_dir=str(state),
        health={"interval": 0.2, "failures": 2, "successes": 1, "deadline": 20.0, "ready": ready},
    ).supervised()  # fmt: skip
    eventually(lambda: "verdict ready ok" in (state / "probe").read_text(), 15)
    (tmp_path / "ill").touch()
    eventually(lambda: "verdict ready failed" in (state / "probe").read_text(), 15)
    eventually(lambda: "status degraded" in (state / "probe").read_text(), 15)
    (tmp_path / "ill").unlink()
    eventually(lambda: "status ready" in (state / "probe").read_text(), 15)
    service.signal(signal.SIGTERM)
    assert service.wait(10) == 0
