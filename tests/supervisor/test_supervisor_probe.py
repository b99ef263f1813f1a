import os
import pickle
import select
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from orchestrator.health import verify
from orchestrator.launch.plan import LaunchPlan, command_endpoint, endpoint, heartbeat_endpoint
from orchestrator.spec.expect import Expect
from orchestrator.supervisor.probe import Prober


def judged(given, tmp_path, **environ):
    plan = LaunchPlan("shop", environ={"PATH": os.environ["PATH"], **environ}, cwd=str(tmp_path)).data()
    prober = Prober("ready", given, plan, sys.path)
    end = time.monotonic() + 20
    while True:
        prober.hear()
        prober.stop_if_late(time.monotonic())
        pid, status = os.waitpid(prober.pid, os.WNOHANG)
        if pid:
            return prober.finding(os.waitstatus_to_exitcode(status))
        assert time.monotonic() < end
        select.select([prober.reader] if prober.reader >= 0 else [], [], [], 0.02)


def command(text, timeout=5.0):
    return command_endpoint(["sh", "-c", text], timeout=timeout)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("echo fine", (True, "fine")),
        ("true", (True, "")),
        ("echo one; echo two >&2; exit 3", (False, "two")),
        ("exit 3", (False, "it ended with 3")),
        ("kill -9 $$", (False, "it was ended by SIGKILL")),
        ("echo $WORD; pwd >/dev/null", (True, "hello")),
        ("head -c 3000000 /dev/zero | tr '\\0' x; echo; echo end", (True, "end")),
        ("sleep 60 & echo left", (True, "left")),
    ],
)
def test_a_command_is_judged_by_its_code_and_says_its_last_line(text, expected, tmp_path):
    assert judged(command(text), tmp_path, WORD="hello") == expected


def test_a_command_runs_where_the_service_does(tmp_path):
    (tmp_path / "here").touch()
    assert judged(command("test -e here"), tmp_path) == (True, "")


def test_a_command_that_takes_too_long_is_ended_with_what_it_started(tmp_path):
    began = time.monotonic()
    # Time enough for a shell to start on a busy machine, and far less than what it does.
    assert judged(command("sleep 60 & echo $! > pid; wait", timeout=2.0), tmp_path) == (
        False,
        "timeout: no answer within 2 s",
    )
    assert time.monotonic() - began < 20
    pid = int((tmp_path / "pid").read_text())
    end = time.monotonic() + 10
    while lives(pid):
        assert time.monotonic() < end, "what it started outlived it"
        time.sleep(0.02)


def lives(pid):
    """Whether a process runs; one that only waits to be collected does not."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return ") Z" not in file.read()
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_command_that_is_not_there_says_so(tmp_path):
    well, why = judged(command_endpoint(["no-such-thing"]), tmp_path)
    assert not well
    assert "cannot run no-such-thing" in why


def test_a_heartbeat_is_judged_by_its_age(tmp_path):
    beat = tmp_path / "beat"
    given = heartbeat_endpoint(str(beat), 60.0)
    assert judged(given, tmp_path)[0] is False
    beat.touch()
    assert judged(given, tmp_path)[0] is True
    os.utime(beat, (time.time() - 120, time.time() - 120))
    well, why = judged(given, tmp_path)
    assert not well
    assert "expected at most 60 s" in why


class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        body = b'{"status": "ok", "queue": 3}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Nothing."""


@pytest.fixture
def port():
    server = HTTPServer(("127.0.0.1", 0), Answer)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("expect", "well", "said"),
    [
        ({"json": {"status": "ok"}}, True, "200"),
        ({"json": {"queue": {"le": 2}}}, False, "at most 2"),
        ({"body": {"contains": "ok"}}, True, "200"),
        ({"status": 204}, False, "204"),
    ],
)
def test_more_than_a_status_is_judged(expect, well, said, port, tmp_path):
    asked = pickle.dumps(verify.Endpoint(path="/ready", port=port, expect=Expect.model_validate(expect)))
    found, why = judged(endpoint(port=port, asked=asked, timeout=5.0), tmp_path)
    assert (found, said in why) == (well, True), why


def test_a_status_alone_is_asked_without_all_that(port, tmp_path):
    request = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    assert judged(endpoint(port=port, request=request), tmp_path) == (True, "status 200 OK")
    assert judged(endpoint(port=port, request=request, statuses=((204, 204),)), tmp_path)[0] is False
