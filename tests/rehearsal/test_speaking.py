"""The servers of a rehearsal, asked by the real waits: well, with no for every password, with a wrong certificate."""

import socket
from importlib import import_module

import pytest

from orchestrator.core.context import Context
from orchestrator.rehearsal import asked, certificates, fake_servers
from orchestrator.rehearsal.speaking import speaking

HOST = "localhost"
LOGIN = {"host": HOST, "user": "app", "password": "swordfish"}
WAITS = {
    "postgres": {**LOGIN, "database": "app", "writable": True},
    "mysql": {**LOGIN, "database": "app"},
    "redis": {"host": HOST, "password": "swordfish", "writable": True},
    "amqp": {**LOGIN, "vhost": "app"},
    "http": "http://app:swordfish@localhost:{port}/",
    "tcp": "localhost:{port}",
}
SECURED = {
    "postgres": {**LOGIN, "sslmode": "verify-full"},
    "mysql": {**LOGIN, "tls": True},
    "redis": {"url": "rediss://:swordfish@localhost:{port}/1"},
    "amqp": {"url": "amqps://app:swordfish@localhost:{port}/app"},
    "http": {"url": "https://app:swordfish@localhost:{port}/"},
    "tls": {"host": HOST, "days_left": 300},
}
LOGINS = ("postgres", "mysql", "redis", "amqp", "http")


def filled(given, port, **more):
    if isinstance(given, str):
        return given.format(port=port)
    whole = {name: each.format(port=port) if isinstance(each, str) else each for name, each in given.items()}
    return whole | more | ({} if "url" in given else {"port": port})


def attempt(word, given, talk, tmp_path, **more):
    with fake_servers.serving("127.0.0.1", 0, talk) as port:
        kind = import_module(f"orchestrator.waits.{word}").KIND
        item = kind.model_validate({"name": "it", word: filled(given, port, **more)})
        return item, item.attempt(Context({}, cwd=str(tmp_path), timeout=20.0))


@pytest.mark.parametrize("word", WAITS)
def test_a_server_that_is_well_is_believed_by_the_wait(word, tmp_path):
    item, outcome = attempt(word, WAITS[word], speaking(word), tmp_path)
    assert outcome.ok, outcome
    assert asked.trust(item) is None


@pytest.mark.parametrize("word", LOGINS)
def test_a_refused_password_is_what_the_wait_says(word, tmp_path):
    item, outcome = attempt(word, WAITS[word], speaking(word, no="auth"), tmp_path)
    assert asked.has_password(item)
    assert (outcome.reason, outcome.final) == ("auth", True)


@pytest.mark.parametrize("word", SECURED)
@pytest.mark.parametrize(
    ("name", "expired", "said"),
    [(HOST, False, ""), (HOST, True, "expired"), ("elsewhere.invalid", False, "localhost")],
)
def test_nothing_but_what_is_broken_is_wrong_with_a_certificate(word, name, expired, said, tmp_path):
    path = tmp_path / "both.pem"
    path.write_text(certificates.made(name, expired=expired))
    item, outcome = attempt(word, SECURED[word], speaking(word, str(path)), tmp_path, ca=str(path))
    trust = asked.trust(item)
    assert (trust.verify, trust.check_name) == (True, True)
    if said:
        assert outcome.reason == "tls", outcome
        assert said in outcome.summary.lower() + outcome.hint.lower()
    else:
        assert outcome.ok, outcome


@pytest.mark.parametrize("word", LOGINS)
def test_a_password_is_refused_through_tls_too(word, tmp_path):
    path = tmp_path / "both.pem"
    path.write_text(certificates.made(HOST))
    talk = speaking(word, str(path), no="auth")
    assert attempt(word, SECURED[word], talk, tmp_path, ca=str(path))[1].reason == "auth"


def test_a_server_that_is_broken_inside_is_what_the_wait_says(tmp_path):
    _, outcome = attempt("http", WAITS["http"], speaking("http", no="unexpected"), tmp_path)
    assert outcome.reason == "unexpected"
    assert "500" in outcome.summary


def test_an_address_may_be_in_the_certificate():
    """Python's own TLS is the judge: it takes the key, and the certificate for the address alone."""
    import ssl
    import tempfile

    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(certificates.made("127.0.0.1"))
        file.flush()
        with fake_servers.serving("127.0.0.1", 0, speaking("tls", file.name)) as port:
            context = ssl.create_default_context(cafile=file.name)
            for name, well in (("127.0.0.1", True), ("127.0.0.2", False)):
                with socket.create_connection(("127.0.0.1", port), 20) as plain:
                    assert _is_taken(context, plain, name) is well


def _is_taken(context, plain, name):
    import ssl

    try:
        context.wrap_socket(plain, server_hostname=name).close()
    except ssl.SSLCertVerificationError:
        return False
    return True
