"""`http` against real servers, and against ones that misbehave."""

import json
import socket
import time

import pytest
from pydantic import ValidationError

from orchestrator.document.plain import Template
from orchestrator.testing import answering_port, closed_port, dripping_port, full_port, served, silent_port

SECRET = "hunter2-%"


def say(status=200, body=b"", **headers):
    def reply(handler):
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(body)

    return reply


@pytest.mark.parametrize("status", [200, 204, 299])
def test_without_expectations_200_to_299_is_well(attempt, http_server, status):
    port = http_server(say(status))
    outcome = attempt("http", f"http://127.0.0.1:{port}/health")
    assert outcome.ok
    assert outcome.summary == f"http://127.0.0.1:{port}/health answered {status}"


def test_another_status_is_unexpected_and_shows_the_body(attempt, http_server):
    outcome = attempt("http", f"http://127.0.0.1:{http_server(say(503, b'not yet'))}/")
    assert (outcome.reason, outcome.code, outcome.final) == ("unexpected", "ORC508", False)
    assert outcome.summary.endswith("/: status 503, expected 200-299")
    assert outcome.details == "not yet"


def test_redirects_are_not_followed_and_said(attempt, http_server):
    outcome = attempt("http", f"http://127.0.0.1:{http_server(say(302, Location='/login?next=x'))}/")
    assert outcome.hint == "redirects are not followed; it points to /login"


def test_missing_credentials_are_final(attempt, http_server):
    outcome = attempt("http", f"http://127.0.0.1:{http_server(say(401))}/")
    assert (outcome.reason, outcome.code, outcome.final) == ("auth", "ORC506", True)


def test_a_401_that_is_expected_is_well(attempt, http_server):
    assert attempt("http", f"http://127.0.0.1:{http_server(say(401))}/", expect={"status": 401}).ok


def test_expectations_are_compared(attempt, http_server):
    port = http_server(say(200, json.dumps({"version": "0.4"}).encode(), X_Kind="a"))
    well = {"status": (200, 201), "headers": {"x-kind": "a"}, "json": {"version": {"matches": "^0\\."}}}
    assert attempt("http", f"http://127.0.0.1:{port}/", expect=well).ok
    outcome = attempt("http", f"http://127.0.0.1:{port}/", expect={"json": {"version": "1"}})
    assert outcome.summary.endswith('json version: expected "1", got "0.4"')


def seen(http_server):
    """A server that answers with what it was asked."""

    def reply(handler):
        said = {"method": handler.command, "target": handler.path, "headers": dict(handler.headers.items())}
        handler.server.said = said
        say(200, json.dumps(said).encode())(handler)

    return http_server(reply)


def test_the_request_is_what_was_asked_for(attempt, http_server):
    port = seen(http_server)
    value = {
        "url": f"http://me:{SECRET.replace('%', '%25')}@127.0.0.1:{port}/a b?q=ü#x".replace(" ", "%20"),
        "method": "POST",
        "headers": {"x-one": "1", "Host": "example.org"},
    }
    wanted = {
        "method": "POST", "target": "/a%20b?q=%C3%BC", "headers.Host": "example.org", "headers.x-one": "1",
        "headers.Content-Length": "0", "headers.Authorization": "Basic bWU6aHVudGVyMi0l",
        "headers.Connection": "close",
    }  # fmt: skip
    outcome = attempt("http", value, expect={"json": wanted})
    assert outcome.ok, outcome.summary


def test_the_host_header_names_the_port_where_it_is_not_the_usual_one(attempt, http_server):
    port = seen(http_server)
    assert attempt(
        "http",
        f"http://127.0.0.1:{port}",
        expect={"json": {"headers.Host": f"127.0.0.1:{port}", "target": "/"}},
    ).ok


def test_ipv6_addresses_are_in_brackets(attempt, http_server, ipv6):
    port = http_server(say(), family=ipv6)
    outcome = attempt("http", f"http://[::1]:{port}/")
    assert outcome.summary == f"http://[::1]:{port}/ answered 200"


def test_a_head_request_has_no_body_to_wait_for(attempt, http_server):
    port = http_server(say(200, b"x" * 100))
    assert attempt("http", {"url": f"http://127.0.0.1:{port}/", "method": "HEAD"}).ok


