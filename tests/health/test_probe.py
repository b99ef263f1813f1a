"""The probe as a container runtime runs it: its own process, a real server, a real state directory."""

import contextlib
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from ports import free_port

from orchestrator.health import http_probe, probe, probe_verdict
from orchestrator.status.state import Endpoint, Probe, StateDirectory

ALONE = [sys.executable, "-I", "-S", str(Path(probe.__file__))]
MODULE = [sys.executable, "-m", "orchestrator", "health"]


@pytest.fixture
def directory(tmp_path):
    path = tmp_path / "state"
    path.mkdir(mode=0o700)
    return path


def health(directory, *arguments, command=ALONE):
    environ = {"PATH": os.environ["PATH"], "ORCHESTRATOR_STATE_DIR": str(directory)}
    done = subprocess.run([*command, *arguments], env=environ, capture_output=True, text=True, timeout=20)
    assert done.stderr == ""
    assert done.returncode in {0, 1}
    return done.returncode, done.stdout


def write(directory, status, *endpoints, reason="", pid=0):
    StateDirectory(str(directory)).write_probe(Probe(status, pid or os.getpid(), endpoints, reason))


@contextlib.contextmanager
def server(talk, family=socket.AF_INET, address=("127.0.0.1", 0)):
    """Gives every connection to `talk`, each in a thread; yields the listener's address."""
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.bind(address)
    listener.listen()
    held = []

    def accept():
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                held.append(connection)
                threading.Thread(target=attend, args=(connection,), daemon=True).start()

    def attend(connection):
        with contextlib.suppress(OSError):
            talk(connection)

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
        listener.close()
        for connection in held:
            connection.close()


def answering(answer, seen=None):
    def talk(connection):
        request = connection.recv(65536)
        if seen is not None:
            seen.append(request)
        connection.sendall(answer)
        connection.shutdown(socket.SHUT_WR)

    return talk


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.mark.parametrize("command", [ALONE, MODULE], ids=["alone", "command"])
def test_a_well_endpoint_is_0_and_says_the_status_in_one_line(directory, command):
    with server(answering(OK)) as (_, port):
        write(directory, "ready", Endpoint("ready", port=port, path="/ready"))
        code, line = health(directory, command=command)
    assert code == 0
    assert line.startswith("ready: 200 in ")
    assert line.endswith(" ms\n")
    assert line.count("\n") == 1


def test_the_request_is_a_plain_get_that_names_itself_and_closes(directory):
    seen = []
    endpoint = Endpoint(
        "ready", path="/a b%c", host_header="app.example", headers=(("X-Probe", "yes"),), method="HEAD"
    )
    with server(answering(OK, seen)) as (_, port):
        write(directory, "ready", Endpoint(**{**_fields(endpoint), "port": port}))
        assert health(directory)[0] == 0
        write(directory, "ready", Endpoint("ready", port=port))
        assert health(directory)[0] == 0
    lines = seen[0].decode().split("\r\n")
    assert lines[0] == "HEAD /a b%c HTTP/1.1"
    assert {
        "Host: app.example",
        "X-Probe: yes",
        "User-Agent: orchestrator-health",
        "Connection: close",
    } < set(lines)
    assert seen[1].startswith(b"GET / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n" % port)


def _fields(endpoint):
    return {name: getattr(endpoint, name) for name in Endpoint.__slots__}


@pytest.mark.parametrize("host", ["0.0.0.0", "*", "localhost"])
def test_all_addresses_are_asked_at_the_loopback_one(directory, host):
    seen = []
    with server(answering(OK, seen)) as (_, port):
        write(directory, "ready", Endpoint("ready", host=host, port=port))
        assert health(directory)[0] == 0
    name = "localhost" if host == "localhost" else "127.0.0.1"
    assert f"\r\nHost: {name}:{port}\r\n".encode() in seen[0]


def test_ipv6_is_asked_too(directory):
    try:
        listening = server(answering(OK), socket.AF_INET6, ("::1", 0))
        with listening as (_, port, *_):
            write(directory, "ready", Endpoint("ready", host="::", port=port))
            assert health(directory)[0] == 0
            assert health(directory, "--url", f"http://[::1]:{port}/")[0] == 0
    except OSError as error:
        pytest.skip(f"no IPv6 here: {error}")


