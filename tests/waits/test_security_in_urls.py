"""Options of a URL that carry security are honoured or refused, whoever's words they are; several hosts are any of them."""

import pytest
from pydantic import ValidationError

from orchestrator.core.context import Context

KINDS = {
    "postgres": "postgresql://me@db/app",
    "mysql": "mysql://me@db/app",
    "redis": "rediss://cache/0",
    "amqp": "amqps://mq/app",
}
CONTEXT = Context(environ={}, cwd="/srv")


def refused(make, kind, url):
    with pytest.raises(ValidationError) as caught:
        make(kind, url)
    found = caught.value.errors()[0]
    assert found["type"] == "ORC117"
    return found["msg"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "option",
    [
        "sslcrl=/x", "ssl_crl=/x", "tls-version=TLSv1.3", "ssl_ciphers=x", "channel_binding=require", "require_auth=scram-sha-256", "ssl_capath=/x",
        "gssencmode=require", "trustCertificateKeyStoreUrl=file:/x", "ssl_min_version=x", "sslnegotiation=direct", "ca_certs_data=x"[3:],
    ],
)  # fmt: skip
def test_security_that_cannot_be_honoured_is_refused(make, kind, option):
    assert "is not supported" in refused(make, kind, f"{KINDS[kind]}?{option}")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("option", ["ssl-mode=REQUIRD", "sslmode=", "verify=maybe", "ssl_check_hostname=x"])
def test_a_value_that_means_nothing_is_refused(make, kind, option):
    assert "is not known" in refused(make, kind, f"{KINDS[kind]}?{option}")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "option", ["application_name=x", "charset=utf8mb4", "connect_timeout=3", "heartbeat=20", "sslsni=1"]
)
def test_options_without_security_are_the_drivers_business(make, kind, option):
    make(kind, f"{KINDS[kind]}?{option}")


@pytest.mark.parametrize(
    ("query", "verify", "check_name", "ca"),
    [
        ("ssl-mode=REQUIRED", False, False, ""), ("sslMode=VERIFY_IDENTITY", True, True, ""), ("ssl_mode=verify_ca", True, False, ""),
        ("tls=true", True, True, ""), ("tls=skip-verify", False, False, ""), ("ssl_ca=ca.pem", True, True, "/srv/ca.pem"),
        ("ssl=true&ssl-ca=/ca.pem", True, False, "/ca.pem"), ("ssl_ca=/ca.pem&ssl_verify_cert=false", False, True, "/ca.pem"),
        ("ssl_ca=/ca.pem&ssl_check_hostname=false", True, False, "/ca.pem"),
    ],
)  # fmt: skip
def test_mysql_has_the_words_of_its_drivers(make, query, verify, check_name, ca):
    trust = make("mysql", f"mysql://me@db/app?{query}").mysql.security(CONTEXT)
    assert (trust.verify, trust.check_name, trust.ca) == (verify, check_name, ca)


@pytest.mark.parametrize("kind", ["redis", "amqp"])
def test_tls_may_be_asked_for_by_scheme_field_or_option(make, kind):
    plain = KINDS[kind].replace("s://", "://")
    assert getattr(make(kind, plain), kind).security(CONTEXT) is None
    for value in (KINDS[kind], f"{plain}?ssl=true", f"{plain}?cafile=/ca.pem", {"url": plain, "tls": True}):
        assert getattr(make(kind, value), kind).security(CONTEXT) is not None, value
    assert "switch TLS off" in refused(make, kind, f"{KINDS[kind]}?ssl=false")
    assert "cannot be `prefer`" in refused(make, kind, f"{plain}?sslmode=prefer")


def test_libpqs_system_means_everything_is_verified(make):
    trust = make("postgres", "postgresql://db/app?sslrootcert=system").postgres.trust(CONTEXT)
    assert (trust.verify, trust.check_name, trust.ca) == (True, True, "")


@pytest.mark.parametrize(
    ("value", "places"),
    [
        ("postgresql://a,b:6432/app", [("a", 5432), ("b", 6432)]), ("postgresql:///app?host=a,b&port=1,2", [("a", 1), ("b", 2)]),
        ("postgresql:///app?host=a:1&host=b:2", [("a", 1), ("b", 2)]), ("postgresql:///app?host=db:6432", [("db", 6432)]),
        ("postgresql://x:7/app?host=a,b&port=9", [("a", 9), ("b", 9)]), ("postgresql://[::1]:1,b/app", [("::1", 1), ("b", 5432)]),
        ("postgresql:///app?host=::1,/run/pg", [("::1", 5432), ("/run/pg", 5432)]), ("postgresql://%2Frun%2Fpg/app", [("/run/pg", 5432)]),
        ({"host": "a,b:6432", "port": 5433}, [("a", 5433), ("b", 6432)]), ({"host": "/run/pg"}, [("/run/pg", 5432)]),
    ],
)  # fmt: skip
def test_the_hosts_of_a_postgresql(make, value, places):
    wait = make("postgres", value)
    assert [(each.host, each.port) for each in wait.postgres.servers()] == places


def test_the_target_names_all_hosts(make):
    assert make("postgres", "postgresql://me:hunter2@a,b:1/app").target() == "a:5432,b:1/app"
    assert make("amqp", "amqp://me:hunter2@a;amqp://b:1").target() == "a:5672,b:1"


@pytest.mark.parametrize(
    ("kind", "url"),
    [
        ("postgres", "postgresql://a,b/app?port=1,2,3"), ("postgres", "postgresql://a/app?port=x"), ("postgres", "postgresql://a/?target_session_attrs=rw"),
        ("mysql", "mysql://a,b/app"), ("redis", "redis://a,b"), ("amqp", "amqp://a;amqps://b"), ("amqp", "amqp://a;http://b"),
        ("postgres", "postgresql://a:b%00@c/d"), ("redis", "redis://:b%00@c"), ("postgres", "postgresql://a b,c/app"),
    ],
)  # fmt: skip
def test_hosts_that_make_no_sense_are_refused(make, kind, url):
    refused(make, kind, url)
