"""`http`: what is sent along, redirects that are followed, and proxies."""

import base64
import json
import socket
import threading

import pytest
from pydantic import ValidationError

from orchestrator.testing import answering_port, closed_port, served


@pytest.fixture
def echo(http_server):
    """The port of a server that answers with what it was asked, and what it heard."""
    heard = []

    def reply(handler):
        length = int(handler.headers.get("Content-Length") or 0)
        said = {
            "method": handler.command, "target": handler.path, "headers": dict(handler.headers.items()),
            "body": handler.rfile.read(length).decode(),
        }  # fmt: skip
        heard.append(said)
        answer = json.dumps(said).encode()
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json; charset=utf-8")
        handler.send_header("Content-Length", str(len(answer)))
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(answer)

    return http_server(reply), heard


def redirecting(http_server, status, where):
    def reply(handler):
        handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        handler.send_response(status)
        handler.send_header("Location", where(handler))
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return http_server(reply)


def test_json_is_posted_as_such(attempt, echo):
    port, heard = echo
    value = {"url": f"http://127.0.0.1:{port}/graphql", "json": {"query": "{ok}", "list": (1, 2)}}
    assert attempt("http", value).ok
    assert (heard[0]["method"], json.loads(heard[0]["body"])) == ("POST", {"query": "{ok}", "list": [1, 2]})
    assert heard[0]["headers"]["Content-Type"] == "application/json"


def test_a_text_is_sent_as_it_is_with_the_method_that_is_written(attempt, echo):
    port, heard = echo
    value = {
        "url": f"http://127.0.0.1:{port}/", "method": "POST", "body": "a=1&ü",
        "headers": {"content-type": "application/x-www-form-urlencoded"},
    }  # fmt: skip
    assert attempt("http", value).ok
    assert heard[0]["body"] == "a=1&ü"
    assert heard[0]["headers"]["content-type"] == "application/x-www-form-urlencoded"
    assert attempt("http", {**value, "body": "", "method": "GET"}).ok
    assert (heard[1]["method"], heard[1]["headers"]["Content-Length"]) == ("GET", "0")


@pytest.mark.parametrize(
    ("auth", "header"),
    [
        ({"basic": {"user": "me", "password": "p:w"}}, "Basic " + base64.b64encode(b"me:p:w").decode()),
        ({"basic": {"user": "me", "password_file": "pw"}}, "Basic " + base64.b64encode(b"me:in file").decode()),
        ({"bearer": "abc"}, "Bearer abc"),
        ({"bearer": {"token_file": "pw"}}, "Bearer in file"),
    ],
)  # fmt: skip
def test_credentials_are_shown_to_whom_is_asked(attempt, echo, tmp_path, auth, header):
    (tmp_path / "pw").write_text("in file\n")
    port, heard = echo
    outcome = attempt("http", {"url": f"http://127.0.0.1:{port}/", "auth": auth}, cwd=str(tmp_path))
    assert outcome.ok, outcome.summary
    assert heard[0]["headers"]["Authorization"] == header


def test_a_secret_that_cannot_be_read_is_final(attempt, echo):
    value = {"url": f"http://127.0.0.1:{echo[0]}/", "auth": {"bearer": {"token_file": "/nowhere"}}}
    outcome = attempt("http", value)
    assert (outcome.reason, outcome.final) == ("auth", True)
    assert outcome.summary == "cannot read /nowhere: no such file or directory"


def test_no_secret_is_in_its_representation(make):
    value = {
        "url": "http://a/", "body": "hunter2", "proxy": "http://me:hunter2@p", "auth": {"basic": {"user": "a", "password": "hunter2"}},
    }  # fmt: skip
    assert "hunter2" not in repr(make("http", value))
    assert "hunter2" not in repr(make("http", {"url": "http://a/", "auth": {"bearer": "hunter2"}}))


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"body": "a", "json": 1}, "ORC113"),
        ({"unix": "/a", "proxy": "http://p"}, "ORC113"),
        ({"auth": {}}, "ORC113"),
        ({"auth": {"bearer": "a", "basic": {"user": "a", "password": "b"}}}, "ORC113"),
        ({"auth": {"basic": {"user": "a"}}}, "ORC113"),
        ({"auth": {"bearer": {"token": "a", "token_file": "b"}}}, "ORC113"),
        ({"proxy": "socks://p"}, "ORC117"),
        ({"follow_redirects": 21}, "less_than_equal"),
        ({"min_tls": "1.1"}, "literal_error"),
    ],
)
def test_what_excludes_each_other_is_refused(make, more, code):
    with pytest.raises(ValidationError) as caught:
        make("http", {"url": "http://a/", **more})
    assert code in {each["type"] for each in caught.value.errors()}


