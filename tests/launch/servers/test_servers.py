"""Each server that is installed, for real: it serves, ends, fails and is restarted as the contract has it."""

import os
import signal
import socket
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent))
from launching import APP, alive, answering, eventually, family
from matrices import crossed

from orchestrator.launch.plan import LaunchPlan
from orchestrator.launch.servers import ExecServer, load

SERVERS = ("uvicorn", "gunicorn", "hypercorn", "granian")
WSGI = """
import json, os

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps({"pid": os.getpid()}).encode()]
"""
RAISING = """
from contextlib import asynccontextmanager
from tiny_asgi import App

@asynccontextmanager
async def lifespan(app):
    raise RuntimeError("no database")
    yield

app = App(lifespan=lifespan)
"""
FACTORY = (
    # A factory is not called to see what it makes: a framework that was imported says it.
    APP.replace("tiny_asgi import App", "fastapi import FastAPI as App").replace(
        "app = App()", "app = made = App()"
    )
    + "\ndef create():\n    return made\n"
)


def needs(name):
    return pytest.param(name, marks=pytest.mark.skipif(find_spec(name) is None, reason=f"needs {name}"))


IN_THIS_PROCESS = [needs(name) for name in ("uvicorn", "hypercorn")]
in_this_process = pytest.mark.parametrize("server", IN_THIS_PROCESS)
each_server = pytest.mark.parametrize("server", [needs(name) for name in SERVERS])


@pytest.fixture
def start(launch):
    def started(server, source=APP, **plan):
        return launch(source, server=server, **plan)

    return started


def answers(service):
    service.supervised()
    return eventually(service.answers, 20, "an answer")


@each_server
def test_it_serves_and_ends_with_0(start, server):
    service = start(server)
    assert answers(service)["pid"] in {service.event("started")["pid"], *family(service.process.pid)}
    service.signal(signal.SIGTERM)
    assert service.wait(15) == 0


@each_server
def test_two_workers_answer_and_nothing_survives_the_end(start, server):
    service = start(server, workers=2)
    answers(service)
    below = eventually(lambda: len(found := family(service.process.pid)) >= 3 and found, 20)
    service.signal(signal.SIGTERM)
    assert service.wait(15) == 0
    assert not any(map(alive, below))


@each_server
def test_a_factory_is_called(start, server):
    assert "pid" in answers(start(server, FACTORY, app="service_app:create", factory=True))


@pytest.mark.parametrize("server", [needs(name) for name in ("gunicorn", "hypercorn", "granian")])
def test_a_wsgi_app_is_served(start, server):
    assert "pid" in answers(start(server, WSGI))


@pytest.mark.skipif(find_spec("uvicorn_worker") is None, reason="needs uvicorn-worker")
def test_gunicorn_takes_the_worker_that_is_asked_for(start):
    pytest.importorskip("gunicorn")
    options = {"worker_class": "uvicorn_worker.UvicornWorker", "loglevel": "debug"}
    service = start("gunicorn", options=options)
    assert "pid" in answers(service)
    eventually(lambda: "worker_class: uvicorn_worker.UvicornWorker" in service.errors(), 5)


@pytest.mark.parametrize("server", [needs(name) for name in ("gunicorn", "hypercorn")])
def test_a_unix_socket_is_inherited_again_and_again(start, server, tmp_path):
    path = str(tmp_path / "socket")
    restart = {"policy": "always", "attempts": 5, "within": 60}
    service = start(server, unix=path, restart=restart).supervised()

    def asked():
        with socket.socket(socket.AF_UNIX) as caller:
            caller.settimeout(5)
            try:
                caller.connect(path)
                caller.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                return caller.recv(100)
            except OSError:
                return b""

    assert eventually(asked, 20).startswith(b"HTTP/1.1 200")
    os.kill(service.event("started")["pid"], signal.SIGKILL)
    eventually(lambda: "ready again" in service.errors(), 20)
    assert eventually(asked, 20).startswith(b"HTTP/1.1 200")
    service.signal(signal.SIGTERM)
    assert service.wait(15) == 0
    assert not os.path.exists(path)


