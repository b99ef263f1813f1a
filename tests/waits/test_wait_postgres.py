"""`postgres` against real PostgreSQL servers, and against what they say in bad moments."""

import socket
import struct
import subprocess
import time
from urllib.parse import quote

import pytest
from pydantic import ValidationError
from servers import BIN, PGBOUNCER, Pooler, PrivatePostgres

from orchestrator.testing import closed_port, served

PASSWORD = "pa ss'/%@ü²"
real = pytest.mark.skipif(not BIN, reason="PostgreSQL is not installed")


class Server(PrivatePostgres):
    """Roles for each way to prove a password, and TLS."""

    HBA = (
        "local all all trust\n"
        "hostssl all tls_only 127.0.0.1/32 scram-sha-256\nhost all tls_only 127.0.0.1/32 reject\n"
        "host all md5_user 127.0.0.1/32 md5\nhost all plain_user 127.0.0.1/32 password\n"
        "host all trusted 127.0.0.1/32 trust\nhost all nobody_else 127.0.0.1/32 reject\n"
        "host all all 127.0.0.1/32 scram-sha-256\n"
    )
    SETTINGS = "ssl=on\nssl_cert_file='server.pem'\nssl_key_file='server.key'\n"

    def __init__(self, certificate):
        super().__init__()
        for name, path in zip(("server.pem", "server.key"), certificate, strict=True):
            with open(path) as file:
                self.write(name, file.read(), 0o600)
        self.start()
        quoted = PASSWORD.replace("'", "''")
        self.sql(
            f"create role app login password '{quoted}'",
            f"create role tls_only login password '{quoted}'",
            "create role trusted login",
            "create role nobody_else login",
            f"create role plain_user login password '{quoted}'",
            "set password_encryption='md5'",
            f"create role md5_user login password '{quoted}'",
            "create table t (n int, name text, ok bool, f float8, d numeric, j jsonb)",
            "insert into t values (3, 'x', true, 1.5, 2, '{\"a\": 1}')",
            "grant select on t to app",
        )


@pytest.fixture(scope="module")
def server(certificates):
    running = Server(certificates.make("good"))
    yield running
    running.stop()


@pytest.fixture
def entry(server):
    def entry(user="app", password=PASSWORD, database="postgres", query=""):
        secret = f":{quote(password, safe='')}" if password else ""
        return f"postgresql://{user}{secret}@127.0.0.1:{server.port}/{database}{query}"

    return entry


@real
@pytest.mark.parametrize("user", ["app", "md5_user", "plain_user", "tls_only"])
def test_the_password_is_proven_by_scram_md5_and_plain(attempt, entry, server, user):
    outcome = attempt("postgres", entry(user))
    assert outcome.ok, outcome
    assert outcome.summary == f"127.0.0.1:{server.port}/postgres let {user} in"
    assert outcome.data["version"]


@real
@pytest.mark.parametrize("user", ["app", "md5_user", "plain_user"])
def test_a_wrong_password_is_final(attempt, entry, user):
    outcome = attempt("postgres", entry(user, "wrong"))
    assert (outcome.reason, outcome.code, outcome.final) == ("auth", "ORC506", True)
    assert "28P01" in outcome.summary


@real
def test_a_missing_password_is_final(attempt, entry):
    outcome = attempt("postgres", entry(password=""))
    assert (outcome.reason, outcome.final) == ("auth", True)
    assert outcome.summary.endswith("asks for a password, and none is given")


@real
def test_a_user_whom_pg_hba_rejects_is_final(attempt, entry):
    outcome = attempt("postgres", entry("nobody_else"))
    assert (outcome.reason, outcome.final) == ("auth", True)
    assert "pg_hba.conf" in outcome.hint


@real
def test_parts_need_no_escaping_and_missing_ones_come_from_the_environment(attempt, server):
    parts = {"host": "127.0.0.1", "port": server.port, "user": "app", "database": "postgres"}
    assert attempt("postgres", {**parts, "password": PASSWORD}).ok
    assert attempt("postgres", parts, environ={"PGPASSWORD": PASSWORD}).ok


