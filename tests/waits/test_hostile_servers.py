"""What may come from a server that is broken, hostile, or another one than expected: an outcome, in time and in little memory."""

import resource
import struct
import subprocess
import sys
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.core.context import Context
from orchestrator.spec.kinds import WAITS
from orchestrator.testing import answering_port, served

ADDRESSES = {
    "tcp": "127.0.0.1:{}",
    "tls": "127.0.0.1:{}",
    "http": "http://me:x@127.0.0.1:{}/",
    "postgres": "postgresql://me:x@127.0.0.1:{}/app",
    "mysql": "mysql://me:x@127.0.0.1:{}/app",
    "redis": "redis://me:x@127.0.0.1:{}/1",
    "amqp": "amqp://me:x@127.0.0.1:{}/app",
}
EXPECT = {"tcp": {"matches": "x"}, "http": {"json": {"a": 1}}, "postgres": "select 1", "mysql": "select 1"}
PLAUSIBLE = st.sampled_from(
    [b"HTTP/1.1 200 OK\r\n", b"Location: gopher://[::1\r\n", b"Transfer-Encoding: chunked\r\n", b"\r\n", b"N", b"R\0\0\0\x08\0\0\0\0",
     b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0", b"Z\0\0\0\5I", b"D\0\0\0\x06\0\1", b"T\0\0\0\x06\0\1", b"+OK\r\n", b"$5\r\n", b"$" + b"9" * 5000 + b"\r\n",
     b"-ERR \x1b]0;x\x07\r\n", b"\x4a\0\0\0\x0a8.0.0\0", b"\1\0\0\0\0\0\x0c\0\x0a\0\x0a", b"\xce", b"\0", b"\xff\xfe", b"[" * 2000]
)  # fmt: skip
BYTES = st.lists(PLAUSIBLE | st.binary(max_size=60), max_size=12).map(b"".join)


def made(word, port):
    more = {"expect": EXPECT[word]} if word in EXPECT else {}
    return WAITS.load(word).model_validate({"name": "it", word: ADDRESSES[word].format(port), **more})


@pytest.mark.parametrize("word", ADDRESSES)
def test_whatever_bytes_come_there_is_an_outcome_in_time(word):
    answer = [b""]

    def handle(connection):
        if word != "mysql":
            connection.recv(4096)
        connection.sendall(answer[0])

    with served(handle) as port:
        wait = made(word, port)

        @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        @given(BYTES)
        def outcomes(data):
            answer[0] = data
            started = time.monotonic()
            outcome = wait.attempt(Context(environ={}, timeout=1.0))
            assert time.monotonic() - started < 2.5
            assert outcome.summary.isprintable()
            assert outcome.hint.isprintable()

        outcomes()


