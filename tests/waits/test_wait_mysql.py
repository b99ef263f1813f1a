"""`mysql` against a real MariaDB, with and without the driver, and against what servers say in bad moments."""

import os
import pathlib
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time

import pytest
from ports import free_port
from pydantic import ValidationError

from orchestrator.testing import served

PASSWORD = "pa ss'/%@"
REAL = shutil.which("mariadbd") and shutil.which("mariadb-install-db")
real = pytest.mark.skipif(not REAL, reason="MariaDB is not installed")


class Server:
    """A private MariaDB."""

    def __init__(self, certificate):
        self.folder = tempfile.mkdtemp(prefix="orchestrator-my-")
        os.chmod(self.folder, 0o755)
        self.port, self.socket, data = free_port(), f"{self.folder}/sock", f"{self.folder}/data"
        user = ["--user=mysql"] if os.geteuid() == 0 else []
        for path in certificate:
            shutil.copy(path, self.folder)
        self.pair = [f"{self.folder}/{os.path.basename(path)}" for path in certificate]
        if user:
            for path in (self.folder, *self.pair):
                shutil.chown(path, "mysql")
        subprocess.run(["mariadb-install-db", "--no-defaults", f"--datadir={data}", "--skip-test-db", *user],
                       check=True, capture_output=True)  # fmt: skip
        quoted = PASSWORD.replace("'", "''")
        with open(f"{self.folder}/init.sql", "w") as file:
            file.write(f"create database app;\ncreate user app@'127.0.0.1' identified by '{quoted}';\n"
                       f"create user app@localhost identified by '{quoted}';\ngrant all on app.* to app@'127.0.0.1';\n"
                       "grant all on app.* to app@localhost;\ncreate table app.t (n int);\ninsert into app.t values (3);\n")  # fmt: skip
        self.log = pathlib.Path(f"{self.folder}/log").open("wb")  # noqa: SIM115 -- closed by stop()
        self.child = subprocess.Popen(
            ["mariadbd", "--no-defaults", f"--datadir={data}", f"--socket={self.socket}", f"--port={self.port}",
             "--bind-address=127.0.0.1", f"--init-file={self.folder}/init.sql", f"--ssl-cert={self.pair[0]}",
             f"--ssl-key={self.pair[1]}", *user], stdout=self.log, stderr=self.log)  # fmt: skip
        end = time.monotonic() + 30
        while time.monotonic() < end:
            try:
                socket.create_connection(("127.0.0.1", self.port), 0.2).close()
                return
            except OSError:
                assert self.child.poll() is None, pathlib.Path(f"{self.folder}/log").read_text()
                time.sleep(0.05)
        raise AssertionError("MariaDB did not start")

    def stop(self):
        self.child.terminate()
        self.child.wait(20)
        self.log.close()
        shutil.rmtree(self.folder)


@pytest.fixture(scope="module")
def server(certificates):
    running = Server(certificates.make("good"))
    yield running
    running.stop()


@pytest.fixture
def parts(server):
    return {"host": "127.0.0.1", "port": server.port, "user": "app", "password": PASSWORD, "database": "app"}


@pytest.fixture
def driver():
    return pytest.importorskip("pymysql", reason="PyMySQL is not installed")


@real
def test_without_a_user_a_server_that_greets_is_well(attempt, server):
    outcome = attempt("mysql", f"mysql://127.0.0.1:{server.port}")
    assert outcome.ok
    assert "MariaDB" in outcome.data["version"]
    assert attempt("mysql", {"unix": server.socket}).ok


@real
def test_the_password_is_proven_with_the_driver(attempt, server, parts, driver):
    outcome = attempt("mysql", parts)
    assert outcome.ok, outcome
    assert outcome.summary == f"127.0.0.1:{server.port}/app let app in"
    from urllib.parse import quote

    url = f"mysql+pymysql://app:{quote(PASSWORD, safe='')}@127.0.0.1:{server.port}/app"
    assert attempt("mysql", url).ok
    assert attempt("mysql", {"unix": server.socket, "user": "app", "password": PASSWORD}).ok


@real
@pytest.mark.parametrize("password", ["wrong", None])
def test_a_wrong_password_is_final(attempt, parts, driver, password):
    outcome = attempt("mysql", {**parts, "password": password})
    assert (outcome.reason, outcome.code, outcome.final) == ("auth", "ORC506", True)


@real
def test_a_database_that_is_not_there_is_said(attempt, parts, driver):
    outcome = attempt("mysql", {**parts, "database": "nowhere"})
    assert "nowhere" in outcome.summary
    assert not outcome.ok


@real
def test_a_query_is_compared(attempt, parts, driver):
    assert attempt("mysql", parts, expect={"query": "select n from t", "value": 3}).ok
    assert attempt("mysql", parts, expect="select n from t").ok
    outcome = attempt("mysql", parts, expect={"query": "select n from t", "value": 4})
    assert outcome.summary.endswith("expected 4, got 3")
    assert attempt("mysql", parts, expect="select n from t where n = 4").summary.endswith(
        "the query returned no rows"
    )
    assert attempt("mysql", parts, expect="select * from nowhere").reason == "unexpected"