@real
def test_a_user_who_is_trusted_needs_no_password(attempt, entry):
    assert attempt("postgres", entry("trusted", "")).ok


@real
def test_without_a_user_a_server_that_takes_logins_is_well(attempt, server):
    outcome = attempt("postgres", f"postgresql://127.0.0.1:{server.port}")
    assert outcome.ok
    assert outcome.summary == f"127.0.0.1:{server.port} accepts logins"


@real
def test_drivers_in_the_scheme_and_a_unix_socket_are_understood(attempt, server, entry):
    assert attempt("postgres", entry().replace("postgresql://", "postgresql+asyncpg://")).ok
    assert attempt("postgres", f"postgresql://postgres@/postgres?host={server.folder}&port={server.port}").ok
    assert attempt("postgres", {"host": server.folder, "port": server.port, "user": "postgres"}).ok


@real
def test_a_database_that_is_not_there_may_still_come(attempt, entry):
    outcome = attempt("postgres", entry(database="nowhere"))
    assert (outcome.reason, outcome.final) == ("unexpected", False)
    assert '"nowhere" does not exist (3D000)' in outcome.summary
    assert "create it" in outcome.hint


@real
@pytest.mark.parametrize("mode", ["disable", "prefer", "require", "verify-ca", "verify-full"])
def test_every_sslmode_works_with_a_certificate_that_is_right(attempt, entry, certificates, mode):
    assert attempt("postgres", entry(query=f"?sslmode={mode}&sslrootcert={certificates.ca}")).ok


@real
def test_a_certificate_that_is_not_trusted_is_final(attempt, entry):
    outcome = attempt("postgres", entry(query="?sslmode=verify-full"))
    assert (outcome.reason, outcome.final) == ("tls", True)


@real
def test_tls_that_is_needed_and_not_used_is_final(attempt, entry):
    outcome = attempt("postgres", entry("tls_only", query="?sslmode=disable"))
    assert (outcome.reason, outcome.final) == ("auth", True)


@real
@pytest.mark.parametrize(
    "expect",
    [
        "select 1 from t",
        {"query": "select n from t", "value": 3}, {"query": "select name from t", "value": "x"},
        {"query": "select ok from t", "value": True}, {"query": "select f from t", "value": {"gt": 1.4}},
        {"query": "select d from t", "value": 2}, {"query": "select null", "value": None},
        {"query": "select * from t where false", "rows": 0},
        {"query": "select generate_series(1, 5)", "rows": {"ge": 5}},
        {"query": "select version()", "value": {"matches": "^PostgreSQL"}},
    ],
)  # fmt: skip
def test_a_query_is_compared(attempt, entry, expect):
    outcome = attempt("postgres", entry(), expect=expect)
    assert outcome.ok, outcome


@real
@pytest.mark.parametrize(
    ("expect", "said"),
    [
        ({"query": "select n from t", "value": 4}, "expected 4, got 3"),
        ("select 1 from t where false", "the query returned no rows"),
        ({"query": "select n from t", "rows": 2}, "number of rows: expected 2, got 1"),
        ("select * from nowhere", '"nowhere" does not exist (42P01)'),
    ],
)
def test_a_query_that_gives_something_else_is_said(attempt, entry, expect, said):
    outcome = attempt("postgres", entry(), expect=expect)
    assert outcome.reason == "unexpected"
    assert said in outcome.summary


@real
@pytest.mark.parametrize("rows", [{"ge": 1500}, 150_000])
def test_all_rows_of_a_query_count(attempt, entry, rows):
    number = 1500 if isinstance(rows, dict) else rows
    expect = {
        "query": f"select n, repeat('x', 200) from generate_series(1, {number}) n",
        "rows": rows,
        "value": 1,
    }
    assert attempt("postgres", entry(), timeout=10, expect=expect).ok


