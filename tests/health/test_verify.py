"""One ask of a health endpoint."""

import http.server
import threading
import time

import pytest

from orchestrator.health import http_probe
from orchestrator.health.verify import Endpoint, ask
from orchestrator.spec.expect import Expect
from orchestrator.testing import closed_port, served, silent_port


@pytest.fixture
def service():
    """A service whose /ready says so, and whose /echo says its Host header."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            bodies = {"/ready": b'{"status": "ok"}', "/echo": self.headers["Host"].encode()}
            body = bodies.get(self.path, b"gone")
            self.send_response(200 if self.path in bodies else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()
    thread.join(5)


def expect(**given):
    return Expect.model_validate(given)


def test_an_endpoint_that_answers_200_is_well(service):
    outcome = ask(Endpoint("/ready", service), 2)
    assert outcome.ok
    assert outcome.summary == f"http://127.0.0.1:{service}/ready answered 200"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "*", "", "localhost"])
def test_a_service_that_listens_everywhere_is_asked_on_every_loopback_that_it_serves(service, host):
    """The service listens on 127.0.0.1 alone."""
    assert ask(Endpoint("/ready", service, host=host), 2).ok
    status, _ = http_probe.ask_host(host, service, http_probe.request("GET", "/ready", "x"), 2.0)
    assert status == 200


def test_what_is_expected_is_compared(service):
    assert ask(Endpoint("/ready", service, expect=expect(json={"status": "ok"})), 2).ok
    outcome = ask(Endpoint("/ready", service, expect=expect(json={"status": "warm"})), 2)
    assert (outcome.code, outcome.reason) == ("ORC706", "unexpected")
    assert outcome.summary.endswith('json status: expected "warm", got "ok"')


def test_another_status_is_a_failure(service):
    outcome = ask(Endpoint("/gone", service), 2)
    assert (outcome.code, outcome.reason, outcome.details) == ("ORC706", "unexpected", "gone")


def test_the_host_header_can_be_another(service):
    assert ask(Endpoint("/echo", service, host_header="example.org", expect=expect(body="example.org")), 2).ok


def test_nobody_listening_is_refused():
    with closed_port() as port:
        outcome = ask(Endpoint("/", port), 2)
    assert (outcome.code, outcome.reason, outcome.final) == ("ORC706", "refused", False)


def test_a_service_that_hangs_is_a_timeout_in_time():
    with silent_port() as port:
        started = time.monotonic()
        outcome = ask(Endpoint("/", port), 0.3)
    assert outcome.reason == "timeout"
    assert time.monotonic() - started < 3


def test_a_unix_socket_is_asked(tmp_path, service):
    import socket

    place = str(tmp_path / "app.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(place)
        listener.listen()

        def answer():
            connection, _ = listener.accept()
            with connection:
                host = connection.recv(4096).split(b"Host: ")[1].split(b"\r\n")[0]
                connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + host)

        thread = threading.Thread(target=answer)
        thread.start()
        outcome = ask(Endpoint("/live?x=1", unix=place, expect=expect(body="localhost")), 2)
        thread.join()
    assert outcome.summary == f"http://unix:{place}:/live answered 200"


def test_a_certificate_of_its_own_is_good_enough_for_loopback(tmp_path):
    import ssl
    import subprocess

    pair = ["-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "pem")]
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-subj",
        "/CN=x",
        "-days",
        "2",
        *pair,
    ]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "pem", tmp_path / "key")

    def handle(connection):
        with context.wrap_socket(connection, server_side=True) as secured:
            secured.recv(4096)
            secured.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    with served(handle) as port:
        assert ask(Endpoint("/", port, scheme="https"), 2).ok
        outcome = ask(Endpoint("/", port, scheme="https", verify=True), 2)
    assert (outcome.reason, outcome.final) == ("tls", True)


def test_headers_are_sent_and_not_shown():
    said = []

    def handle(connection):
        said.append(connection.recv(4096))
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")

    endpoint = Endpoint("/", headers={"Authorization": "Bearer hunter2"})
    assert "hunter2" not in repr(endpoint)
    with served(handle) as port:
        from dataclasses import replace

        assert ask(replace(endpoint, port=port), 2).ok
    assert b"Authorization: Bearer hunter2\r\n" in said[0]
