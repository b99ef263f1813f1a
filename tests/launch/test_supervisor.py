import os
import signal
import socket
import subprocess
import sys
import time

import pytest
from launching import APP, alive, cmdline, eventually, family, refused

from orchestrator.core.exit_status import ECHO

RAISING = """
from contextlib import asynccontextmanager
from tiny_asgi import App

@asynccontextmanager
async def lifespan(app):
    raise RuntimeError("no database")
    yield

app = App(lifespan=lifespan)
"""
SLEEPER = "import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', 'import os, time; os.setsid(); time.sleep(600)'])\n"


@pytest.mark.parametrize(
    "source", [APP, APP.replace("tiny_asgi import App", "fastapi import FastAPI as App")]
)
def test_a_service_is_imported_served_and_stopped_with_0(launch, source):
    service = launch(
        source, options={"log_level": "warning"}, environ={"WORD": "hello"}, update={"LAST": "late"}
    )
    assert service.event("ready")["ms"] > 0
    service.supervised()
    answer = service.json()
    assert (answer["word"], answer["last"]) == ("hello", "late")
    assert answer["pid"] == service.event("started")["pid"]
    service.signal(signal.SIGTERM)
    assert service.wait() == 0
    assert not alive(answer["pid"])


def test_the_exec_form_serves_as_well(launch):
    service = launch(fork=False)
    assert service.event("started")["form"] == "exec"
    service.supervised()
    assert service.json()["pid"] == service.event("started")["pid"]
    service.signal(signal.SIGINT)
    assert service.wait() == 0


def test_threads_keep_the_engine_from_forking(launch):
    started = launch(threads=1).event("started")
    assert started["form"] == "exec"
    assert "2 threads" in started["why"]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_who_connects_before_the_service_serves_is_refused(launch, host):
    service = launch("import time\ntime.sleep(1.5)\nfrom tiny_asgi import App\napp = App()\n", host=host)
    service.event("importing")
    assert refused(service.port, host)
    service.event("serving")
    assert not refused(service.port, host)


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_unix_socket_is_served_and_removed_at_the_end(launch, tmp_path, loop):
    path = str(tmp_path / "socket")
    service = launch(unix=path, options={"loop": loop}).supervised()
    with socket.socket(socket.AF_UNIX) as caller:
        caller.settimeout(5)
        caller.connect(path)
        caller.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert caller.recv(100).startswith(b"HTTP/1.1 200")
    service.signal(signal.SIGTERM)
    assert service.wait() == 0
    assert not os.path.exists(path)


def test_a_second_interrupt_forces_the_end(launch):
    slow = "import asyncio\nfrom contextlib import asynccontextmanager\nfrom tiny_asgi import App\n@asynccontextmanager\nasync def lifespan(app):\n    yield\n    await asyncio.sleep(60)\napp = App(lifespan=lifespan)\n"
    service = launch(slow, grace=60.0).supervised()
    service.signal(signal.SIGINT)
    eventually(lambda: "stopping" in service.errors())
    time.sleep(2 * ECHO)
    service.signal(signal.SIGINT)
    assert service.wait(5) == 137


def test_the_same_signal_at_once_again_is_the_same_request(launch):
    """As `timeout` does: it tells the process, and then its whole group."""
    service = launch(grace=30.0).supervised()
    for _ in range(3):
        service.signal(signal.SIGTERM)
        time.sleep(0.01)
    assert service.wait(10) == 0
    assert "asked again" not in service.errors()


def test_another_stop_signal_asks_as_well(launch):
    service = launch(stop_signal=int(signal.SIGUSR1)).supervised()
    service.signal(signal.SIGTERM)
    # It ends a Python process that does not handle it: asked for, so the end is a proper one.
    assert service.wait(5) == 0