def test_a_unix_socket_with_a_blank_in_its_path_is_asked(directory, tmp_path):
    path = str(tmp_path / "the app.sock")
    with server(answering(OK), socket.AF_UNIX, path):
        write(directory, "ready", Endpoint("ready", kind="unix", file=path))
        assert health(directory)[0] == 0
    os.unlink(path)
    code, line = health(directory)
    assert (code, line) == (1, f"ready: refused: there is no socket {path}\n")


def test_nobody_listening_is_said_with_the_place(directory):
    port = free_port()
    write(directory, "ready", Endpoint("ready", port=port))
    assert health(directory) == (1, f"ready: refused: nothing listens on 127.0.0.1:{port}\n")


def drip(connection):
    for byte in OK:
        connection.sendall(bytes([byte]))
        time.sleep(0.1)


def never(connection):
    connection.recv(65536)
    time.sleep(5)


def close_at_once(connection):
    connection.recv(65536)
    connection.close()


@pytest.mark.parametrize(
    ("talk", "says"),
    [
        (drip, "did not finish its status line within 0.4 s"),
        (never, "did not answer within 0.4 s"),
        (close_at_once, "closed: 127.0.0.1:"),
        (answering(b"HTTP/1.1 2"), "in the middle of its status line"),
        (answering(b"SSH-2.0-OpenSSH_9.6\r\n"), "protocol: not an HTTP answer: 'SSH-2.0-OpenSSH_9.6\\r'"),
        (answering(b"\x00\x1b[31m\xff" * 40), "protocol: not an HTTP answer: '\\x00\\x1b[31m"),
        (answering(b"HTTP/1.1 abc what\r\n\r\n"), "protocol: not an HTTP answer"),
        (answering(b"HTTP/1.1 " + b"2" * 20000), "protocol: the status line does not end"),
    ],
    ids=["drips", "never", "closes", "half", "ssh", "binary", "no-number", "endless"],
)
def test_what_is_wrong_with_an_answer_is_told_in_time(directory, talk, says):
    with server(talk) as (_, port):
        write(directory, "ready", Endpoint("ready", port=port, timeout=0.4))
        started = time.monotonic()
        code, line = health(directory)
        assert code == 1
        assert says in line
        assert line.count("\n") == 1
        assert line.isprintable() or line[:-1].isprintable()
        assert time.monotonic() - started < 3


def test_interim_answers_are_left_behind(directory):
    with server(answering(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK)) as (_, port):
        write(directory, "ready", Endpoint("ready", port=port))
        code, line = health(directory)
    assert code == 0
    assert line.startswith("ready: 200 ")


@pytest.mark.parametrize(
    ("status", "statuses", "code"),
    [
        (204, "200-299", 0), (302, "200-299", 1), (302, "200-299,302", 0), (503, "200-299", 1),
        (503, "503", 0), (200, "503", 1), (401, "200,401", 0),
    ],
)  # fmt: skip
def test_the_expected_statuses_decide_and_redirects_are_not_followed(directory, status, statuses, code):
    seen = []
    with server(answering(b"HTTP/1.1 %d What\r\nLocation: /\r\n\r\n" % status, seen)) as (_, port):
        write(directory, "ready", Endpoint("ready", port=port, statuses=statuses))
        found, line = health(directory)
    assert found == code
    assert (f", expected {statuses}" in line) == bool(code)
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("status", "name", "code", "says"),
    [
        ("starting", "ready", 1, "ready: starting: waiting for db"),
        ("starting", "live", 0, "live: 200"),
        ("ready", "ready", 0, "ready: 200"),
        ("degraded", "ready", 0, "ready: 200"),
        ("maintenance", "live", 0, "live: maintenance is served, which counts as alive"),
        ("maintenance", "ready", 1, "ready: maintenance: "),
        ("stopping", "ready", 1, "ready: stopping: "),
        ("stopping", "live", 0, "live: 200"),
        ("stopped", "live", 1, "live: stopped: "),
        ("failed", "live", 1, "live: failed: "),
        ("failed", "ready", 1, "ready: failed: "),
    ],
)
def test_the_status_of_the_service_comes_first(directory, status, name, code, says):
    with server(answering(OK)) as (_, port):
        endpoints = [Endpoint(each, port=port) for each in ("live", "ready")]
        write(directory, status, *endpoints, reason="waiting for db")
        found, line = health(directory, name)
    assert found == code
    assert line.startswith(says)


