import contextlib
import http.client
import json
import os
import signal
import subprocess

import pytest
from matrices import mostly_long
from starting import alive, cmdline, eventually, family


def answered(engine, path="/x"):
    engine.until(lambda: (engine.tries(path) or (0,))[0] == 200)
    return engine.get(path)[1]


def test_in_mode_exec_the_server_has_the_engines_process_and_nothing_is_left_over(engine):
    engine.spec(
        "modules: [json]\nhealth: {ready: /ready}",
        launch="{app: main:app, host: 127.0.0.1, port: PORT, mode: exec}",
    ).start()
    assert answered(engine)["pid"] == engine.process.pid
    assert family(engine.process.pid) == []
    assert b"supervisor" not in cmdline(engine.process.pid)
    assert "mode exec" in engine.stderr
    assert engine.report()["status"] == "ready"
    assert engine.command("health").returncode == 0
    assert engine.stop() in (0, -signal.SIGTERM)


def test_in_mode_exec_an_app_that_does_not_import_is_told_before(engine):
    engine.write("main.py", "import nowhere_at_all\n")
    done = engine.spec(launch="{app: main:app, host: 127.0.0.1, port: PORT, mode: exec}").run()
    assert done.returncode == 5
    assert "nowhere_at_all" in engine.item("launch")["summary"]


def test_a_command_serves_on_its_own_socket_and_its_port_is_tried_before(engine):
    engine.spec(
        "health: {ready: /startup.yaml}",
        launch="{command: [python, -m, http.server, 'PORT', --bind, 127.0.0.1], port: PORT, host: 127.0.0.1}",
    )
    engine.start().serving()
    assert "left to the server to bind" in engine.item("port")["summary"]
    assert engine.item("launch")["summary"] == "`python` runs"
    assert engine.get("/startup.yaml")[0] == 200
    assert engine.stop() in (0, 143)


def test_a_command_that_is_not_there_ends_with_5(engine):
    done = engine.spec(launch="{command: [no-such-server]}").run()
    assert done.returncode == 5
    assert "no-such-server" in engine.item("launch")["summary"]
    assert engine.item("launch")["hint"]


def test_a_command_that_ends_at_once_is_no_service(engine):
    done = engine.spec("health: {ready: /}", launch="{command: ['false'], port: PORT, host: 127.0.0.1}").run()
    assert done.returncode == 5


@pytest.fixture
def process_1():
    """What starts a command as process 1 of a namespace of its own."""
    words = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc", "--kill-child"]
    if subprocess.run([*words, "true"], capture_output=True).returncode:
        pytest.skip("no right to make a process namespace here")
    return words


def zombies(parent):
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:
            words = file.read().rpartition(b")")[2].split()
            if words[0] == b"Z" and int(words[1]) == parent:
                found.append(int(name))
    return found


def test_process_1_collects_orphans_while_the_start_still_waits(engine, process_1):
    engine.write("orphan.sh", "(sleep 0.2; exit 0) & exit 1\n")
    engine.spec(
        "wait_for: [{name: orphan, command: [sh, orphan.sh], deadline: 90s, retry: {initial: 80s, max: 80s, jitter: none}}]",
        launch="",
    )
    engine.start(prefix=process_1)
    inside = eventually(
        lambda: [pid for pid in family(engine.process.pid) if b"orchestrator" in cmdline(pid)]
    )[0]
    eventually(lambda: zombies(inside))
    eventually(lambda: not zombies(inside), 5)
    os.kill(inside, signal.SIGTERM)
    assert engine.wait() == 143


def test_process_1_hears_a_request_to_stop_during_a_wait(engine, process_1):
    engine.spec("wait_for: [{name: db, tcp: '127.0.0.1:1'}]").start(prefix=process_1).says("wait:db")
    inside = family(engine.process.pid)[0]
    os.kill(inside, signal.SIGTERM)
    assert engine.wait() == 143
    assert not alive(inside)


def test_a_server_that_only_this_container_can_reach_is_warned_about(engine):
    engine.spec().start(env={"ORCHESTRATOR_IN_CONTAINER": "1"}).serving()
    assert "ORC705" in engine.stderr
    assert "0.0.0.0" in engine.stderr
    assert any(note["code"] == "ORC705" for note in engine.report()["notes"])


def test_without_a_state_directory_it_starts_and_warns(engine):
    engine.state.parent.joinpath("file").write_text("")
    engine.spec("health: {ready: /ready}").start(
        env={"ORCHESTRATOR_STATE_DIR": str(engine.state.parent / "file" / "below")}
    )
    engine.serving()
    assert "ORC707" in engine.stderr
    connection = http.client.HTTPConnection("127.0.0.1", engine.port)
    connection.request("GET", "/")
    assert json.loads(connection.getresponse().read())["path"] == "/"
    connection.close()


@pytest.mark.parametrize("closed", mostly_long(["<&-", ">&-", "2>&-", "<&- >&- 2>&-"], "<&- >&- 2>&-"))
def test_a_service_whose_streams_are_closed_serves(engine, closed):
    engine.spec("health: {ready: /ready}", launch="{app: main:app, host: 127.0.0.1, port: PORT, workers: 2}")
    engine.start(prefix=("sh", "-c", f'exec "$@" {closed}', "sh")).serving()
    assert engine.get("/ready")[0] == 200
    for number in (0, 1, 2):
        assert os.readlink(f"/proc/{engine.process.pid}/fd/{number}").startswith("/")
    assert engine.stop() == 0
