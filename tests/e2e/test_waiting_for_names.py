"""Names that cannot be looked up yet, asked of a real name server that the engine has to itself."""

import socket

import names
import pytest
from names import NXDOMAIN, SERVFAIL, NameServer, asking

WHY_NOT = names.unusable()
pytestmark = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made.getsockname()[1]


@pytest.fixture
def waiting(engine, tmp_path):
    """Starts a role without a launch that waits for a name; its resolv.conf is a file of the test's own."""
    resolv_conf = tmp_path / "resolv.conf"

    def waiting(server, wait):
        ask(server)
        return engine.spec(f"wait_for: [{wait}]", launch="").start(prefix=asking(resolv_conf))

    def ask(server):
        resolv_conf.write_text(f"nameserver {server}\noptions timeout:1 attempts:1\n")

    waiting.ask = ask
    return waiting


def reasons(engine):
    """Of each attempt that failed, in order."""
    return [each["reason"] for each in engine.events() if each["event"] == "waiting"]


def test_each_attempt_asks_the_name_server_anew(waiting, listener):
    with NameServer(SERVFAIL, SERVFAIL, NXDOMAIN, NXDOMAIN, "127.0.0.1") as server:
        engine = waiting(server.address, f"{{name: db, tcp: 'db.late.test:{listener}', deadline: 30s}}")
        assert engine.wait() == 0, engine.stderr
        assert server.asked >= 5
    assert set(reasons(engine)) == {"dns"}
    assert engine.item("wait:db")["status"] == "ok"
    assert engine.item("wait:db")["attempts"] >= 4


def test_a_resolv_conf_that_is_written_while_it_waits_is_read(waiting, listener):
    with NameServer("127.0.0.1") as server:
        nobody = names.loopback()
        engine = waiting(nobody, f"{{name: db, tcp: 'db.late.test:{listener}', deadline: 30s}}")
        engine.says("waiting   wait:db")
        assert server.asked == 0
        waiting.ask(server.address)
        assert engine.wait() == 0, engine.stderr
    assert set(reasons(engine)) == {"dns"}


def test_an_address_that_changes_is_the_one_that_is_tried(waiting, listener):
    """A service that was moved: the first address refuses, the name server knows the next one."""
    with NameServer("127.0.0.9", "127.0.0.9", "127.0.0.1") as server:
        engine = waiting(server.address, f"{{name: db, tcp: 'db.late.test:{listener}', deadline: 30s}}")
        assert engine.wait() == 0, engine.stderr
    assert set(reasons(engine)) == {"refused"}


@pytest.mark.parametrize("kind", ["tcp: 'db.late.test:5432'", "dns: db.late.test", "redis: 'redis://db.late.test'",
                                  "http: 'http://db.late.test/'", "postgres: 'postgresql://me@db.late.test/app'"])  # fmt: skip
def test_a_name_that_is_never_known_ends_with_75_and_its_name(waiting, kind):
    with NameServer(NXDOMAIN) as server:
        engine = waiting(server.address, f"{{name: db, {kind}, deadline: 500ms, why: the orders live there}}")
        assert engine.wait() == 75, engine.stderr
        assert server.asked >= 2
    last = engine.stderr.split("did not start")[1]
    assert "the name db.late.test is not known" in last
    assert "needed: the orders live there" in last
    assert "/etc/resolv.conf" in last
    assert engine.item("wait:db")["reason"] == "dns"


def test_a_name_server_that_says_nothing_costs_an_attempt_its_timeout_and_no_more(waiting):
    wait = "{name: db, tcp: 'db.late.test:1', timeout: 200ms, retry: {times: 4, max: 50ms}}"
    with NameServer(None) as server:
        engine = waiting(server.address, wait)
        assert engine.wait() == 75, engine.stderr
    item = engine.item("wait:db")
    assert item["reason"] == "dns"
    assert item["summary"] == "the name server did not answer about db.late.test within 0.2 s"
    assert item["attempts"] == 4
    assert 790 <= item["duration_ms"] < 3000