def test_the_type_of_the_answer_is_compared_without_its_parameters(attempt, echo):
    address = f"http://127.0.0.1:{echo[0]}/"
    assert attempt("http", address, expect={"content_type": "application/json"}).ok
    outcome = attempt("http", address, expect={"content_type": {"starts_with": "text/"}})
    assert outcome.summary.endswith(
        'content type: expected a text that starts with "text/", got "application/json"'
    )
    with answering_port(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") as port:
        outcome = attempt("http", f"http://127.0.0.1:{port}/", expect={"content_type": "text/html"})
    assert outcome.summary.endswith("content type is missing")


# -- redirects


@pytest.mark.parametrize(
    ("status", "method", "then"),
    [
        (301, "GET", "GET"), (302, "POST", "GET"), (303, "POST", "GET"), (307, "POST", "POST"),
        (308, "POST", "POST"), (302, "HEAD", "HEAD"),
    ],
)  # fmt: skip
def test_redirects_are_followed_where_it_is_asked_for(attempt, http_server, echo, status, method, then):
    port, heard = echo
    first = redirecting(http_server, status, lambda _: f"http://127.0.0.1:{port}/there?x=1")
    content = {"body": "data"} if method == "POST" else {}
    value = {"url": f"http://127.0.0.1:{first}/", "method": method, "follow_redirects": 1, **content}
    assert attempt("http", value).ok
    assert (heard[0]["method"], heard[0]["target"]) == (then, "/there?x=1")
    assert heard[0]["body"] == ("data" if then == "POST" else "")


def test_credentials_go_to_nobody_else(attempt, http_server, echo):
    port, heard = echo
    value = {"auth": {"bearer": "secret"}, "headers": {"Cookie": "a=b", "X-Mine": "1"}, "follow_redirects": 2}
    first = redirecting(http_server, 302, lambda _: f"http://localhost:{port}/")
    assert attempt("http", {"url": f"http://127.0.0.1:{first}/", **value}).ok
    assert "X-Mine" in heard[0]["headers"]
    assert not {"Authorization", "Cookie"} & heard[0]["headers"].keys()


def test_credentials_stay_on_the_way_to_the_same_host(attempt, http_server):
    seen = []

    def where(handler):
        seen.append((handler.path, handler.headers.get("Authorization")))
        return "next"

    port = redirecting(http_server, 307, where)
    outcome = attempt("http", {"url": f"http://me:pw@127.0.0.1:{port}/a/b", "follow_redirects": 2})
    assert [path for path, _ in seen] == ["/a/b", "/a/next", "/a/next"]
    assert all(header and header.startswith("Basic ") for _, header in seen)
    assert (outcome.reason, outcome.summary) == ("unexpected", "more than 2 redirects, the last to next")


def test_from_tls_to_plain_is_not_followed(attempt, http_server, certificates):
    def reply(handler):
        handler.send_response(302)
        handler.send_header("Location", "http://localhost/")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    port = http_server(reply, certificates.context(certificates.make("good")))
    value = {"url": f"https://127.0.0.1:{port}/", "ca": certificates.ca, "follow_redirects": 3}
    assert "redirects to plain HTTP" in attempt("http", value).summary


def test_a_redirect_to_nonsense_is_a_protocol_error(attempt, http_server):
    port = redirecting(http_server, 302, lambda _: "ftp://elsewhere/")
    outcome = attempt("http", {"url": f"http://127.0.0.1:{port}/", "follow_redirects": 3})
    assert (outcome.reason, outcome.code) == ("protocol", "ORC507")
    assert "redirects to nowhere: expected a URL with" in outcome.summary


# -- proxies


def head_of(connection):
    said = b""
    while b"\r\n\r\n" not in said:
        said += connection.recv(4096)
    return said.decode()


def piped(one, other):
    """Carries bytes both ways until one side has ended."""

    def carry(source, target):
        try:
            while chunk := source.recv(65536):
                target.sendall(chunk)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            return

    back = threading.Thread(target=carry, args=(other, one), daemon=True)
    back.start()
    carry(one, other)
    back.join(5)


def test_a_proxy_is_asked_for_the_whole_address(attempt):
    heard = []

    def proxy(connection):
        heard.append(head_of(connection))
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    with served(proxy) as port:
        value = {"url": "http://app.invalid:8000/ready?x=1", "proxy": f"http://me:pw@127.0.0.1:{port}"}
        assert attempt("http", value).ok
    lines = heard[0].split("\r\n")
    assert lines[0] == "GET http://app.invalid:8000/ready?x=1 HTTP/1.1"
    assert "Host: app.invalid:8000" in lines
    assert f"Proxy-Authorization: Basic {base64.b64encode(b'me:pw').decode()}" in lines


def test_tls_is_spoken_through_a_proxy_with_whom_is_asked(attempt, http_server, certificates):
    def reply(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    target = http_server(reply, certificates.context(certificates.make("good")))
    heard = []

    def proxy(connection):
        heard.append(head_of(connection).split("\r\n")[0])
        with socket.create_connection(("127.0.0.1", target)) as there:
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            piped(connection, there)

    with served(proxy) as port:
        value = {"ca": certificates.ca, "proxy": f"http://127.0.0.1:{port}"}
        outcome = attempt("http", {"url": f"https://localhost:{target}/", **value}, timeout=5.0)
    assert outcome.ok, outcome.summary
    assert heard == [f"CONNECT localhost:{target} HTTP/1.1"]


@pytest.mark.parametrize(("status", "reason"), [(407, "auth"), (502, "unreachable")])
def test_a_proxy_that_does_not_connect_is_said(attempt, status, reason):
    with answering_port(f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n".encode()) as port:
        value = {"url": "https://app.invalid/", "proxy": f"http://127.0.0.1:{port}"}
        outcome = attempt("http", value)
    assert outcome.reason == reason
    assert (
        outcome.summary == f"the proxy 127.0.0.1:{port} does not connect to app.invalid:443: status {status}"
    )


def test_a_proxy_that_is_not_there_is_refused(attempt):
    with closed_port() as port:
        outcome = attempt("http", {"url": "http://app.invalid/", "proxy": f"http://127.0.0.1:{port}"})
    assert (outcome.reason, outcome.final) == ("refused", False)