def test_grace_is_enforced_on_a_server_that_ignores_the_stop_signal(launch):
    ignoring = "import signal\nfrom tiny_asgi import App\nsignal.signal(signal.SIGUSR1, signal.SIG_IGN)\napp = App()\n"
    service = launch(ignoring, stop_signal=int(signal.SIGUSR1), grace=0.5).supervised()
    service.signal(signal.SIGTERM)
    assert service.wait(5) == 137


def test_draining_goes_on_serving(launch):
    service = launch(drain=1.0).supervised()
    service.signal(signal.SIGTERM)
    eventually(lambda: "stopping" in service.errors())
    assert service.get("/health")[0] == 200
    assert service.wait(10) == 0


def test_a_request_in_flight_is_answered(launch):
    slow = "import asyncio\nfrom tiny_asgi import App\napp = App()\n@app.get('/')\nasync def root():\n    print('in', flush=True)\n    await asyncio.sleep(1)\n    return 'done'\n"
    service = launch(slow).supervised()
    with socket.create_connection(("127.0.0.1", service.port), timeout=5) as caller:
        caller.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        eventually(lambda: "in\n" in (service.directory / "out").read_text())
        service.signal(signal.SIGTERM)
        received = b"".join(iter(lambda: caller.recv(4096), b""))
    assert b"done" in received
    assert service.wait(5) == 0


def test_a_killed_server_passes_its_signal_on(launch):
    service = launch().supervised()
    os.kill(service.event("started")["pid"], signal.SIGKILL)
    assert service.wait(5) == 128 + 9
    assert "was ended by SIGKILL" in service.errors()


def test_a_server_that_exits_by_itself_passes_its_code_on(launch):
    leaving = "import os, signal\nfrom tiny_asgi import App\napp = App()\nsignal.signal(signal.SIGUSR1, lambda *_: os._exit(42))\n"
    service = launch(leaving).supervised()
    service.signal(signal.SIGUSR1)
    assert service.wait(5) == 42


def test_a_failed_lifespan_is_told_and_ends_with_3(launch):
    service = launch(RAISING)
    assert service.event("failed")["reason"] == "startup"
    assert service.event("ended")["code"] == 3
    assert service.wait() == 5


def test_a_restarted_service_answers_again(launch):
    service = launch(restart={"policy": "on-failure", "attempts": 2, "within": 60}).supervised()
    first = service.json()["pid"]
    descriptors = len(os.listdir(f"/proc/{service.process.pid}/fd"))
    os.kill(first, signal.SIGKILL)
    second = eventually(service.answers, 15)["pid"]
    assert second != first
    assert eventually(lambda: len(os.listdir(f"/proc/{service.process.pid}/fd")) == descriptors, 2)
    os.kill(second, signal.SIGKILL)
    third = eventually(service.answers, 15)["pid"]
    os.kill(third, signal.SIGKILL)
    assert service.wait(10) == 137
    assert "its restarts are spent" in service.errors()


def test_between_two_servers_connections_are_refused(launch):
    service = launch(restart={"policy": "always", "attempts": 5, "within": 60}).supervised()
    os.kill(service.json()["pid"], signal.SIGKILL)
    eventually(lambda: refused(service.port), 2)
    service.signal(signal.SIGTERM)
    assert service.wait(5) == 0


def test_a_server_that_dies_before_it_listens_does_not_spoil_the_socket(launch, tmp_path):
    dying = "import os\nfrom tiny_asgi import App\nif os.path.exists('ill'):\n    os.kill(os.getpid(), 9)\napp = App()\n@app.get('/')\ndef root():\n    return {'pid': os.getpid()}\n"
    service = launch(dying, restart={"policy": "always", "attempts": None, "within": 60}).supervised()
    (tmp_path / "ill").touch()
    os.kill(service.event("started")["pid"], signal.SIGKILL)
    eventually(lambda: "before it served" in service.errors(), 15)
    (tmp_path / "ill").unlink()
    eventually(service.answers, 15)
    service.signal(signal.SIGTERM)
    assert service.wait(10) == 0


