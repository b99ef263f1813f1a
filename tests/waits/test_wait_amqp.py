"""`amqp` against a real RabbitMQ, and against what servers say in bad moments."""

import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
from urllib.parse import quote

import pytest
from ports import free_port

from orchestrator.testing import answering_port, served

PASSWORD = "pa ss/%@"
REAL = shutil.which("rabbitmq-server") and shutil.which("epmd")
real = pytest.mark.skipif(not REAL, reason="RabbitMQ is not installed")


class Server:
    """A private RabbitMQ with a name server of its own; both end with it."""

    def __init__(self, certificates):
        self.folder = tempfile.mkdtemp(prefix="orchestrator-mq-")
        self.port, self.tls, names = free_port(), free_port(), free_port()
        pair = certificates.make("good")
        for path in (*pair, certificates.ca):
            shutil.copy(path, self.folder)
        with open(f"{self.folder}/rabbitmq.conf", "w") as file:
            file.write(
                f"listeners.tcp.1 = 127.0.0.1:{self.port}\nlisteners.ssl.1 = 127.0.0.1:{self.tls}\n"
                f"ssl_options.certfile = {self.folder}/good.pem\nssl_options.keyfile = {self.folder}/good.key\n"
                f"ssl_options.cacertfile = {self.folder}/ca.pem\n"
                f"default_user = app\ndefault_pass = {PASSWORD}\ndefault_vhost = app/one\nlog.console = false\n"
            )
        if os.geteuid() == 0:
            for name in (".", *os.listdir(self.folder)):
                shutil.chown(f"{self.folder}/{name}", "rabbitmq", "rabbitmq")
        path = next((each for each in ("/usr/lib/rabbitmq/bin",) if os.path.isdir(each)), "")
        self.environ = {
            "PATH": f"{path}:{os.environ['PATH']}", "HOME": self.folder, "ERL_EPMD_PORT": str(names),
            "RABBITMQ_NODENAME": f"test{os.getpid()}@localhost", "RABBITMQ_BASE": self.folder,
            "RABBITMQ_MNESIA_BASE": f"{self.folder}/db", "RABBITMQ_LOG_BASE": f"{self.folder}/log",
            "RABBITMQ_CONFIG_FILE": f"{self.folder}/rabbitmq.conf", "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{self.folder}/plugins", "LANG": "C.UTF-8",
        }  # fmt: skip
        self.output = pathlib.Path(f"{self.folder}/output").open("wb")  # noqa: SIM115 -- closed by stop()
        self.names = self._start("epmd", "-port", str(names))
        self.child = self._start("rabbitmq-server")
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                socket.create_connection(("127.0.0.1", self.tls), 0.2).close()
                return
            except OSError:
                assert self.child.poll() is None, pathlib.Path(f"{self.folder}/output").read_text()
                time.sleep(0.1)
        raise AssertionError("RabbitMQ did not start: " + pathlib.Path(f"{self.folder}/output").read_text())

    def _start(self, *command):
        user = {"user": "rabbitmq", "group": "rabbitmq", "extra_groups": []} if os.geteuid() == 0 else {}
        return subprocess.Popen(command, cwd=self.folder, env=self.environ, stdout=self.output,
                                stderr=self.output, start_new_session=True, **user)  # fmt: skip

    def stop(self):
        for child in (self.child, self.names):
            os.killpg(child.pid, signal.SIGKILL)
            child.wait(20)
        self.output.close()
        shutil.rmtree(self.folder)


@pytest.fixture(scope="module")
def server(certificates):
    running = Server(certificates)
    yield running
    running.stop()


def url(server, user="app", password=PASSWORD, vhost="app/one"):
    return f"amqp://{user}:{quote(password, safe='')}@127.0.0.1:{server.port}/{quote(vhost, safe='')}"


@real
def test_the_user_is_let_into_the_virtual_host(attempt, server):
    outcome = attempt("amqp", url(server), timeout=5)
    assert outcome.ok, outcome
    assert outcome.summary == f"127.0.0.1:{server.port} let app into app/one"
    parts = {
        "host": "127.0.0.1",
        "port": server.port,
        "user": "app",
        "password": PASSWORD,
        "vhost": "app/one",
    }
    assert attempt("amqp", parts, timeout=5).ok


@real
def test_without_a_user_it_must_greet(attempt, server):
    assert attempt("amqp", f"amqp://127.0.0.1:{server.port}", timeout=5).summary.endswith("speaks AMQP")