@real
def test_a_row_that_is_too_large_is_an_outcome(attempt, entry):
    outcome = attempt("postgres", entry(), timeout=5, expect="select repeat('x', 3000000)")
    assert "larger than 1 MiB" in outcome.summary
    counted = {"query": "select 1 union all select length(repeat('x', 3000000))", "rows": 2}
    assert attempt("postgres", entry(), timeout=5, expect=counted).ok


@real
@pytest.mark.parametrize(
    ("attributes", "well"),
    [
        ("any", True),
        ("read-write", True),
        ("primary", True),
        ("prefer-standby", True),
        ("read-only", False),
        ("standby", False),
    ],
)
def test_any_of_several_hosts_that_fits_will_do(attempt, entry, attributes, well):
    with closed_port() as port:
        url = entry().replace("@", f"@127.0.0.1:{port},") + f"?target_session_attrs={attributes}"
        outcome = attempt("postgres", url)
    assert outcome.ok == well, outcome
    if not well:
        assert (
            f"refused: nothing listens there; 127.0.0.1:{url.rpartition(':')[2].partition('/')[0]}"
            in outcome.summary
        )
        assert outcome.summary.endswith(
            f"is a primary that takes writes, and target_session_attrs is {attributes}"
        )


@real
def test_a_hopeless_host_and_one_that_may_come_are_not_final(attempt, entry):
    with closed_port() as port:
        outcome = attempt("postgres", entry(password="wrong").replace("@", f"@127.0.0.1:{port},"))
    assert not outcome.final
    assert "28P01" in outcome.summary


@pytest.fixture(scope="module")
def pooler(server):
    if not PGBOUNCER:
        pytest.skip("pgbouncer is not installed")
    running = Pooler(
        server, 1, "auth_type=plain\nauth_file={folder}/users\nmax_client_conn=1\n", '"app" "right"\n'
    )
    yield running
    running.stop()


@real
def test_pgbouncer_says_what_is_wrong(attempt, pooler):
    def login(password, database="postgres"):
        return attempt(
            "postgres", f"postgresql://app:{password}@127.0.0.1:{pooler.port}/{database}?sslmode=disable"
        )

    wrong, nowhere = login("wrong"), login("right", "nowhere")
    assert (wrong.reason, wrong.final) == ("auth", True), wrong
    assert (nowhere.reason, nowhere.final) == ("unexpected", False), nowhere
    assert "nowhere" in nowhere.summary
    place = ("127.0.0.1", pooler.port)
    with socket.create_connection(place) as one, socket.create_connection(place) as other:
        one.send(b"\0")  # it accepts whoever has begun to speak
        other.send(b"\0")
        time.sleep(0.2)
        full = login("right")
    assert (full.reason, full.final) == ("refused", False), full
    assert "max_client_conn" in full.summary


@real
def test_a_query_cannot_write(attempt, server):
    value = {"host": server.folder, "port": server.port, "user": "postgres", "database": "postgres"}
    outcome = attempt("postgres", value, expect="delete from t")
    assert outcome.reason == "unexpected"
    assert "in a read-only transaction (25006)" in outcome.summary


@real
def test_a_query_that_takes_too_long_is_a_timeout_and_ends_on_the_server(attempt, entry, server):
    outcome = attempt("postgres", entry(), timeout=0.7, expect="select pg_sleep(30)")
    assert outcome.reason in ("timeout", "unexpected")
    end = time.monotonic() + 5
    while time.monotonic() < end:
        try:
            server.sql("do $$ begin if exists (select 1 from pg_stat_activity where query like 'select pg_sleep%' "
                       "and state = 'active') then raise 'still running'; end if; end $$")  # fmt: skip
            return
        except subprocess.CalledProcessError:
            time.sleep(0.1)
    raise AssertionError("the query still runs")


@real
def test_a_primary_is_writable(attempt, server):
    value = {
        "host": "127.0.0.1",
        "port": server.port,
        "user": "app",
        "password": PASSWORD,
        "database": "postgres",
    }
    assert attempt("postgres", value, expect={"writable": True}).ok


