"""What a wait asks with, read from the spec: a password, TLS; and what a server of ours answers in HTTP."""

from importlib import import_module

import pytest

from orchestrator.core.context import Context
from orchestrator.rehearsal import fake_servers
from orchestrator.spec.breaking import CannotBreak
from orchestrator.waits._base import Wait


def wait(word, given):
    return import_module(f"orchestrator.waits.{word}").KIND.model_validate({"name": "it", word: given})


@pytest.mark.parametrize(
    ("word", "given", "password", "secured"),
    [
        ("postgres", "postgresql://app:swordfish@db/app", True, False),
        ("postgres", {"host": "db", "user": "app", "sslmode": "require"}, True, False),
        ("postgres", "postgresql://db/app", False, False),
        ("mysql", {"host": "db", "user": "app", "tls": True}, True, False),
        ("redis", "redis://:swordfish@cache", True, False),
        ("redis", "rediss://cache", False, True),
        ("redis", {"host": "cache", "tls": True}, False, True),
        ("amqp", "amqps://app:swordfish@broker", True, True),
        ("amqp", {"host": "broker", "tls": True}, False, True),
        ("http", "http://app:swordfish@api/", True, False),
        ("http", {"url": "https://api/", "headers": {"Authorization": "x"}}, True, True),
        ("http", "https://api/", False, True),
        ("tls", "mail:993", False, True),
        ("tcp", "mail:25", False, False),
        ("tcp", {"host": "mail", "port": 465, "tls": True}, False, True),
    ],
)
def test_who_logs_in_and_where_tls_comes_first(word, given, password, secured):
    item = wait(word, given)
    assert (item.logs_in(), item.speaks_tls()) == (password, secured)


@pytest.mark.parametrize(
    ("word", "given", "failures"),
    [
        ("tcp", "db:5432", ("refused", "timeout")),
        ("unix", "/run/app.sock", ("missing", "refused")),
        ("dns", "db", ("dns",)),
        ("file", "/shared/migrated", ("unexpected",)),
        ("command", ("true",), ("unexpected", "timeout")),
        ("python", "app.checks:ready", ("unexpected", "timeout")),
        (
            "http",
            "http://app:swordfish@api/",
            ("refused", "timeout", "dropped", "protocol", "unexpected", "auth"),
        ),
        ("postgres", "postgresql:///app?host=/run/postgresql", ("missing", "refused")),
        ("redis", {"unix": "/run/redis.sock", "password": "swordfish"}, ("missing", "refused", "auth")),
        ("mysql", "mysql://db", ("refused", "timeout", "dropped", "protocol")),
    ],
)
def test_every_wait_names_the_ways_in_which_it_can_fail(word, given, failures):
    assert wait(word, given).failures() == failures


class ByAPlugin(Wait):
    """A wait that says nothing of its failures."""


def test_a_wait_that_names_no_failures_is_at_least_refused_and_late():
    item = ByAPlugin.model_validate({"name": "it"})

    assert item.failures() == ("refused", "timeout")
    with pytest.raises(CannotBreak):
        item.make_fail("refused", None)


@pytest.mark.parametrize(
    ("talk", "reason"),
    [
        (fake_servers.well, ""),
        (fake_servers.BEHAVIOURS["auth"], "auth"),
        (fake_servers.BEHAVIOURS["unexpected"], "unexpected"),
    ],
)
def test_an_answer_in_http_is_what_the_wait_reports(talk, reason, tmp_path):
    with fake_servers.serving("127.0.0.1", 0, talk) as port:
        item = wait("http", f"http://app:swordfish@127.0.0.1:{port}/")
        assert item.attempt(Context({}, cwd=str(tmp_path), timeout=20.0)).reason == reason