def test_a_unix_socket_is_served_again_after_a_restart(launch, tmp_path):
    path = str(tmp_path / "socket")
    service = launch(unix=path, restart={"policy": "always", "attempts": 5, "within": 60}).supervised()
    os.kill(service.event("started")["pid"], signal.SIGKILL)

    def answered():
        with socket.socket(socket.AF_UNIX) as caller:
            caller.settimeout(5)
            try:
                caller.connect(path)
                caller.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                return caller.recv(100).startswith(b"HTTP/1.1 200")
            except ConnectionRefusedError:
                return False

    eventually(lambda: "restarting" in service.errors())
    eventually(answered, 15)


def test_a_service_that_does_not_boot_again_ends_with_5(launch, tmp_path):
    service = launch(restart={"policy": "on-failure", "attempts": 1, "within": 60}).supervised()
    (tmp_path / "service_app.py").write_text("raise RuntimeError('broken since')\n")
    os.kill(service.event("started")["pid"], signal.SIGKILL)
    assert service.wait(15) == 5
    assert "RuntimeError: broken since" in service.errors()


def test_nothing_survives_the_end(launch):
    service = launch(SLEEPER + "from tiny_asgi import App\napp = App()\n").supervised()
    below = eventually(lambda: len(found := family(service.process.pid)) == 2 and found)
    service.signal(signal.SIGTERM)
    assert service.wait(10) == 0
    assert not any(map(alive, below))


def test_nothing_survives_a_crash(launch):
    service = launch(SLEEPER + "from tiny_asgi import App\napp = App()\n").supervised()
    below = eventually(lambda: len(found := family(service.process.pid)) == 2 and found)
    os.kill(service.event("started")["pid"], signal.SIGSEGV)
    assert service.wait(10) == 139
    assert not any(map(alive, below))


def test_the_server_ends_with_a_killed_supervisor(launch):
    service = launch().supervised()
    pid = service.event("started")["pid"]
    service.signal(signal.SIGKILL)
    service.wait()
    eventually(lambda: not alive(pid), 5)


@pytest.mark.parametrize("fork", [True, False])
def test_the_server_inherits_its_streams_and_the_listener_alone(launch, fork):
    service = launch(fork=fork, options={"loop": "asyncio"}).supervised()
    kinds = {number: target.split(":")[0] for number, target in service.json("/descriptors").items()}
    extra = sorted(kind for number, kind in kinds.items() if int(number) > 2)
    # The listener, the loop's self-pipe (a pair of sockets), its epoll, and the connection that asks.
    assert extra.count("socket") == 4
    assert [kind for kind in extra if kind != "socket" and not kind.startswith("/proc/")] == ["anon_inode"]


def test_the_supervisor_is_small(launch):
    service = launch().supervised()
    with open(f"/proc/{service.process.pid}/smaps_rollup") as file:
        pss = next(int(line.split()[1]) for line in file if line.startswith("Pss:"))
    print("PSS", pss)
    assert pss <= 8 * 1024


def test_the_supervisor_imports_next_to_nothing(launch):
    unwanted = {
        "asyncio",
        "pydantic",
        "yaml",
        "json",
        "subprocess",
        "logging",
        "re",
        "typing",
        "dataclasses",
        "enum",
        "socket",
    }
    from orchestrator.supervisor import supervisor

    root = os.path.dirname(os.path.dirname(os.path.dirname(supervisor.__file__)))
    code = f"import sys; sys.path.append({root!r}); import orchestrator.supervisor.supervisor; print(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-I", "-S", "-E", "-c", code], capture_output=True, text=True, check=True
    )
    assert unwanted.isdisjoint(run.stdout.split())


def test_an_idle_supervisor_does_not_wake_up(launch):
    service = launch().supervised()

    def switches():
        with open(f"/proc/{service.process.pid}/status") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("voluntary_ctxt"))

    time.sleep(0.3)
    before = switches()
    time.sleep(1.0)
    assert switches() == before


