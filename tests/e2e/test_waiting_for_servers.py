"""Real PostgreSQL and Redis servers in their bad moments, and a real start that waits for them."""

import json
import socket
import subprocess
import time

import pytest
from ports import free_port
from servers import BIN, REDIS, PrivatePostgres, PrivateRedis, answers
from starting import eventually

needs_postgres = pytest.mark.skipif(not BIN, reason="PostgreSQL is not installed")
needs_redis = pytest.mark.skipif(not REDIS, reason="Redis is not installed")


@pytest.fixture(scope="module")
def postgres():
    running = PrivatePostgres(max_connections=8)
    running.HBA = (
        "local all all trust\nhost all app 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n"
    )
    running.write("pg_hba.conf", running.HBA)
    running.start()
    running.sql("create role app login password 'right horse'", "create role plain login")
    yield running
    running.stop()


def wait_for(engine, kind, url, **more):
    """A start without a launch; the URL is a secret from the environment."""
    words = "".join(f", {key}: {value}" for key, value in more.items())
    engine.spec(
        f"variables: {{URL: {{type: url, secret: true}}}}\ntelemetry: {{log: {{level: debug}}}}\n"
        f"wait_for: [{{name: db, {kind}: '${{URL}}'{words}}}]", launch="",
    )  # fmt: skip
    engine.environ["URL"] = url
    return engine


def attempts(engine):
    lines = (json.loads(line) for line in engine.stderr.splitlines())
    return [each for each in lines if each["event"] == "waiting"]


def at_once(engine, said, reason="auth"):
    """It is not tried again, and ends with 3 long before its deadline of a minute."""
    began = time.monotonic()
    done = engine.run()
    assert time.monotonic() - began < 15
    assert done.returncode == 3, done.stderr
    item = engine.item("wait:db")
    assert (item["reason"], item["attempts"]) == (reason, 1), item
    assert said in item["summary"]
    assert item["summary"] in done.stderr.split("did not start")[1]
    return done


@needs_postgres
def test_a_wrong_password_of_postgres_fails_at_once_with_its_remedy(engine, postgres):
    url = f"postgresql://app:wr0ng@127.0.0.1:{postgres.port}/postgres"
    done = at_once(wait_for(engine, "postgres", url), "(28P01)")
    assert "POSTGRES_PASSWORD counts only for an empty volume" in done.stderr
    assert "wr0ng" not in done.stderr


@needs_postgres
def test_a_database_that_somebody_creates_meanwhile_is_waited_for(engine, postgres):
    wait_for(engine, "postgres", postgres.url("postgres", "late"), deadline="30s").start(
        "--log-format", "json"
    )
    engine.says("3D000")
    postgres.sql("create database late")
    assert engine.wait() == 0, engine.stderr
    assert {each["reason"] for each in attempts(engine)} == {"unexpected"}


@needs_postgres
def test_a_postgres_without_a_free_connection_is_waited_for_and_told(engine, postgres):
    held = [
        postgres_session(postgres, "plain") for _ in range(5)
    ]  # three of the eight are for superusers alone
    try:
        wait_for(engine, "postgres", postgres.url("plain"), deadline="30s").start("--log-format", "json")
        engine.says("53300")
    finally:
        for each in held:
            each.stdin.close()
            each.wait(10)
            each.stdout.close()
    assert engine.wait() == 0, engine.stderr
    assert {each["reason"] for each in attempts(engine)} == {"refused"}


