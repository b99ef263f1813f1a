"""`tls` against servers with certificates of many kinds."""

from datetime import UTC, datetime, timedelta

import pytest

from orchestrator.testing import answering_port, served


@pytest.fixture
def speaking(certificates):
    def speaking(pair):
        context = certificates.context(pair)

        def handle(connection):
            with context.wrap_socket(connection, server_side=True) as secured:
                secured.recv(1)

        return served(handle)

    return speaking


def ends_in(days):
    return (datetime.now(UTC) + timedelta(days=days, hours=1)).strftime("%Y%m%d%H%M%SZ")


def test_a_certificate_that_is_right_is_well(attempt, certificates, speaking):
    with speaking(certificates.make("good")) as port:
        outcome = attempt("tls", {"host": "127.0.0.1", "port": port, "ca": certificates.ca, "days_left": 30})
    assert outcome.ok, outcome
    assert outcome.data["days_left"] > 30


def test_a_certificate_that_ends_soon_fails_for_good(attempt, certificates, speaking):
    with speaking(certificates.make("soon", end=ends_in(5))) as port:
        where = {"host": "127.0.0.1", "port": port, "ca": certificates.ca}
        assert attempt("tls", {**where, "days_left": 5}).ok
        outcome = attempt("tls", {**where, "days_left": 6})
    assert (outcome.reason, outcome.code, outcome.final) == ("tls", "ORC505", True)
    assert outcome.summary.endswith("is valid for 5 days, expected at least 6")


def test_an_authority_that_is_not_trusted_fails(attempt, certificates, speaking):
    with speaking(certificates.make("good")) as port:
        assert attempt("tls", {"host": "127.0.0.1", "port": port}).reason == "tls"


def test_validity_and_name_are_verified(attempt, certificates, speaking):
    with speaking(certificates.make("expired", end="20210101000000Z")) as port:
        outcome = attempt("tls", {"host": "127.0.0.1", "port": port, "ca": certificates.ca})
    assert "certificate has expired" in outcome.summary
    with speaking(certificates.make("elsewhere", names="DNS:elsewhere.example")) as port:
        where = {"host": "127.0.0.1", "port": port, "ca": certificates.ca}
        assert "mismatch" in attempt("tls", where).summary
        assert attempt("tls", {**where, "server_name": "elsewhere.example"}).ok


def test_a_self_signed_certificate_is_its_own_authority(attempt, certificates, speaking):
    pair = certificates.self_signed()
    with speaking(pair) as port:
        where = {"host": "127.0.0.1", "port": port}
        assert "self-signed" in attempt("tls", where).summary
        assert attempt("tls", {**where, "ca": pair[0]}).ok


def test_a_port_without_tls_is_said(attempt):
    with answering_port(b"220 mail ready\r\n") as port:
        outcome = attempt("tls", f"127.0.0.1:{port}")
    assert (outcome.reason, outcome.final) == ("tls", True)
    assert "does not speak TLS" in outcome.summary


def test_a_connection_that_ends_while_tls_begins_may_be_better_later(attempt):
    with served(lambda connection: connection.recv(10)) as port:
        outcome = attempt("tls", f"127.0.0.1:{port}")
    assert (outcome.reason, outcome.final) == ("tls", False)