WATCHED = """
import os
from tiny_asgi import Answer, App
app = App()

@app.get("/")
def root():
    return {"pid": os.getpid()}

@app.get("/health")
def health():
    return Answer(status_code=500 if os.path.exists("ill") else 200)
"""


def watch(**more):
    request = "GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    live = {
        "host": "127.0.0.1",
        "port": 0,
        "unix": "",
        "request": request,
        "timeout": 1.0,
        "statuses": [[200, 299]],
        "tls": "",
    }
    return {"interval": 0.1, "failures": 2, "successes": 1, "deadline": 20.0, "live": live, **more}


def test_a_live_endpoint_that_fails_restarts_the_service(launch, tmp_path):
    service = launch(WATCHED, health=watch(), on_failure=[{"do": "restart", "times": 1}]).supervised()
    first = service.json()["pid"]
    (tmp_path / "ill").touch()
    eventually(lambda: "live failed 2 times: status 500" in service.errors())
    (tmp_path / "ill").unlink()
    eventually(lambda: (found := service.answers()) and found["pid"] != first, 15)
    service.signal(signal.SIGTERM)
    assert service.wait(10) == 0


def test_a_stopped_server_is_noticed_and_its_end_is_the_last_action(launch):
    service = launch(WATCHED, health=watch(), grace=0.5, on_failure=[{"do": "stop", "code": 9}]).supervised()
    os.kill(service.event("started")["pid"], signal.SIGSTOP)
    assert service.wait(15) == 9
    assert "timeout" in service.errors()


def test_maintenance_is_served_in_place_of_a_dead_server(launch):
    service = launch(
        maintenance={"service": "test"}, on_failure=[{"do": "serve", "app": "maintenance", "for": None}]
    ).supervised()
    os.kill(service.event("started")["pid"], signal.SIGKILL)

    def down():
        try:
            return service.get()[0] == 503
        except OSError:
            return False

    eventually(down)
    service.signal(signal.SIGTERM)
    assert service.wait(10) == 0


def test_maintenance_ends_with_a_killed_supervisor(launch):
    service = launch(
        maintenance={"service": "test"}, on_failure=[{"do": "serve", "app": "maintenance", "for": None}]
    ).supervised()
    os.kill(service.event("started")["pid"], signal.SIGKILL)
    pid = eventually(
        lambda: [each for each in family(service.process.pid) if b"maintenance.py" in cmdline(each)]
    )[0]
    service.signal(signal.SIGKILL)
    service.wait()
    eventually(lambda: not alive(pid), 5)


def test_the_state_directory_is_kept_up_to_date(launch, tmp_path):
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    (state / "probe").write_text("status ready\nreason \nupdated 0\n")
    service = launch(state_dir=str(state), drain=1.0).supervised()
    service.signal(signal.SIGTERM)
    eventually(lambda: "status stopping" in (state / "probe").read_text())
    assert service.wait(10) == 0
    assert "status stopped" in (state / "probe").read_text()
    assert '"message": "stopping: asked by SIGTERM"' in (state / "events.jsonl").read_text()


def test_a_lost_state_directory_ends_nothing(launch, tmp_path):
    service = launch(
        state_dir=str(tmp_path / "gone"), restart={"policy": "always", "attempts": None, "within": 60}
    )
    service.supervised()
    os.kill(service.event("started")["pid"], signal.SIGKILL)
    eventually(service.answers, 15)
    assert service.errors().count("cannot write the state directory") == 1
    service.signal(signal.SIGTERM)
    assert service.wait(10) == 0


def test_a_command_is_restarted_too(launch):
    command = ["sh", "-c", "echo began; sleep 600"]
    service = launch(
        command=command, restart={"policy": "on-failure", "attempts": 1, "within": 60}
    ).supervised()
    os.kill(service.event("started")["pid"], signal.SIGKILL)
    eventually(lambda: "ready again" in service.errors(), 10)
    eventually(lambda: (service.directory / "out").read_text().count("began") == 2)
    service.signal(signal.SIGTERM)
    assert service.wait(10) == 0
