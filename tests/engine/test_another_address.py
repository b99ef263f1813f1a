"""`use: {url}` on a wait: where and who is the new address's, how it is asked stays the old one's."""

from importlib import import_module

import pytest

from orchestrator.fallbacks.use import using


def wait(word, given, **more):
    return import_module(f"orchestrator.waits.{word}").KIND.model_validate(
        {"name": "it", word: given, **more}
    )


def test_headers_method_and_authority_stay():
    before = wait(
        "http",
        {"url": "https://a/x", "ca": "/ca.pem", "method": "HEAD", "headers": {"X": "y"}},
        deadline="3s",
    )
    after = using(before, "url", "https://b/y")
    assert (after.http.url, after.http.ca, after.http.method, after.http.headers) == (
        "https://b/y",
        "/ca.pem",
        "HEAD",
        {"X": "y"},
    )
    assert after.deadline == 3.0


def test_who_logs_in_and_where_does_not():
    before = wait(
        "postgres",
        {
            "host": "a",
            "user": "app",
            "password": "hush",
            "database": "shop",
            "sslmode": "require",
        },
        expect={"writable": True},
    )
    after = using(before, "url", "postgresql://other@b/spare")
    server = after.postgres.server()
    assert (server.host, server.user, server.password, server.path) == ("b", "other", "", "/spare")
    assert (after.postgres.mode(), after.expect.writable) == ("require", True)


@pytest.mark.parametrize(("word", "given", "field"), [
    ("http", {"url": "http://a/", "unix": "/run/a.sock"}, "unix"),
    ("tls", {"host": "a", "port": 1, "server_name": "a.example"}, "server_name"),
])  # fmt: skip
def test_what_only_the_old_address_had_goes(word, given, field):
    after = using(wait(word, given), "url", "http://b/" if word == "http" else "b:2")
    assert getattr(getattr(after, word), field) is None


def test_a_short_form_stands_in_for_a_short_form():
    assert using(wait("tcp", "a:1"), "url", "b:2").target() == "b:2"