def postgres_session(server, user):
    """A psql that has logged in, and stays."""
    words = ["-qAt", "-h", "127.0.0.1", "-p", str(server.port), "-U", user, "-d", "postgres"]
    session = subprocess.Popen([f"{BIN}/psql", *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               cwd="/", text=True, bufsize=1)  # fmt: skip
    session.stdin.write("select 'in';\n")
    session.stdin.flush()
    assert session.stdout.readline() == "in\n"
    return session


@needs_postgres
def test_a_postgres_that_shuts_down_and_starts_again_is_waited_for(engine, postgres):
    """Down with somebody connected: it is there and says no; then it is gone; then it recovers, slowly."""
    session = postgres_session(postgres, "plain")
    postgres.run("pg_ctl", "-D", postgres.data, "-m", "smart", "-W", "stop")
    eventually(lambda: "shutting down" in refusal(postgres))
    try:
        wait_for(engine, "postgres", postgres.url(), deadline="60s").start("--log-format", "json")
        engine.says("the database system is shutting down (57P03)")
        session.stdin.close()
        session.wait(10)
        engine.says("nothing listens there")
        recover_slowly(postgres)
        engine.says("(57P03)").until(lambda: "starting up" in engine.stderr or "not yet" in engine.stderr)
        assert engine.wait(40) == 0, engine.stderr
    finally:
        session.kill()
        session.wait()
        session.stdout.close()
        eventually(lambda: not refusal(postgres), 30)
    assert {each["reason"] for each in attempts(engine)} == {"refused"}


def refusal(server):
    """What a client is told that wants to enter; nothing when it may."""
    words = ["-h", "127.0.0.1", "-p", str(server.port), "-U", "postgres", "-d", "postgres", "-c", "select 1"]
    done = subprocess.run([f"{BIN}/psql", *words], capture_output=True, text=True, cwd="/")
    return done.stderr if done.returncode else ""


def recover_slowly(server):
    """A start that replays from an archive, which takes its time and has nothing."""
    server.write("recovery.signal", "")
    with open(f"{server.data}/postgresql.auto.conf", "a") as settings:
        settings.write("restore_command='sleep 0.5; false'\n")
    server.run("pg_ctl", "-D", server.data, "-W", "-l", f"{server.folder}/log", "start")


@needs_redis
@pytest.mark.parametrize(
    ("password", "said"), [("", "asks for a password, and none is given"), ("wr0ng", "WRONGPASS")]
)
def test_a_wrong_or_missing_password_of_redis_fails_at_once(engine, tmp_path, password, said):
    server = PrivateRedis(tmp_path, "--requirepass", "right").start()
    try:
        entry = f":{password}@" if password else ""
        done = at_once(wait_for(engine, "redis", f"redis://{entry}127.0.0.1:{server.port}/0"), said)
    finally:
        server.stop()
    assert "wr0ng" not in done.stderr


@needs_redis
def test_a_redis_that_loads_its_data_is_waited_for(engine, tmp_path):
    """It accepts connections from the first moment, and says LOADING to all that comes."""
    filled = PrivateRedis(tmp_path).start()
    tell(filled.port, *(f"SET key:{number} value" for number in range(3000)), "SAVE")
    filled.stop()
    slow = ("--key-load-delay", "1000", "--loading-process-events-interval-bytes", "1024")
    server = PrivateRedis(tmp_path, *slow).start()
    try:
        wait_for(engine, "redis", f"redis://127.0.0.1:{server.port}/0", deadline="60s").start(
            "--log-format", "json"
        )
        engine.says("LOADING")
        assert engine.wait(40) == 0, engine.stderr
    finally:
        server.stop()
    assert {each["reason"] for each in attempts(engine)} <= {"refused", "timeout"}


def tell(port, *commands):
    with (
        socket.create_connection(("127.0.0.1", port), 10) as connection,
        connection.makefile("rb") as answers,
    ):
        connection.sendall("".join(f"{each}\r\n" for each in commands).encode())
        assert {answers.readline() for _ in commands} == {b"+OK\r\n"}


@needs_redis
def test_a_redis_that_comes_late_is_taken_when_it_answers(engine, tmp_path):
    server = PrivateRedis(tmp_path)
    wait_for(engine, "redis", server.url, deadline="60s").start("--log-format", "json").says("refused")
    server.start()
    try:
        assert engine.wait(30) == 0, engine.stderr
    finally:
        server.stop()


def test_a_certificate_of_nobody_fails_at_once_with_its_remedy(engine, tmp_path):
    request = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    made = subprocess.run(["openssl", *request.split(), "-keyout", "key.pem", "-out", "own.pem"], cwd=tmp_path,
                          capture_output=True)  # fmt: skip
    assert made.returncode == 0, made.stderr
    port = free_port()
    server = subprocess.Popen(
        ["openssl", "s_server", "-quiet", "-accept", f"127.0.0.1:{port}", "-cert", "own.pem", "-key", "key.pem"],
        cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        eventually(lambda: answers(port))
        done = at_once(wait_for(engine, "http", f"https://localhost:{port}/"), "self-signed", reason="tls")
    finally:
        server.kill()
        server.wait()
    assert "ca: /path/ca.pem" in done.stderr