ENDLESS = {
    "http": b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 2000,
    "tcp": b"x" * 20000,
    "postgres": b"N" + (b"S" + struct.pack("!i", 60_004) + b"n" * 30_000 + b"\0" + b"v" * 29_999) * 4,
    "redis": b"+" + b"x" * 20000,
    "mysql": b"\xff\xff\xff\0" + b"\x0a" + b"x" * 20000,
    "amqp": b"\x08\0\0\0\0\0\0\xce" * 2000,
}
_MEASURE = """
import resource, sys
from orchestrator.core.context import Context
from orchestrator.spec.kinds import WAITS
def made(port): return WAITS.load(sys.argv[1]).model_validate({"name": "it", sys.argv[1]: sys.argv[2].format(port)})
made(9).attempt(Context(environ={}, timeout=0.2))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
outcome = made(int(sys.argv[3])).attempt(Context(environ={}, timeout=1.5))
print(outcome.ok, outcome.reason, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.parametrize("word", ENDLESS)
def test_an_answer_without_end_takes_little_memory(word):
    def handle(connection):
        if word != "mysql":
            connection.recv(4096)
        while True:
            connection.sendall(ENDLESS[word][1:] if word == "postgres" and handle.begun else ENDLESS[word])
            handle.begun = True

    handle.begun = False
    with served(handle) as port:
        done = subprocess.run(
            [sys.executable, "-c", _MEASURE, word, ADDRESSES[word], str(port)],
            capture_output=True, text=True, timeout=30,
        )  # fmt: skip
    assert not done.stderr
    well, _, kilobytes = done.stdout.split(" ")[0], *done.stdout.split(" ")[1:]
    assert well == ("True" if word == "tcp" else "False"), done.stdout
    assert int(kilobytes) < 64 * 1024


def test_a_phrase_with_escapes_is_printable_in_every_text(attempt):
    with answering_port(b"-ERR \x1b]0;owned\x07\xc2\x9b31m \xe2\x80\xae\r\n") as port:
        outcome = attempt("redis", f"redis://127.0.0.1:{port}")
    assert outcome.summary.isprintable()
    assert "\\x1b]0;owned" in outcome.summary


@pytest.mark.parametrize(
    "location", [b"gopher://[::1", b"http://[", b"//\xff", b"\x1b[31m", b"http://a:99999999/"]
)
def test_a_redirect_is_neither_followed_nor_believed(attempt, location):
    asked = []

    def handle(connection):
        asked.append(connection.recv(4096))
        connection.sendall(b"HTTP/1.1 307 Go\r\nLocation: " + location + b"\r\nContent-Length: 0\r\n\r\n")

    with served(handle) as port:
        outcome = attempt(
            "http", {"url": f"http://127.0.0.1:{port}/", "headers": {"X-Api-Key": "k"}, "body": "secret"}
        )
    assert (outcome.ok, outcome.data["status"], len(asked)) == (False, 307, 1)
    assert outcome.hint.startswith("redirects are not followed; it points to ")
    assert outcome.hint.isprintable()


def test_json_nested_too_deeply_is_an_outcome(attempt):
    deep = b"[" * 60_000
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(deep), deep)
    with answering_port(answer) as port:
        outcome = attempt("http", f"http://127.0.0.1:{port}/", expect={"json": {"a": 1}})
    assert outcome.reason == "unexpected"


def test_what_a_function_returns_may_be_nested_deeply(attempt, tmp_path):
    (tmp_path / "deep.py").write_text(
        "class Deep(dict): pass\ndef ready():\n    value = []\n    for _ in range(900): value = [value]\n    return value\n"
    )
    environ = {"PYTHONPATH": str(tmp_path)}
    outcome = attempt("python", "deep:ready", environ=environ, timeout=8.0, expect=[1])
    assert outcome.reason == "unexpected"


# -- PostgreSQL without TLS


def message(kind, payload):
    return kind + struct.pack("!i", len(payload) + 4) + payload


def request(kind, payload=b""):
    return message(b"R", struct.pack("!i", kind) + payload)


READY = b"Z\0\0\0\5I"


def saying(*messages):
    """A PostgreSQL that declines TLS, then answers in turn; `heard` has all that it was sent."""
    heard = []

    def handle(connection):
        first = connection.recv(4096)
        if first[4:] == struct.pack("!i", 80877103):
            connection.sendall(b"N")
            connection.recv(4096)
        for each in messages:
            connection.sendall(each)
            heard.append(connection.recv(4096))

    return served(handle), heard


@pytest.mark.parametrize("query", ["", "?sslmode=prefer", "?sslmode=allow"])
def test_no_password_is_sent_in_clear_text_without_tls(attempt, query):
    server, heard = saying(request(3))
    with server as port:
        outcome = attempt("postgres", f"postgresql://me:hunter2@127.0.0.1:{port}/app{query}")
    assert (outcome.reason, outcome.final) == ("auth", True)
    assert "in clear text on a connection without TLS" in outcome.summary
    assert not any(b"hunter2" in each for each in heard)


def test_who_switches_tls_off_may_send_the_password(attempt):
    server, heard = saying(request(3), request(0) + READY)
    with server as port:
        assert attempt("postgres", f"postgresql://me:hunter2@127.0.0.1:{port}/app?sslmode=disable").ok
    assert b"hunter2" in heard[0]


@pytest.mark.parametrize("answer", [request(0) + READY, READY])
def test_a_login_without_the_servers_proof_is_not_believed(attempt, answer):
    server, _ = saying(request(10, b"SCRAM-SHA-256\0\0"), answer)
    with server as port:
        outcome = attempt("postgres", f"postgresql://me:x@127.0.0.1:{port}/app")
    assert not outcome.ok
    assert outcome.reason in ("auth", "protocol")


def test_a_server_that_asks_for_no_password_is_not_said_to_know_it(attempt):
    server, _ = saying(request(0) + READY)
    with server as port:
        outcome = attempt("postgres", f"postgresql://me:x@127.0.0.1:{port}/app")
    assert outcome.summary.endswith("let me in without asking for the password")


@pytest.mark.parametrize(
    ("kind", "text"), [(3802, b"[" * 100_000), (1700, b"9" * 6000), (23, b"x"), (16, b"?")]
)
def test_a_value_that_cannot_be_read_stays_a_text(attempt, kind, text):
    row = b"D" + struct.pack("!ihi", len(text) + 10, 1, len(text)) + text
    columns = message(b"T", struct.pack("!h", 1) + b"n\0" + struct.pack("!ihihih", 0, 0, kind, 0, 0, 0))
    server, _ = saying(request(0) + READY, READY, READY, columns + row + READY, READY)
    with server as port:
        outcome = attempt(
            "postgres", f"postgresql://me@127.0.0.1:{port}/app", expect={"query": "q", "value": 1}
        )
    assert outcome.reason == "unexpected"
    assert len(outcome.summary) < 500


def test_a_huge_message_is_an_outcome(attempt):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    server, _ = saying(b"R" + struct.pack("!i", 2**31 - 1) + b"x" * 4096)
    with server as port:
        assert attempt("postgres", f"postgresql://me:x@127.0.0.1:{port}/app").reason == "protocol"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024


@pytest.mark.parametrize(
    ("words", "reason", "final"),
    [
        ("no more connections allowed (max_client_conn)", "refused", False), ("query_wait_timeout", "refused", False),
        ("server login has been failing, try again later (server_login_retry)", "refused", False),
        ("server login has been failing, cached error: the database system is starting up (server_login_retry)", "refused", False),
        ('server login has been failing, cached error: password authentication failed for user "x" (server_login_retry)', "auth", True),
        ("no such user: me", "auth", True), ("SASL authentication failed", "auth", True), ("password authentication failed", "auth", True),
        ("server login failed: wrong password type", "auth", True), ("no such database: app", "unexpected", False),
        ("transaction blocks not allowed in statement pooling mode", "protocol", False),
    ],
)  # fmt: skip
def test_the_words_of_pgbouncer(attempt, words, reason, final):
    server, _ = saying(message(b"E", b"SFATAL\0C08P01\0M" + words.encode() + b"\0\0"))
    with server as port:
        outcome = attempt("postgres", f"postgresql://me:x@127.0.0.1:{port}/app")
    assert (outcome.reason, outcome.final) == (reason, final)
    assert words[:50] in outcome.summary