@real
def test_what_nobody_can_look_at_is_not_ok(attempt, server):
    address = f"postgresql://127.0.0.1:{server.port}/postgres"
    assert attempt("postgres", address).ok
    outcome = attempt("postgres", address, expect={"writable": True})
    assert (outcome.reason, outcome.final) == ("auth", True)
    assert outcome.summary.endswith("to look at what is expected takes a user")


@pytest.mark.parametrize(
    ("wanted", "code"), [({}, "ORC119"), ({"value": 1}, "ORC113"), ({"rows": 1}, "ORC113")]
)
@pytest.mark.parametrize("kind", ["postgres", "mysql"])
def test_an_expectation_that_means_nothing_is_refused(make, kind, wanted, code):
    scheme = {"postgres": "postgresql", "mysql": "mysql"}[kind]
    with pytest.raises(ValidationError) as caught:
        make(kind, f"{scheme}://a@db/app", expect=wanted)
    assert code in {each["type"] for each in caught.value.errors()}


@real
def test_a_server_that_starts_is_noticed(make, certificates):
    """Start-up is seen as refused, at most; never as a failure for good."""
    from orchestrator.core.context import Context

    running = Server(certificates.make("good"))
    wait = make("postgres", f"postgresql://trusted@127.0.0.1:{running.port}/postgres")
    try:
        running.run("pg_ctl", "-D", running.data, "-m", "immediate", "-w", "stop")
        assert wait.attempt(Context(environ={})).reason == "refused"
        running.run("pg_ctl", "-D", running.data, "-W", "-l", f"{running.folder}/log", "start")
        end = time.monotonic() + 15
        while not (outcome := wait.attempt(Context(environ={}))).ok:
            assert (outcome.reason, outcome.final) == ("refused", False), outcome
            assert time.monotonic() < end
    finally:
        running.stop()


@real
def test_a_session_that_is_kept_open_can_hold_an_advisory_lock(make, entry):
    from orchestrator.core.context import Context
    from orchestrator.waits._failure import Deadline

    wait = make("postgres", entry())
    one, other = (wait.open(Context(environ={}), Deadline(5)) for _ in range(2))
    with one.stream, other.stream:
        for session, got in ((one, True), (other, False)):
            session.query("BEGIN")
            assert session.query("SELECT pg_try_advisory_xact_lock(42)") == [[got]]
        one.leave()
        end = time.monotonic() + 5
        while other.query("SELECT pg_try_advisory_xact_lock(42)") != [[True]]:
            assert time.monotonic() < end


# -- what servers say in bad moments


def error(state, message="said so"):
    body = b"SFATAL\0C" + state.encode() + b"\0M" + message.encode() + b"\0\0"
    return b"E" + struct.pack("!i", len(body) + 4) + body


def saying(*messages):
    """A server that speaks no TLS and then says this."""

    def handle(connection):
        if struct.unpack("!ii", connection.recv(8))[1] == 80877103:
            connection.sendall(b"N")
        for each in messages:
            connection.recv(4096)
            connection.sendall(each)

    return served(handle)


def request(kind, payload=b""):
    return b"R" + struct.pack("!ii", len(payload) + 8, kind) + payload


@pytest.mark.parametrize(
    ("state", "reason", "final"),
    [
        ("57P03", "refused", False), ("57P01", "refused", False), ("53300", "refused", False),
        ("28P01", "auth", True), ("28000", "auth", True), ("42501", "auth", True),
        ("3D000", "unexpected", False), ("08P01", "protocol", False), ("XX000", "unexpected", False),
    ],
)  # fmt: skip
def test_errors_have_a_reason(attempt, state, reason, final):
    with saying(error(state)) as port:
        outcome = attempt("postgres", f"postgresql://me:x@127.0.0.1:{port}/app")
    assert (outcome.reason, outcome.final) == (reason, final)
    assert outcome.summary == f"127.0.0.1:{port}: said so ({state})"


