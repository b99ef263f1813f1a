"""What a wait asks with, read from the spec: a password, TLS; and what a server of ours answers in HTTP."""

from importlib import import_module

import pytest

from orchestrator.core.context import Context
from orchestrator.rehearsal import asked, fake_servers


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
    assert (asked.has_password(item), asked.secured(item)) == (password, secured)


@pytest.mark.parametrize(
    ("talk", "reason"),
    [
        (fake_servers.well, ""),
        (fake_servers.FAULTS["auth"], "auth"),
        (fake_servers.FAULTS["unexpected"], "unexpected"),
    ],
)
def test_an_answer_in_http_is_what_the_wait_reports(talk, reason, tmp_path):
    with fake_servers.serving("127.0.0.1", 0, talk) as port:
        item = wait("http", f"http://app:swordfish@127.0.0.1:{port}/")
        assert item.attempt(Context({}, cwd=str(tmp_path), timeout=20.0)).reason == reason