@pytest.mark.parametrize("where", ["port", "unix"])
@pytest.mark.parametrize("server", [needs("granian")])
def test_granian_binds_by_itself(start, server, where, tmp_path):
    path = str(tmp_path / "socket") if where == "unix" else ""
    service = start(server, unix=path)
    service.supervised()
    if path:
        eventually(lambda: os.path.exists(path), 20)
    else:
        assert "pid" in answers(service)
    service.signal(signal.SIGTERM)
    assert service.wait(15) == 0


@crossed(server=IN_THIS_PROCESS, workers=[1, 2])
def test_a_lifespan_that_fails_is_told(start, server, workers):
    service = start(server, RAISING, workers=workers)
    said = service.event("failed")
    assert (said["reason"], said["message"]) == ("startup", "RuntimeError: no database")
    assert service.event("ended")["code"] != 0
    assert "serving" not in {each["event"] for each in service.events()}


LEAKING = (
    APP
    + """
@app.get("/left")
def left():
    import subprocess
    said = subprocess.run(["ls", "-l", "/proc/self/fd"], close_fds=False, capture_output=True, text=True).stdout
    return said.splitlines()
"""
)


@each_server
def test_what_the_app_runs_has_neither_our_socket_nor_our_pipes(start, server):
    service = start(server, LEAKING)
    answers(service)
    left = [line.split()[-3:] for line in service.json("/left") if "->" in line]
    assert {number for number, _, target in left if target.startswith(("socket:", "anon_inode:"))} == set()
    assert len([number for number, _, target in left if target.startswith("pipe:") and int(number) > 2]) == 0


@each_server
def test_a_worker_that_dies_is_replaced(start, server):
    # By itself granian ends with the first one, and `restart` is what starts it again: a slow boot that fails would loop.
    options = {"respawn_failed_workers": True} if server == "granian" else {}
    service = start(server, workers=2, options=options).supervised()
    killed = answers(service)["pid"]
    os.kill(killed, signal.SIGKILL)
    eventually(lambda: not alive(killed), 10)
    assert killed not in answering(service, 2)
    service.signal(signal.SIGTERM)
    assert service.wait(15) == 0


SLOW = APP.replace("app = App()", """
from contextlib import asynccontextmanager
import asyncio, os

@asynccontextmanager
async def life(app):
    while not os.path.exists("go"):
        open("begun", "w").close()
        await asyncio.sleep(0.02)
    yield

app = App(lifespan=life)
""")  # fmt: skip
BARE = "async def app(scope, receive, send):\n    assert scope['type'] == 'http'\n    await send({'type': 'http.response.start', 'status': 200, 'headers': []})\n    await send({'type': 'http.response.body', 'body': b'{\"pid\": 1}'})\n"


@in_this_process
def test_it_tells_that_it_serves_when_the_app_has_started(start, server):
    service = start(server, SLOW, workers=2)
    eventually((service.directory / "begun").exists, 20)
    time.sleep(0.1)
    assert "serving" not in {each["event"] for each in service.events()}
    (service.directory / "go").touch()
    service.event("serving")
    assert answers(service)


@each_server
def test_an_app_that_knows_no_lifespan_is_served_all_the_same(start, server):
    assert answers(start(server, BARE))


@each_server
def test_a_killed_server_is_restarted(start, server):
    service = start(server, restart={"policy": "always", "attempts": 5, "within": 60})
    answers(service)
    os.kill(service.event("started")["pid"], signal.SIGKILL)
    eventually(lambda: "ready again" in service.errors(), 20)
    eventually(service.answers, 20)
    service.signal(signal.SIGTERM)
    assert service.wait(15) == 0


@each_server
def test_its_options_are_the_real_ones_and_none_that_the_launch_decides(server):
    module = load(server)
    options = module.options()
    assert options
    assert not options.keys() & module.OWNED.keys()