@pytest.mark.parametrize(
    ("state", "well"), [("28000", True), ("3D000", True), ("57P03", False), ("53300", False)]
)
def test_without_a_user_only_a_server_that_takes_no_logins_fails(attempt, state, well):
    with saying(error(state)) as port:
        assert attempt("postgres", f"postgresql://127.0.0.1:{port}").ok == well


def test_tls_that_is_required_and_not_offered_is_final(attempt):
    with saying() as port:
        outcome = attempt("postgres", f"postgresql://me@127.0.0.1:{port}/app?sslmode=require")
    assert (outcome.reason, outcome.final) == ("tls", True)
    assert outcome.summary.endswith("offers no TLS, and sslmode is require")


def test_an_authentication_that_is_not_known_is_ready_and_said(attempt):
    with saying(request(7)) as port:
        outcome = attempt("postgres", f"postgresql://me@127.0.0.1:{port}/app")
    assert outcome.ok
    assert "cannot be tried here" in outcome.summary


@pytest.mark.parametrize(
    ("challenge", "said"),
    [
        (b"r=other,s=AAAA,i=4096", "a challenge that is not right"),
        (b"r=NONCE1,s=AAAA,i=2000000000", "a challenge that is not right"),
        (b"r=NONCE1,s=AAAA,i=x", "a challenge that cannot be read"),
        (b"nothing", "a challenge that cannot be read"),
    ],
)
def test_a_challenge_that_is_not_right_is_said(attempt, challenge, said):
    def handle(connection):
        connection.recv(8)
        connection.sendall(b"N")
        connection.recv(4096)
        connection.sendall(request(10, b"SCRAM-SHA-256\0\0"))
        nonce = connection.recv(4096).partition(b"r=")[2]
        connection.sendall(request(11, challenge.replace(b"NONCE", nonce)))
        connection.recv(4096)

    with served(handle) as port:
        outcome = attempt("postgres", f"postgresql://me:x@127.0.0.1:{port}/app")
    assert outcome.reason == "protocol"
    assert said in outcome.summary


def test_a_server_that_does_not_know_the_password_is_not_believed(attempt):
    def handle(connection):
        connection.recv(8)
        connection.sendall(b"N")
        connection.recv(4096)
        connection.sendall(request(10, b"SCRAM-SHA-256\0\0"))
        nonce = connection.recv(4096).partition(b"r=")[2]
        connection.sendall(request(11, b"r=" + nonce + b"1,s=AAAA,i=4096"))
        connection.recv(4096)
        connection.sendall(request(12, b"v=AAAA") + request(0) + b"Z\0\0\0\5I")

    with served(handle) as port:
        outcome = attempt("postgres", f"postgresql://me:x@127.0.0.1:{port}/app")
    assert (outcome.reason, outcome.final) == ("auth", True)


# -- what is written


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("db:5432", "ORC117"), ("mysql://db/app", "ORC117"), ({"user": "me"}, "ORC101"),
        ("postgresql://db/app?sslmode=maybe", "ORC117"), ("postgresql://a,b/app?port=1,2,3", "ORC117"),
        ({"url": "postgresql://db", "database": "x"}, "ORC113"), ("postgresql://me:se/cret@db/app", "ORC117"),
        ("postgresql://me:s@cret/x@db/app", "ORC117"), ("postgresql://me:s@cret#x@db/app", "ORC117"),
        ("postgresql://me:s@cret?x@db/app", "ORC117"),
    ],
)  # fmt: skip
def test_an_address_that_is_none_is_refused_when_it_is_read(make, value, code):
    with pytest.raises(ValidationError) as caught:
        make("postgres", value)
    assert caught.value.errors()[0]["type"] == code
    assert "cret" not in caught.value.errors()[0]["msg"]


def test_a_password_is_in_neither_target_nor_repr(make):
    wait = make("postgres", "postgresql://me:hunter2@db/app?password=hunter2")
    assert wait.target() == "db:5432/app"
    assert "hunter2" not in repr(wait)
    assert "hunter2" not in repr(wait.postgres.login({"PGPASSWORD": "hunter2"}))
    assert "hunter2" not in repr(wait.postgres.server())