def test_what_the_service_is_doing_is_added_to_a_failure(directory):
    write(directory, "starting", Endpoint("live", port=free_port()))
    code, line = health(directory, "live")
    assert code == 1
    assert line.endswith(" (the service is starting)\n")


def test_an_unknown_name_lists_those_there_are(directory):
    write(directory, "ready", Endpoint("search", port=1))
    code, line = health(directory, "serach")
    assert (code, line) == (1, "serach: no such endpoint; the endpoints are live, ready, search\n")


def test_without_endpoints_the_status_answers(directory):
    write(directory, "ready")
    assert health(directory)[0] == 0
    assert health(directory, "live")[0] == 0


def test_the_engines_verdict_counts_while_it_is_fresh(directory):
    with server(answering(OK)) as (_, port):
        write(directory, "ready", Endpoint("ready", port=port))
        state = StateDirectory(str(directory))
        state.set_verdict("ready", ok=True, expires=time.time() + 60)
        assert health(directory)[0] == 0
        state.set_verdict(
            "ready", ok=False, expires=time.time() + 60, text="`status` is `error`, expected `ok`"
        )
        code, line = health(directory)
        assert code == 1
        assert "the engine found: `status` is `error`, expected `ok`" in line
        state.set_verdict("ready", ok=True, expires=time.time() - 1)
        code, line = health(directory)
        assert code == 1
        assert "has expired" in line


def test_a_command_is_what_the_engine_says_it_is(directory):
    write(directory, "ready", Endpoint("queue", kind="command"))
    assert health(directory, "queue") == (1, "queue: the engine has not run its command yet\n")
    StateDirectory(str(directory)).set_verdict("queue", ok=True, expires=time.time() + 60)
    assert health(directory, "queue")[0] == 0


def test_a_heartbeat_is_a_file_that_is_young_enough(directory, tmp_path):
    beat = tmp_path / "beat"
    write(directory, "ready", Endpoint("live", kind="heartbeat", file=str(beat), max_age=30))
    assert "missing: " in health(directory, "live")[1]
    beat.touch()
    assert health(directory, "live")[0] == 0
    os.utime(beat, (time.time() - 40, time.time() - 40))
    code, line = health(directory, "live")
    assert code == 1
    assert "expected at most 30 s" in line


def test_what_a_dead_engine_left_is_not_believed(directory):
    child = subprocess.Popen([sys.executable, "-I", "-S", "-c", "pass"])
    child.wait()
    write(directory, "ready", pid=child.pid)
    code, line = health(directory)
    assert code == 1
    assert line.startswith(f"ready: the engine (pid {child.pid}) is gone")


def test_without_an_engine_it_says_what_to_do(directory):
    code, line = health(directory)
    assert code == 1
    assert str(directory) in line
    assert "--url" in line
    assert line.count("\n") == 1


def test_without_an_engine_a_url_is_asked(directory):
    with server(answering(OK)) as (_, port):
        assert health(directory, "--url", f"http://127.0.0.1:{port}/ready?x=1")[0] == 0
        assert health(directory, f"--url=http://localhost:{port}")[0] == 0
    code, line = health(directory, "--url", f"http://127.0.0.1:{port}/")
    assert (code, line) == (1, f"ready: refused: nothing listens on 127.0.0.1:{port}\n")


def test_the_status_counts_for_a_url_too(directory):
    with server(answering(OK)) as (_, port):
        write(directory, "stopping")
        assert health(directory, "--url", f"http://127.0.0.1:{port}/")[0] == 1
        write(directory, "ready")
        assert health(directory, "--url", f"http://127.0.0.1:{port}/")[0] == 0


@pytest.mark.parametrize(
    "url",
    [
        "ftp://x/",
        "nonsense",
        "http://",
        "http://x:99999/",
        "http://a b/",
        "http://x/\r\nEvil: 1",
        "http://u:hush@x/",
    ],
)
def test_a_url_that_cannot_be_asked_is_said_without_its_password(directory, url):
    code, line = health(directory, "--url", url)
    assert code == 1
    assert "cannot ask" in line
    assert "hush" not in line
    assert line.count("\n") == 1


