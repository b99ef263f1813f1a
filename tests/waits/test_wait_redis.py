"""`redis` against real Redis servers, and against what they say in bad moments."""

import contextlib
import shutil
import socket
import subprocess
import time

import pytest
from ports import free_port
from pydantic import ValidationError

from orchestrator.testing import answering_port

PASSWORD = "pa ss/%@ü"
pytestmark = []
real = pytest.mark.skipif(not shutil.which("redis-server"), reason="redis-server is not installed")


def started(folder, *options):
    port = free_port()
    command = [
        "redis-server",
        "--save",
        "",
        "--appendonly",
        "no",
        "--dir",
        str(folder),
        "--bind",
        "127.0.0.1",
    ]
    if "--tls-port" in options:
        options = tuple(str(port) if each == "PORT" else each for each in options)
        command += ["--port", "0"]
    else:
        command += ["--port", str(port)]
    child = subprocess.Popen([*command, *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
            return child, port
        except OSError:
            assert child.poll() is None, child.stdout.read()
            time.sleep(0.02)
    raise AssertionError("redis-server did not start")


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    child, port = started(tmp_path_factory.mktemp("redis"), "--unixsocket", "redis.sock")
    yield port
    child.terminate()
    child.wait(10)
    child.stdout.close()


@pytest.fixture(scope="module")
def locked(tmp_path_factory):
    folder = tmp_path_factory.mktemp("redis-locked")
    child, port = started(folder, "--requirepass", PASSWORD, "--unixsocket", str(folder / "redis.sock"))
    yield port, folder / "redis.sock"
    child.terminate()
    child.wait(10)
    child.stdout.close()


def quoted(text):
    from urllib.parse import quote

    return quote(text, safe="")


@real
def test_a_redis_without_a_password_answers(attempt, plain):
    assert attempt("redis", f"redis://127.0.0.1:{plain}/1").ok
    assert attempt("redis", {"host": "127.0.0.1", "port": plain}).ok


@real
def test_the_password_is_proven(attempt, locked):
    port, _ = locked
    assert attempt("redis", f"redis://:{quoted(PASSWORD)}@127.0.0.1:{port}/0").ok
    assert attempt("redis", {"host": "127.0.0.1", "port": port, "password": PASSWORD}).ok
    assert attempt("redis", {"host": "127.0.0.1", "port": port, "user": "default", "password": PASSWORD}).ok


@real
def test_a_unix_socket_is_asked(attempt, locked):
    _, path = locked
    assert attempt("redis", f"unix://:{quoted(PASSWORD)}@{path}?db=2").ok
    assert attempt("redis", {"unix": str(path), "password": PASSWORD}).ok


@real
@pytest.mark.parametrize("password", [None, "wrong"])
def test_a_password_that_is_wrong_or_missing_is_final(attempt, locked, password):
    given = {"password": password} if password else {}
    outcome = attempt("redis", {"host": "127.0.0.1", "port": locked[0], **given})
    assert (outcome.reason, outcome.code, outcome.final) == ("auth", "ORC506", True)


@real
def test_a_password_for_a_redis_that_has_none_is_final(attempt, plain):
    outcome = attempt("redis", {"host": "127.0.0.1", "port": plain, "password": "x"})
    assert (outcome.reason, outcome.final) == ("auth", True)


@real
def test_a_database_that_is_not_there_is_final(attempt, plain):
    outcome = attempt("redis", f"redis://127.0.0.1:{plain}/99")
    assert (outcome.reason, outcome.final) == ("unexpected", True)
    assert "DB index is out of range" in outcome.summary


@contextlib.contextmanager
def running(folder, *options):
    child, port = started(folder, *options)
    try:
        yield port
    finally:
        child.terminate()
        child.wait(10)
        child.stdout.close()


@real
def test_a_replica_answers_and_takes_no_writes(attempt, plain, tmp_path):
    assert attempt("redis", f"redis://127.0.0.1:{plain}", expect={"writable": True}).ok
    with running(tmp_path, "--replicaof", f"127.0.0.1 {plain}") as port:
        where = {"host": "127.0.0.1", "port": port}
        assert attempt("redis", where).ok
        outcome = attempt("redis", where, expect={"writable": True})
    assert (outcome.reason, outcome.hint) == ("unexpected", "use the master")
    assert outcome.summary == f"127.0.0.1:{port} is a replica, which is read-only"


@real
def test_a_replica_without_its_master_takes_no_writes(attempt, tmp_path):
    child, port = started(
        tmp_path, "--replicaof", f"127.0.0.1 {free_port()}", "--replica-serve-stale-data", "no"
    )
    try:
        outcome = attempt("redis", {"host": "127.0.0.1", "port": port}, expect={"writable": True})
        assert (outcome.ok, outcome.final) == (False, False)
        assert attempt("redis", {"host": "127.0.0.1", "port": port}).reason in ("refused", "")
    finally:
        child.terminate()
        child.wait(10)
        child.stdout.close()


@real
def test_tls_is_verified(attempt, certificates, tmp_path):
    pair = certificates.make("good")
    options = ("--tls-port", "PORT", "--tls-cert-file", pair[0], "--tls-key-file", pair[1],
               "--tls-ca-cert-file", certificates.ca, "--tls-auth-clients", "no")  # fmt: skip
    child, port = started(tmp_path, *options)
    try:
        assert attempt("redis", f"rediss://127.0.0.1:{port}?ssl_ca_certs={certificates.ca}").ok
        assert attempt("redis", f"rediss://127.0.0.1:{port}?ssl_cert_reqs=none").ok
        assert attempt("redis", {"host": "127.0.0.1", "port": port, "tls": True, "ca": certificates.ca}).ok
        outcome = attempt("redis", f"rediss://127.0.0.1:{port}")
        assert (outcome.reason, outcome.final) == ("tls", True)
        assert not attempt("redis", f"redis://127.0.0.1:{port}").ok
    finally:
        child.terminate()
        child.wait(10)
        child.stdout.close()


@pytest.mark.parametrize(
    ("said", "reason", "final"),
    [
        (b"-LOADING Redis is loading the dataset in memory\r\n", "refused", False),
        (b"-MASTERDOWN Link with MASTER is down\r\n", "refused", False),
        (b"-ERR max number of clients reached\r\n", "refused", False),
        (b"-DENIED Redis is running in protected mode\r\n", "auth", True),
        (b"-NOAUTH Authentication required.\r\n", "auth", True),
        (b"-NOPERM this user has no permissions\r\n", "auth", True),
        (b"-ERR unknown command\r\n", "unexpected", False),
        (b"HTTP/1.1 400 Bad Request\r\n", "protocol", False),
        (b"$99999999\r\n", "protocol", False),
        (b"+PO", "protocol", False),
    ],
)
def test_what_is_said_in_a_bad_moment_has_a_reason(attempt, said, reason, final):
    with answering_port(said) as port:
        outcome = attempt("redis", f"redis://127.0.0.1:{port}")
    assert (outcome.reason, outcome.final) == (reason, final), outcome


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("cache:6379", "ORC117"), ("http://cache", "ORC117"), ("redis://cache/one", "ORC117"), ({}, "ORC101"),
        ({"url": "redis://cache", "password": "x"}, "ORC113"), ({"host": "cache", "database": -1}, "greater_than_equal"),
    ],
)  # fmt: skip
def test_an_address_that_is_none_is_refused_when_it_is_read(make, value, code):
    with pytest.raises(ValidationError) as caught:
        make("redis", value)
    assert caught.value.errors()[0]["type"] == code


def test_a_password_is_in_neither_target_nor_repr(make):
    for value in (
        f"redis://:{quoted('hunter2')}@cache:6380/1",
        {"host": "cache", "port": 6380, "password": "hunter2"},
    ):
        wait = make("redis", value)
        assert wait.target() == "cache:6380"
        assert "hunter2" not in repr(wait)
