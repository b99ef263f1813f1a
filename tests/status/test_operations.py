"""The operations listener on a real socket, in its own process, beside a real state directory."""

import contextlib
import http.client
import json
import os
import socket
import subprocess

import pytest

from orchestrator.status import operations
from orchestrator.status.state import StateDirectory


@contextlib.contextmanager
def listening(directory, *, counted=True):
    """Starts it as the engine does; yields a function that asks, and the pipe that holds it."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    reading, writing = os.pipe()
    argv = operations.command(listener.fileno(), reading, str(directory), ["search"], counted=counted)
    process = subprocess.Popen(argv, pass_fds=(listener.fileno(), reading), stderr=subprocess.PIPE, env={})
    os.close(reading)

    def ask(path, method="GET"):
        connection = http.client.HTTPConnection(*listener.getsockname(), timeout=10)
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()

    holder = os.fdopen(writing, "wb")
    try:
        yield ask, holder, process
    finally:
        holder.close()
        process.wait(10)
        assert process.stderr.read() == b""
        process.stderr.close()
        listener.close()


@pytest.fixture
def state(tmp_path):
    made = StateDirectory(str(tmp_path))
    made.write_state({"service": "shop", "environment": "", "role": "", "status": "starting"})
    return made


def test_it_says_what_the_state_says_at_this_moment(state):
    with listening(state.path) as (ask, _, _):
        assert ask("/live")[::2] == (200, "starting\n")
        assert ask("/ready")[::2] == (503, "starting\n")
        state.set_status("degraded", degraded=("search",))
        assert ask("/ready")[::2] == (200, "degraded\n")
        assert json.loads(ask("/status")[2])["degraded"] == ["search"]
        assert 'orchestrator_feature_degraded{feature="search"} 1' in ask("/metrics")[2]
        state.set_status("maintenance")
        assert (ask("/live")[0], ask("/ready")[0]) == (200, 503)
        state.set_status("stopping")
        assert (ask("/live")[0], ask("/ready")[0]) == (200, 503)
        state.set_status("failed")
        assert ask("/live")[0] == 503


def test_metrics_have_their_type_and_can_be_left_out(state):
    with listening(state.path) as (ask, _, _):
        status, headers, _ = ask("/metrics")
        assert (status, headers["Content-Type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    with listening(state.path, counted=False) as (ask, _, _):
        assert ask("/metrics")[0] == 404


def test_the_last_start_is_there_once_it_is_written(state):
    with listening(state.path) as (ask, _, _):
        assert json.loads(ask("/report")[2]) == {}
        state.write_report({"schema": 1, "items": []})
        assert json.loads(ask("/report")[2])["schema"] == 1


def test_nothing_else_is_answered_and_nothing_can_be_changed(state):
    with listening(state.path) as (ask, _, _):
        assert ask("/")[0] == 404
        assert ask("/../state.json")[0] == 404
        assert ask("/status", "POST")[0] == 405
        assert ask("/status", "HEAD")[::2] == (200, "")


def test_it_ends_with_who_holds_it(state):
    with listening(state.path) as (_, holder, process):
        holder.close()
        assert process.wait(10) == 0
