"""`unix`: sockets in the file system."""

import os
import socket

import pytest


@pytest.fixture
def place(tmp_path):
    return str(tmp_path / "app.sock")


def test_a_socket_that_accepts_is_well(attempt, place, tmp_path):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(place)
        listener.listen()
        assert attempt("unix", place).ok
        assert attempt("unix", "app.sock", cwd=str(tmp_path)).ok


def test_a_socket_that_is_not_there_is_refused(attempt, place):
    outcome = attempt("unix", place)
    assert (outcome.reason, outcome.summary) == ("refused", f"there is no socket {place}")


def test_a_socket_that_was_left_behind_is_refused(attempt, place):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(place)
    outcome = attempt("unix", place)
    assert (outcome.reason, outcome.summary) == ("refused", f"nothing listens on {place}")


def test_a_file_is_no_socket(attempt, place):
    open(place, "w").close()
    outcome = attempt("unix", place)
    assert (outcome.reason, outcome.summary) == ("unexpected", f"{place} is not a socket")


def test_a_queue_that_is_full_is_a_timeout(attempt, place):
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as one:
        listener.bind(place)
        listener.listen(0)
        one.connect(place)
        outcome = attempt("unix", place, timeout=0.2)
    assert outcome.reason == "timeout"


def test_a_path_that_is_too_long_is_final(attempt):
    outcome = attempt("unix", "/tmp/" + "x" * 200)
    assert (outcome.reason, outcome.final) == ("unreachable", True)


def test_a_path_through_a_file_is_said(attempt, place):
    open(place, "w").close()
    outcome = attempt("unix", place + "/deeper")
    assert outcome.reason == "unreachable"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_socket_of_somebody_else_names_owner_and_mode(tmp_path):
    import subprocess
    import sys

    place = f"/tmp/orchestrator-test-{os.getpid()}.sock"
    script = (
        "import os, socket, sys\nfrom orchestrator.spec.kinds import WAITS\nfrom orchestrator.core.context import Context\n"
        "wait = WAITS.load('unix').model_validate({'name': 'it', 'unix': sys.argv[1]})\nos.setuid(12345)\n"
        "found = wait.attempt(Context(environ={}))\nprint(found.reason, '|', found.summary, '|', found.hint)"
    )
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(place)
            listener.listen()
            os.chmod(place, 0o600)
            said = subprocess.run([sys.executable, "-c", script, place], capture_output=True, text=True)
    finally:
        os.unlink(place)
    assert said.stdout.strip() == (
        f"unreachable | uid 12345 may not use {place} | it belongs to 0:0 and has mode 0600"
    ), said.stderr