@real
def test_a_query_that_takes_too_long_is_a_timeout(attempt, parts, driver):
    assert attempt("mysql", parts, expect="select sleep(20)", timeout=0.6).reason == "timeout"


@real
def test_one_that_takes_no_writes_is_told(attempt, server, parts, driver):
    assert attempt("mysql", parts, expect={"writable": True}).ok
    root = driver.connect(unix_socket=server.socket, user="root")
    with root, root.cursor() as cursor:
        cursor.execute("set global read_only = 1")
        try:
            outcome = attempt("mysql", parts, expect={"writable": True})
        finally:
            cursor.execute("set global read_only = 0")
    assert outcome.summary == f"127.0.0.1:{parts['port']}/app is read-only"


@real
def test_tls_is_verified(attempt, parts, driver, certificates):
    assert attempt("mysql", {**parts, "tls": True, "ca": certificates.ca}).ok
    assert attempt("mysql", {**parts, "tls": True, "verify": False}).ok
    outcome = attempt("mysql", {**parts, "tls": True})
    assert (outcome.reason, outcome.final) == ("tls", True)


@real
def test_all_rows_of_a_query_count(attempt, parts, driver):
    expect = {"query": "select seq, repeat('x', 200) from seq_1_to_30000", "rows": {"ge": 1500}, "value": 1}
    assert attempt("mysql", parts, timeout=10, expect=expect).ok
    assert attempt("mysql", parts, expect={"query": "select n from t where n = 4", "rows": 0}).ok


@real
def test_tls_that_is_required_and_not_offered_is_final(attempt, server, parts, driver):
    """A proxy takes the offer of TLS out of the greeting."""
    heard = []

    def handle(connection):
        with socket.create_connection(("127.0.0.1", server.port)) as behind:
            greeting = bytearray(behind.recv(4096))
            flags = greeting.index(0, 5) + 1 + 4 + 8 + 1
            greeting[flags + 1] &= ~0x08 & 0xFF
            connection.sendall(greeting)
            heard.append(connection.recv(4096))

    for query in ("ssl-mode=REQUIRED", "ssl_mode=VERIFY_CA", "tls=true", "useSSL=true"):
        with served(handle) as port:
            outcome = attempt("mysql", f"mysql://app:x@127.0.0.1:{port}/app?{query}")
        assert (outcome.reason, outcome.final) == ("tls", True), outcome
        assert outcome.summary == f"127.0.0.1:{port} offers no TLS"
    assert not any(heard)


@real
def test_a_missing_driver_is_an_outcome_that_names_the_extra(server):
    script = (
        "import sys\nsys.modules['pymysql'] = None\n"
        "from orchestrator.core.context import Context\nfrom orchestrator.spec.kinds import WAITS\n"
        "wait = WAITS.load('mysql').model_validate({'name': 'it', 'mysql': sys.argv[1]})\n"
        "found = wait.attempt(Context(environ={}))\nprint(found.code, found.reason, found.final, '|', found.hint)"
    )
    url = f"mysql://app:x@127.0.0.1:{server.port}/app"
    done = subprocess.run([sys.executable, "-c", script, url], capture_output=True, text=True)
    assert done.stdout.startswith("ORC509 driver True | install the extra `mysql`:"), done.stderr


def greeting(payload):
    return served(
        lambda connection: connection.sendall(struct.pack("<I", len(payload))[:3] + b"\0" + payload)
    )


@pytest.mark.parametrize(
    ("number", "reason", "final"),
    [(1040, "refused", False), (1053, "refused", False), (1129, "unexpected", True), (1130, "auth", True), (9, "unexpected", False)],
)  # fmt: skip
def test_errors_have_a_reason(attempt, number, reason, final):
    with greeting(b"\xff" + struct.pack("<H", number) + b"said so") as port:
        outcome = attempt("mysql", f"mysql://127.0.0.1:{port}")
    assert (outcome.reason, outcome.final) == (reason, final)
    assert outcome.summary == f"127.0.0.1:{port}: said so ({number})"


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("db:3306", "ORC117"),
        ("postgresql://db", "ORC117"),
        ({"user": "me"}, "ORC101"),
        ({"url": "mysql://db", "unix": "/x"}, "ORC113"),
    ],
)
def test_an_address_that_is_none_is_refused_when_it_is_read(make, value, code):
    with pytest.raises(ValidationError) as caught:
        make("mysql", value)
    assert caught.value.errors()[0]["type"] == code


def test_a_password_is_in_neither_target_nor_repr(make):
    wait = make("mysql", "mysql://me:hunter2@db/app")
    assert wait.target() == "db:3306/app"
    assert "hunter2" not in repr(wait)