def test_proxies_of_the_environment_are_not_used(attempt, http_server, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert attempt(
        "http", f"http://127.0.0.1:{http_server(say())}/", environ={"HTTP_PROXY": "http://127.0.0.1:9"}
    ).ok


def test_a_unix_socket_is_asked(attempt, tmp_path):
    place = str(tmp_path / "app.sock")
    import threading

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(place)
        listener.listen()

        def answer():
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        assert attempt("http", {"url": "http://app/health", "unix": place}).ok
        thread.join()


@pytest.mark.parametrize(
    ("raw", "expect"),
    [
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n", {"body": "abcde"}),
        (b"HTTP/1.0 200 OK\r\n\r\nuntil the end", {"body": "until the end"}),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", {"body": "ok"}),
        (b"HTTP/1.1 200\nContent-Length: 2\n\nokay", {"body": "ok"}),
        (b"HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\n", {"status": 204}),
        (b"HTTP/1.1 200 OK\r\nA: 1\r\na: 2\r\n\r\n", {"headers": {"A": "1, 2"}}),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 100_000, {"body": "x" * 65536}),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100_000, {"body": "x" * 65536}),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n" + b"x" * 70_000, {"body": "x" * 65536}),
    ],
)  # fmt: skip
def test_answers_of_many_shapes_are_read(attempt, raw, expect):
    with answering_port(raw) as port:
        outcome = attempt("http", f"http://127.0.0.1:{port}/", expect=expect)
    assert outcome.ok, outcome.summary


@pytest.mark.parametrize(
    ("raw", "reason", "part"),
    [
        (b"SSH-2.0-OpenSSH\r\n", "protocol", "does not answer in HTTP: 'SSH-2.0-OpenSSH"),
        (b"\x15\x03\x01\x00\x02\x02\x46", "protocol", "answers in TLS"),
        (b"HTTP/1.1 abc\r\n\r\n", "protocol", "does not answer in HTTP"),
        (b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "protocol", "an invalid header"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "protocol", "the content length 'x'"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", "protocol", "in the middle of its answer"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            "protocol",
            "a chunk without a valid size",
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n",
            "protocol",
            "a chunk without a valid size",
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
            "protocol",
            "longer than its size",
        ),
        (b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 20_000, "protocol", "more than 64 KiB of headers"),
        (b"HTTP/1.1 200 OK\r\na: " + b"b" * 200_000, "protocol", "a line of more than"),
        (b"HTTP/1.1 100 Go\r\n\r\n" * 50, "protocol", "only interim answers"),
        (b"HT", "protocol", "in the middle"),
        (b"", "refused", "closed it at once"),
    ],
)
def test_answers_that_are_none_are_said(attempt, raw, reason, part):
    with answering_port(raw) as port:
        outcome = attempt("http", f"http://127.0.0.1:{port}/")
    assert outcome.reason == reason
    assert part in outcome.summary


@pytest.mark.parametrize("trap", [silent_port, full_port])
def test_who_never_answers_is_a_timeout_in_time(attempt, trap):
    with trap() as port:
        assert attempt("http", f"http://127.0.0.1:{port}/", timeout=0.3).reason == "timeout"
        assert attempt("http", f"https://127.0.0.1:{port}/", timeout=0.3).reason == "timeout"


@pytest.mark.parametrize(
    "raw", [b"HTTP/1.1 200 OK\r\n" * 10, b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 100], ids=["headers", "body"]
)
def test_drips_cannot_stretch_the_timeout(attempt, raw):
    start = raw.index(b"\n") + 1

    def drip(connection):
        connection.sendall(raw[:start])
        for byte in raw[start:]:
            connection.sendall(bytes([byte]))
            time.sleep(0.05)

    with served(drip) as port:
        started = time.monotonic()
        outcome = attempt("http", f"http://127.0.0.1:{port}/", timeout=0.4)
    assert outcome.reason == "timeout"
    assert "did not finish its answer within 0.4 s" in outcome.summary
    assert time.monotonic() - started < 3  # all of it would take 5 s


def test_a_dripped_status_line_is_a_timeout_too(attempt):
    with dripping_port(b"HTTP/1.1 200 OK\r\n\r\n") as port:
        assert attempt("http", f"http://127.0.0.1:{port}/", timeout=0.3).reason == "timeout"


def test_a_refused_connection_is_said(attempt):
    with closed_port() as port:
        assert attempt("http", f"http://127.0.0.1:{port}/").reason == "refused"


# -- TLS


def test_https_verifies_the_certificate_with_the_given_authority(attempt, http_server, certificates):
    port = http_server(say(), certificates.context(certificates.make("good")))
    assert attempt("http", {"url": f"https://127.0.0.1:{port}/", "ca": certificates.ca}).ok
    assert attempt("http", {"url": f"https://localhost:{port}/", "ca": certificates.ca}).ok
    assert attempt("http", {"url": f"https://127.0.0.1:{port}/", "verify": False}).ok


