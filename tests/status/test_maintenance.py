"""The maintenance process on a real socket: what it answers, whom it bears with, and how it ends."""

import base64
import contextlib
import hashlib
import json
import os
import re
import select
import signal
import socket
import subprocess
import threading
import time
from html.parser import HTMLParser

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from orchestrator.status import http_server, maintenance
from orchestrator.status.maintenance import Config, command

CONFIG = Config(service="api", live="/live", ready="/ready", retry_after=17, message="Back <soon> & well.")


@contextlib.contextmanager
def serving(config=CONFIG):
    """Starts it as the engine does; yields the process, the address and the pipe that holds it."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    reading, writing = os.pipe()
    argv = command(listener.fileno(), config, reading)
    process = subprocess.Popen(argv, pass_fds=(listener.fileno(), reading), stderr=subprocess.PIPE, env={})
    os.close(reading)
    holder = os.fdopen(writing, "wb")
    try:
        until_it_listens(listener.getsockname(), process)
        yield process, listener, holder
    finally:
        process.kill()
        process.wait(10)
        assert process.stderr.read() == b""
        process.stderr.close()
        listener.close()
        holder.close()


def until_it_listens(address, process):
    end = time.monotonic() + 10
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(ConnectionRefusedError), socket.create_connection(address, 5):
            return
        time.sleep(0.01)
    raise AssertionError("it does not listen")


def exchange(address, request):
    """Status, headers in lower case and body of the answer; read until the server closes."""
    with socket.create_connection(address, 10) as connection:
        connection.sendall(request)
        return taken(connection)


def taken(connection):
    received = b""
    while chunk := connection.recv(65536):
        received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
    return int(lines[0].split()[1]), headers, body


def get(path, *lines, method="GET"):
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: x", *lines, "", ""]).encode()


@pytest.fixture(scope="module")
def address():
    with serving() as (_, listener, _):
        yield listener.getsockname()


def test_machines_get_a_problem_with_503_and_when_to_try_again(address):
    status, headers, body = exchange(address, get("/anything?x=1"))
    assert status == 503
    assert headers["content-type"] == "application/problem+json"
    assert headers["retry-after"] == "17"
    assert headers["connection"] == "close"
    assert headers["cache-control"] == "no-store"
    assert int(headers["content-length"]) == len(body)
    problem = json.loads(body)
    assert (problem["status"], problem["service"], problem["detail"]) == (503, "api", CONFIG.message)


@pytest.mark.parametrize("target", ["/live", "/live?verbose", "http://x/live"])
def test_the_live_path_is_200(address, target):
    status, headers, body = exchange(address, get(target, "Accept: text/html"))
    assert (status, json.loads(body)) == (200, {"status": "maintenance", "service": "api"})
    assert headers["content-type"] == "application/json"


@pytest.mark.parametrize("target", ["/ready", "/live/", "/", "*"])
def test_all_else_is_503(address, target):
    assert exchange(address, get(target))[0] == 503


def test_a_path_that_is_both_live_and_ready_is_503():
    both = maintenance.answer(get("/health"), Config(live="/health", ready="/health"))
    assert both.startswith(b"HTTP/1.1 503 ")
    assert maintenance.answer(get(""), Config()).startswith(b"HTTP/1.1 ")


@pytest.mark.parametrize(
    ("accept", "page"),
    [
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", True),
        ("TEXT/HTML", True),
        ("*/*", False),
        ("application/json", False),
        ("application/json, text/html;q=0.5", False),
        ("text/html;q=0.9, application/problem+json;q=0.5", True),
        ("text/html;q=0", False),
        ("text/html;q=nonsense", False),
        ("", False),
    ],
)
def test_the_page_is_for_who_asks_for_html(address, accept, page):
    status, headers, _ = exchange(address, get("/", f"Accept: {accept}"))
    assert status == 503
    assert headers["content-type"].startswith("text/html" if page else "application/problem+json")
    assert headers["vary"] == "Accept"


class Outline(HTMLParser):
    """Collects tags and attributes, and finds those that are not closed."""

    VOID = frozenset({"meta", "link", "br", "img"})

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.attributes = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_whole_escaped_and_fetches_nothing(address):
    _, headers, body = exchange(address, get("/", "Accept: text/html"))
    text = body.decode()
    outline = Outline()
    outline.feed(text)
    assert outline.open == []
    assert outline.tags.count("h1") == outline.tags.count("main") == outline.tags.count("title") == 1
    assert ("lang", "en") in outline.attributes
    assert not {"script", "img", "link", "iframe"} & set(outline.tags)
    assert not any(name == "src" or (name == "href" and value) for name, value in outline.attributes)
    assert not re.search(r"url\((?!#)|@import|https?://", text)
    assert "Back &lt;soon&gt; &amp; well." in text
    assert "prefers-color-scheme: dark" in text
    policy = dict(each.strip().split(" ", 1) for each in headers["content-security-policy"].split(";"))
    style = text.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == {
        "default-src": "'none'",
        "style-src": f"'sha256-{digest}'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }


def luminance(colour):
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_the_page_can_be_read_in_light_and_in_dark():
    schemes = re.findall(r":root \{(.*?)\}", maintenance.STYLE, re.DOTALL)
    assert len(schemes) == 2
    for scheme in schemes:
        colours = dict(re.findall(r"--([\w-]+): (#\w{6})", scheme))
        for name, ground in [
            ("ink", "paper"),
            ("quiet", "paper"),
            ("accent", "paper"),
            ("on-accent", "accent"),
        ]:
            light, dark = sorted((luminance(colours[ground]), luminance(colours[name])), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5, name


def test_head_is_the_same_without_the_body(address):
    _, headers, body = exchange(address, get("/", method="GET"))
    status, same, nothing = exchange(address, get("/", method="HEAD"))
    headers.pop("date"), same.pop("date")
    assert (status, same, nothing) == (503, headers, b"")
    assert body


@pytest.mark.parametrize(
    "request_", [b"nonsense\r\n\r\n", b"GET /\r\n\r\n", b"A" * 40_000, b"\x16\x03\x01\n\n"]
)
def test_what_is_no_request_is_400(address, request_):
    assert exchange(address, request_)[0] == 400


def test_a_large_body_is_taken_so_that_its_sender_reads_the_answer(address):
    with socket.create_connection(address, 10) as connection:
        connection.sendall(get("/upload", "Content-Length: 4000000", method="POST"))
        connection.sendall(b"x" * 4_000_000)
        assert taken(connection)[0] == 503


def test_who_asks_whether_to_send_a_body_is_told_at_once(address):
    with socket.create_connection(address, 10) as connection:
        connection.sendall(get("/upload", "Content-Length: 4000000", "Expect: 100-continue", method="PUT"))
        assert taken(connection)[0] == 503


def test_a_kept_connection_is_closed_after_its_answer_and_whoever_sent_more_asks_again(address):
    with socket.create_connection(address, 10) as connection:
        connection.sendall(get("/a", "Connection: keep-alive") + get("/b"))
        status, headers, body = taken(connection)
    assert (status, headers["connection"]) == (503, "close")
    assert len(body) == int(headers["content-length"])


def test_a_websocket_is_refused_with_503_and_when_to_try_again(address):
    with pytest.raises(InvalidStatus) as refused:
        connect("ws://{}:{}/talk".format(*address))
    answer = refused.value.response
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "17")


def test_a_client_that_reads_slowly_has_the_whole_answer(address):
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        connection.settimeout(10)
        connection.connect(address)
        connection.sendall(get("/", "Accept: text/html"))
        received = b""
        while chunk := connection.recv(256):
            received += chunk
            time.sleep(0.005)
    assert received.endswith(b"</html>\n")


def test_a_request_that_comes_byte_by_byte_is_answered(address):
    with socket.create_connection(address, 10) as connection:
        for byte in get("/live"):
            connection.sendall(bytes([byte]))
        assert taken(connection)[0] == 200


def test_many_at_once_are_answered_while_others_say_nothing(address):
    with contextlib.ExitStack() as stack:
        silent = [stack.enter_context(socket.create_connection(address, 10)) for _ in range(20)]
        asking = [stack.enter_context(socket.create_connection(address, 10)) for _ in range(100)]
        for connection in asking:
            connection.sendall(get("/live"))
        assert {taken(connection)[0] for connection in asking} == {200}
        assert len(silent) == 20


def test_the_oldest_makes_way_when_there_are_too_many(address):
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(socket.create_connection(address, 10))
        for _ in range(http_server.CONNECTIONS + 5):
            stack.enter_context(socket.create_connection(address, 10))
        assert first.recv(1) == b""
        assert exchange(address, get("/live"))[0] == 200


def test_a_client_that_says_nothing_is_parted_with(monkeypatch):
    monkeypatch.setattr(http_server, "PATIENCE", 0.05)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = maintenance.Maintenance(listener, -1, CONFIG)
        with socket.create_connection(listener.getsockname(), 5) as connection:
            server.handle(server.selector.select(5)[0][0])
            assert len(server.clients) == 1
            server.stop()
            server.serve()
            assert connection.recv(1) == b""
        server.selector.close()


def test_sigterm_ends_it_after_the_answers_that_are_due():
    with serving() as (process, listener, _):
        address = listener.getsockname()
        with socket.create_connection(address, 10) as connection:
            connection.sendall(get("/live")[:10])
            exchange(address, get("/live"))  # by now the other one has been accepted too
            process.send_signal(signal.SIGTERM)
            connection.sendall(get("/live")[10:])
            assert taken(connection)[0] == 200
        started = time.monotonic()
        assert process.wait(10) == 0
        assert time.monotonic() - started < http_server.FAREWELL + 1


def test_an_idle_one_ends_at_once():
    with serving() as (process, _, _):
        started = time.monotonic()
        process.terminate()
        assert process.wait(10) == 0
        assert time.monotonic() - started < 1


def test_it_ends_when_its_parent_does():
    with serving() as (process, _, holder):
        holder.close()
        assert process.wait(10) == 0


def test_what_it_leaves_in_the_queue_is_for_the_next_one():
    with serving() as (process, listener, _):
        process.terminate()
        assert process.wait(10) == 0
        with socket.create_connection(listener.getsockname(), 5) as connection:
            listener.setblocking(True)
            listener.settimeout(5)
            accepted, _ = listener.accept()
            accepted.sendall(b"the app")
            accepted.close()
            assert connection.recv(100) == b"the app"


def test_the_last_one_answers_who_waits_in_the_queue_and_refuses_who_comes_after():
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener, contextlib.ExitStack() as stack:
        address = listener.getsockname()
        server = maintenance.Maintenance(listener.dup(), -1, Config(last=True))
        waiting = [stack.enter_context(socket.create_connection(address, 5)) for _ in range(20)]
        for each in waiting:
            each.sendall(get("/x"))
        server.stop()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address, 5)
        thread = threading.Thread(target=server.serve)
        thread.start()
        assert {taken(each)[0] for each in waiting} == {503}
        for each in waiting:
            each.close()
        thread.join(10)
        assert not thread.is_alive()
        server.selector.close()


def test_the_last_one_frees_the_address_before_its_last_answers_and_says_so():
    with serving(Config(last=True)) as (process, listener, holder):
        address = listener.getsockname()
        with socket.create_connection(address, 10) as silent:
            listener.close()
            process.terminate()
            poll = select.poll()
            poll.register(holder.fileno(), 0)
            assert poll.poll(10_000)
            with socket.create_server(address):
                assert process.poll() is None
            silent.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert silent.recv(100).startswith(b"HTTP/1.1 503")
        assert process.wait(10) == 0


def test_a_hand_over_under_load_loses_nothing():
    with serving() as (first, listener, _):
        address = listener.getsockname()
        reading, writing = os.pipe()
        second = None
        found = []
        for turn in range(300):
            if turn == 100:
                argv = command(listener.fileno(), CONFIG, reading)
                second = subprocess.Popen(argv, pass_fds=(listener.fileno(), reading), env={})
                first.terminate()
            found.append(exchange(address, get("/live"))[0])
        assert found == [200] * 300
        assert first.wait(10) == 0
        os.close(writing)
        assert second.wait(10) == 0
        os.close(reading)


def test_the_configuration_travels_as_arguments_and_survives():
    words = command(5, CONFIG, 6)
    assert words[1:3] == ["-I", "-S"]
    assert words[4:6] == ["5", "6"]
    assert vars(Config(**json.loads(words[6]))) == vars(CONFIG)


def retry_after(address):
    return int(exchange(address, get("/"))[1]["retry-after"])


def until_it_says(address, seconds):
    end = time.monotonic() + 10
    while (said := retry_after(address)) not in seconds:
        assert time.monotonic() < end, said
        time.sleep(0.02)


def test_it_says_when_the_service_is_checked_again():
    with serving() as (process, listener, holder):
        address = listener.getsockname()
        assert retry_after(address) == 17, "what it was started with, as long as nothing was announced"
        holder.write(
            maintenance.announced(time.monotonic() + 1000) + maintenance.announced(time.monotonic() + 100)
        )
        holder.flush()
        until_it_says(address, range(60, 101))
        body = json.loads(exchange(address, get("/"))[2])
        assert 60 <= body["retry_after"] <= 100
        holder.write(maintenance.announced(time.monotonic() - 5))
        holder.flush()
        until_it_says(address, [maintenance.SOONEST])
        holder.write(maintenance.announced(time.monotonic() + 1, always=120.0))
        holder.flush()
        until_it_says(address, [120])
        assert process.poll() is None
        holder.close()
        assert process.wait(10) == 0, "the end of the pipe is still the end"