@real
def test_a_wrong_password_is_final(attempt, server):
    outcome = attempt("amqp", url(server, password="wrong"), timeout=5)
    assert (outcome.reason, outcome.code, outcome.final) == ("auth", "ORC506", True)
    assert "ACCESS_REFUSED" in outcome.summary


@real
def test_a_virtual_host_that_is_not_there_may_still_come(attempt, server):
    outcome = attempt("amqp", url(server, vhost="nowhere"), timeout=5)
    assert (outcome.reason, outcome.final) == ("unexpected", False)
    assert "create it" in outcome.hint


@real
def test_tls_is_verified(attempt, server, certificates):
    parts = {
        "host": "127.0.0.1",
        "port": server.tls,
        "user": "app",
        "password": PASSWORD,
        "vhost": "app/one",
        "tls": True,
    }
    assert attempt("amqp", {**parts, "ca": certificates.ca}, timeout=5).ok
    assert attempt("amqp", {**parts, "verify": False}, timeout=5).ok
    outcome = attempt("amqp", parts, timeout=5)
    assert (outcome.reason, outcome.final) == ("tls", True)


def frame(method, arguments=b""):
    payload = struct.pack("!HH", *method) + arguments
    return struct.pack("!BHI", 1, 0, len(payload)) + payload + b"\xce"


def start(mechanisms=b"PLAIN AMQPLAIN"):
    return frame((10, 10), b"\0\x09" + struct.pack("!I", 0) + struct.pack("!I", len(mechanisms)) + mechanisms + struct.pack("!I", 5) + b"en_US")  # fmt: skip


def closing(code, text):
    return frame((10, 50), struct.pack("!H", code) + bytes([len(text)]) + text + b"\0\0\0\0")


def conversation(*answers):
    def handle(connection):
        for each in answers:
            connection.recv(4096)
            connection.sendall(each)

    return served(handle)


@pytest.mark.parametrize(
    ("answers", "reason", "final"),
    [
        ((start(), closing(403, b"ACCESS_REFUSED - guest")), "auth", True),
        ((start(), b""), "auth", True),
        ((start(b"EXTERNAL"),), "auth", True),
        ((closing(320, b"CONNECTION_FORCED - shutdown"),), "refused", False),
        ((start(), closing(530, b"NOT_ALLOWED - access to vhost '/' refused for user 'me'")), "auth", True),
        ((start(), closing(541, b"INTERNAL_ERROR")), "refused", False),
        ((b"AMQP\0\1\0\0",), "protocol", False),
        ((b"HTTP/1.1 400 Bad Request\r\n\r\n",), "protocol", False),
        ((frame((10, 30)),), "protocol", False),
        ((frame((10, 10), b"\0"),), "protocol", False),
    ],
)
def test_what_is_said_in_a_bad_moment_has_a_reason(attempt, answers, reason, final):
    with conversation(*answers) as port:
        outcome = attempt("amqp", f"amqp://me:x@127.0.0.1:{port}/")
    assert (outcome.reason, outcome.final) == (reason, final), outcome


def test_heartbeats_are_passed_over(attempt):
    with answering_port(b"\x08\0\0\0\0\0\0\xce" * 2 + start()) as port:
        assert attempt("amqp", f"amqp://127.0.0.1:{port}").ok


@pytest.mark.parametrize(
    ("value", "vhost", "place"),
    [
        ("amqp://mq", "/", "mq:5672"), ("amqp://mq/", "/", "mq:5672"), ("amqp://mq//", "/", "mq:5672"),
        ("amqp://mq/%2F", "/", "mq:5672"), ("amqp://mq/app", "app", "mq:5672"), ("pyamqp://mq/a%2Fb", "a/b", "mq:5672"),
        ("amqps://mq", "/", "mq:5671"), ("amqps://mq:5672", "/", "mq:5672"),
        ({"host": "mq", "tls": True}, "/", "mq:5671"), ({"host": "mq", "vhost": "app"}, "app", "mq:5672"),
    ],
)  # fmt: skip
def test_addresses_mean_what_clients_make_of_them(make, value, vhost, place):
    wait = make("amqp", value)
    assert (wait.amqp.virtual_host(), wait.target()) == (vhost, place)


def test_a_password_is_in_neither_target_nor_repr(make):
    wait = make("amqp", "amqp://me:hunter2@mq/app")
    assert wait.target() == "mq:5672"
    assert "hunter2" not in repr(wait)