def test_options_become_words_of_the_command_line():
    gunicorn = pytest.importorskip("gunicorn") and load("gunicorn")
    plan = LaunchPlan(
        "shop", app="a:b", workers=3, grace=10.0,
        options={"loglevel": "debug", "capture_output": True, "spew": False, "sendfile": False, "dirty_apps": ["x", "y"]},
    )  # fmt: skip
    words = gunicorn.argv(plan, 7, lambda scope, receive, send: None)
    assert words[2:6] == ["-m", "gunicorn", "--bind", "fd://7"]
    for word in ("--workers=3", "--graceful-timeout=9", "--log-level=debug", "--capture-output", "--no-sendfile",
                 "--dirty-app=x", "--dirty-app=y", "--worker-class=asgi"):  # fmt: skip
        assert word in words
    assert "--spew" not in words
    assert words[-1] == "a:b"


def test_gunicorn_opens_a_control_socket_only_where_one_is_asked_for():
    gunicorn = pytest.importorskip("gunicorn") and load("gunicorn")
    if "control_socket" not in gunicorn.options():
        pytest.skip("an older gunicorn has none")
    assert "--no-control-socket" in gunicorn.argv(LaunchPlan("shop", app="a:b"), 7, None)
    asked = LaunchPlan("shop", app="a:b", options={"control_socket": "/run/here"})
    words = gunicorn.argv(asked, 7, None)
    assert "--control-socket=/run/here" in words
    assert "--no-control-socket" not in words


def test_granian_is_told_what_kind_of_app_it_is():
    granian = pytest.importorskip("granian") and load("granian")
    plan = LaunchPlan("shop", app="a:b", port=80, options={"websockets": False, "log_level": "debug"})
    words = granian.argv(plan, -1, lambda environ, start_response: None)
    assert words[words.index("--interface") + 1] == "wsgi"
    assert "--no-ws" in words
    asgi = granian.argv(plan, -1, lambda scope, receive, send: None)
    assert asgi[asgi.index("--interface") + 1] == "asgi"


def test_hypercorn_refuses_a_loop_that_it_is_not_run_with_here():
    hypercorn = pytest.importorskip("hypercorn") and load("hypercorn")
    with pytest.raises(ValueError, match="asyncio, uvloop"):
        hypercorn.prepare(LaunchPlan("shop", options={"worker_class": "trio"}))


@pytest.mark.parametrize(("name", "executed"), [("uvicorn", False), ("hypercorn", False), ("gunicorn", True), ("granian", True)])  # fmt: skip
def test_who_takes_the_process_is_known(name, executed):
    assert isinstance(load(name), ExecServer) is executed


@crossed(server=[needs(name) for name in ("uvicorn", "hypercorn", "gunicorn")], workers=[1, 2])
def test_who_was_accepted_a_moment_before_the_end_is_still_answered(start, server, workers):
    service = start(server, workers=workers)
    answers(service)
    with socket.create_connection(("127.0.0.1", service.port), timeout=10) as caller:
        time.sleep(0.05)  # it is accepted
        service.signal(signal.SIGTERM)
        time.sleep(0.1)  # and the server knows of the end
        caller.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        received = b"".join(iter(lambda: caller.recv(4096), b""))
    assert received.startswith(b"HTTP/1.1 200")
    assert service.wait(15) == 0


@pytest.mark.parametrize("server", [needs("hypercorn")])
def test_who_connects_after_the_end_was_asked_for_is_refused_and_not_left_waiting(start, server):
    service = start(server)
    answers(service)
    with socket.create_connection(("127.0.0.1", service.port), timeout=10):
        service.signal(signal.SIGTERM)
        assert eventually(lambda: refused(service.port), 5)
    assert service.wait(15) == 0


def refused(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except ConnectionRefusedError:
        return True
    except OSError:
        return False  # taken by the queue, and reset as it closed
    return False