def test_a_name_that_does_not_exist_is_a_dns_failure(directory):
    code, line = health(directory, "--url", "http://no-such-host.invalid/")
    assert code == 1
    assert "dns: cannot look up no-such-host.invalid" in line or "timeout: no-such-host.invalid" in line


@pytest.mark.parametrize("arguments", [["--nonsense"], ["ready", "live"], ["--url"], [""]])
def test_wrong_usage_is_1_and_a_line(directory, arguments):
    code, line = health(directory, *arguments)
    assert code == 1
    assert line.startswith("health: unexpected argument `")


def test_help_is_0(directory):
    code, text = health(directory, "--help")
    assert code == 0
    assert text.startswith("usage: orchestrator health [NAME] [--url URL]")


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xfe\x00", b"endpoint ready\n", b"pid many\n", b"status ready\nendpoint ready http\n"],
)
def test_a_broken_probe_file_is_1_and_a_line(directory, content):
    (directory / "probe").write_bytes(content)
    code, line = health(directory)
    assert code == 1
    assert line.count("\n") == 1


def test_keys_of_a_later_version_are_skipped(directory):
    write(directory, "ready")
    with (directory / "probe").open("a") as file:
        file.write("weather fine\n")
    assert health(directory)[0] == 0


def test_a_closed_standard_output_does_not_change_the_answer(directory):
    write(directory, "ready")
    reading, writing = os.pipe()
    os.close(reading)
    environ = {"ORCHESTRATOR_STATE_DIR": str(directory)}
    done = subprocess.run(ALONE, env=environ, stdout=writing, stderr=subprocess.PIPE, timeout=20)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


def certificate(tmp_path):
    done = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-keyout", tmp_path / "key.pem", "-out", tmp_path / "cert.pem", "-subj", "/CN=localhost", "-days", "2",
         "-addext", "subjectAltName=DNS:localhost"],
        capture_output=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    return context


def test_https_is_taken_from_an_endpoint_and_verified_for_a_url(directory, tmp_path):
    context = certificate(tmp_path)

    def talk(connection):
        with context.wrap_socket(connection.dup(), server_side=True) as secured:
            secured.recv(65536)
            secured.sendall(OK)

    with server(talk) as (_, port):
        url = f"https://localhost:{port}/"
        code, line = health(directory, "--url", url)
        assert code == 1
        assert "tls: 127.0.0.1:" in line
        assert "self-signed certificate" in line
        write(directory, "ready", Endpoint("ready", kind="https", port=port))
        assert health(directory)[0] == 0
    with server(never) as (_, port):
        write(directory, "ready", Endpoint("ready", kind="https", port=port, timeout=0.3))
        assert "timeout: " in health(directory)[1]


def test_ask_gives_the_status_or_a_typed_reason():
    request = http_probe.request("GET", "/", "x")
    with server(answering(OK)) as address:
        assert http_probe.ask(socket.AF_INET, address, request, 2) == (200, "OK")
    status, why = http_probe.ask(socket.AF_INET, address, request, 2)
    assert status == 0
    assert why.startswith("refused: ")


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("http://x", ("http", "x", 80, "/")),
        ("https://x?a=b", ("https", "x", 443, "/?a=b")),
        ("http://[::1]:8000/ä#part", ("http", "::1", 8000, "/%C3%A4")),
        ("http://[::1]/", ("http", "::1", 80, "/")),
        ("http://10.0.0.1:81/a//b", ("http", "10.0.0.1", 81, "/a//b")),
    ],
)
def test_a_url_is_taken_apart(url, parts):
    assert probe_verdict.taken_apart(url) == parts


@pytest.mark.parametrize("text", ["plain", "a b", "100%", "ä\n", "/run/x%20y", "-"])
def test_words_of_the_probe_file_survive_the_journey(text):
    from orchestrator.status.state import _word

    assert probe_verdict.decoded(_word(text)) == text
    assert " " not in _word(text)


def test_leaving_ends_the_process_with_the_answer(directory):
    code = "from orchestrator.health import probe; probe.leave(['--help']); print('still here')"
    code, text = health(directory, command=[sys.executable, "-c", code])
    assert code == 0
    assert "still here" not in text