@pytest.mark.parametrize(
    ("which", "said"),
    [
        ("expired", ("certificate has expired", "renew the certificate")),
        ("future", ("certificate is not yet valid", "compare the clocks")),
        ("elsewhere", ("IP address mismatch", "it is not for 127.0.0.1")),
        ("unknown", ("unable to get local issuer certificate", "name the file of the authority")),
        ("own", ("self-signed certificate", "name the file of the authority")),
    ],
)
def test_certificates_that_are_not_right_fail_for_good(attempt, http_server, certificates, which, said):
    pairs = {
        "expired": lambda: certificates.make("expired", end="20210101000000Z"),
        "future": lambda: certificates.make("future", start="20490101000000Z"),
        "elsewhere": lambda: certificates.make("elsewhere", names="DNS:elsewhere.example"),
        "unknown": lambda: certificates.make("good"),
        "own": certificates.self_signed,
    }
    port = http_server(say(), certificates.context(pairs[which]()))
    ca = {} if which in ("unknown", "own") else {"ca": certificates.ca}
    outcome = attempt("http", {"url": f"https://127.0.0.1:{port}/", **ca})
    assert (outcome.reason, outcome.code, outcome.final) == ("tls", "ORC505", True)
    assert said[0] in outcome.summary
    assert said[1] in outcome.hint


def test_another_name_can_be_asked_for(attempt, http_server, certificates):
    port = http_server(
        say(), certificates.context(certificates.make("elsewhere", names="DNS:elsewhere.example"))
    )
    value = {"url": f"https://127.0.0.1:{port}/", "ca": certificates.ca, "server_name": "elsewhere.example"}
    assert attempt("http", value).ok


def test_https_to_a_port_without_tls_is_said(attempt, http_server):
    outcome = attempt("http", f"https://127.0.0.1:{http_server(say())}/")
    assert (outcome.reason, outcome.final) == ("tls", True)
    assert "does not speak TLS" in outcome.summary


def test_http_to_a_port_with_tls_is_no_success(attempt, http_server, certificates):
    port = http_server(say(), certificates.context(certificates.make("good")))
    assert attempt("http", f"http://127.0.0.1:{port}/").reason in ("protocol", "refused")


@pytest.mark.parametrize(("field", "value"), [("ca", "/nowhere.pem"), ("certificate", "/nowhere.pem")])
def test_files_that_are_not_there_fail_for_good(attempt, http_server, certificates, field, value):
    port = http_server(say(), certificates.context(certificates.make("good")))
    outcome = attempt("http", {"url": f"https://127.0.0.1:{port}/", "verify": False, field: value})
    assert (outcome.reason, outcome.final) == ("tls", True)
    assert "/nowhere.pem: No such file or directory" in outcome.summary


# -- what is written


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("ollama:11434", "ORC117"), ("ftp://a/", "ORC117"), ("http:///x", "ORC117"), ("http://a:b/", "ORC117"),
        ("http://a b/", "ORC117"), ("http://a%0d%0ab/", "ORC117"), ("http://a:0/", "ORC117"),
        ({"method": "GET"}, "ORC101"), ({"url": "http://a", "method": "BREW"}, "literal_error"),
        ({"url": "http://a", "headers": {"a b": "c"}}, "ORC109"),
        ({"url": "http://a", "headers": {"a": "c\r\nd: e"}}, "ORC103"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_refused_when_it_is_read(make, value, code):
    with pytest.raises(ValidationError) as caught:
        make("http", value)
    assert caught.value.errors()[0]["type"] == code


def test_a_password_is_in_no_message_of_a_bad_url(make):
    with pytest.raises(ValidationError) as caught:
        make("http", f"http://me:pa/{SECRET}@a/")
    assert SECRET not in caught.value.errors()[0]["msg"]


def test_an_at_sign_in_a_path_is_part_of_it(make):
    assert make("http", "http://packages:8080/@shop/cart").target() == "http://packages:8080/@shop/cart"


def test_secrets_are_in_neither_target_nor_repr(make):
    value = {"url": f"http://me:{SECRET}@a/b?token={SECRET}", "headers": {"Authorization": SECRET}}
    wait = make("http", value)
    assert wait.target() == "http://a/b"
    assert SECRET not in repr(wait)


def test_an_address_that_is_not_known_yet_shows_its_variables_alone(make):
    written = f"http://me:{SECRET}@${{HOST}}:${{PORT:-80}}/"
    unknown = Template(written, known=False, secret=False, written=written)
    assert make("http", unknown).target() == "${HOST} ${PORT}"
    assert make("http", {"url": unknown}).target() == "${HOST} ${PORT}"
