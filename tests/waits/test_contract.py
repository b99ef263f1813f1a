"""What holds for every kind of wait; a new file in the folder gets these tests by being there."""

import copy
import os
import subprocess
import sys
import time

import pytest

from orchestrator.core.context import Context
from orchestrator.document.plain import Template
from orchestrator.spec.kinds import WAITS
from orchestrator.spec.model import Model
from orchestrator.testing import closed_port, dripping_port, served, silent_port
from orchestrator.waits._base import Wait
from orchestrator.waits._failure import CODES

SECRET = "hunter2SECRET"
HEAVY = ("ssl", "asyncio", "json", "http.client", "urllib.request", "subprocess", "socket", "hashlib")
DRIVERS = (
    "psycopg",
    "psycopg2",
    "asyncpg",
    "pymysql",
    "MySQLdb",
    "redis",
    "pika",
    "amqp",
    "kombu",
    "requests",
    "httpx",
)
LOCAL = {
    "command": lambda port: ["sh", "-c", "sleep 60"],
    "dns": lambda port: "localhost",
    "file": lambda port: "/nowhere/at/all",
    "python": lambda port: "no_such_module:function",
    "unix": lambda port: "/nowhere/at/all.sock",
}
"""The kinds that ask no port, each with something to ask."""
URLS = {
    "http": "http://me:{secret}@127.0.0.1:{port}/?token={secret}",
    "postgres": "postgresql://me:{secret}@127.0.0.1:{port}/app?password={secret}",
    "mysql": "mysql://me:{secret}@127.0.0.1:{port}/app",
    "redis": "redis://me:{secret}@127.0.0.1:{port}/1",
    "amqp": "amqp://me:{secret}@127.0.0.1:{port}/app",
}
pytestmark = pytest.mark.parametrize("word", WAITS.built_in)


def tupled(value):
    """As the document hands it over: sequences are tuples."""
    if isinstance(value, dict):
        return {key: tupled(each) for key, each in value.items()}
    return tuple(map(tupled, value)) if isinstance(value, list) else value


def made(word, port):
    value = (
        LOCAL[word](port)
        if word in LOCAL
        else URLS.get(word, "127.0.0.1:{port}").format(port=port, secret=SECRET)
    )
    return WAITS.load(word).model_validate({"name": "it", word: tupled(value)})


def attempted(wait, timeout=0.4):
    started = time.monotonic()
    outcome = wait.attempt(Context(environ={"PATH": os.environ["PATH"]}, timeout=timeout))
    assert time.monotonic() - started < timeout + 0.6, "it took longer than its timeout"
    return outcome


def judged(wait, outcome):
    """What every outcome keeps to."""
    assert "\n" not in outcome.summary
    assert outcome.summary
    told = " ".join(map(str, (wait, wait.target(), outcome)))
    assert SECRET not in told
    if not outcome.ok:
        assert outcome.code == CODES[outcome.reason]
    return outcome


def models(kind, seen=None):
    """The kind and every model that its fields hold."""
    seen = seen if seen is not None else {}
    if kind in seen:
        return seen
    seen[kind] = None
    for field in kind.model_fields.values():
        for each in _inside(field.annotation):
            models(each, seen)
    return seen


def _inside(annotation):
    from typing import get_args

    if isinstance(annotation, type) and issubclass(annotation, Model):
        yield annotation
    for each in get_args(annotation):
        yield from _inside(each)


def test_it_is_a_wait_with_a_docstring_for_users(word):
    kind = WAITS.load(word)
    assert issubclass(kind, Wait)
    assert kind.__doc__.startswith("Waits until ")


def test_every_field_of_it_says_what_it_is_for(word):
    for model in models(WAITS.load(word)):
        assert model.__doc__
        for name, field in model.model_fields.items():
            assert field.description, f"{model.__name__}.{name}"
            assert field.description.endswith("."), f"{model.__name__}.{name}"


def test_the_field_that_says_what_is_asked_has_the_name_of_the_file(word):
    assert word in WAITS.load(word).model_fields


def test_its_example_decodes_and_shows_a_target(word):
    kind = WAITS.load(word)
    assert kind.example, "give the kind an example"
    wait = kind.model_validate(tupled(copy.deepcopy(kind.example)))
    assert wait.identity == f"wait:{kind.example['name']}"
    assert wait.target()


def test_its_target_can_be_shown_before_variables_are_known(word):
    written = f"x://me:{SECRET}@${{ADDRESS}}" if word in URLS else "${ADDRESS}"
    unknown = Template(written, known=False, secret=word != "command", written=written)
    wait = WAITS.load(word).model_validate({"name": "it", word: (unknown,) if word == "command" else unknown})
    assert wait.target() == "${ADDRESS}"


def test_it_keeps_its_deadline_against_a_port_that_never_answers(word):
    with silent_port() as port:
        wait = made(word, port)
        outcome = judged(wait, attempted(wait))
    assert outcome.ok == (word in ("tcp", "dns"))
    if word not in LOCAL and word != "tcp":
        assert outcome.reason == "timeout"


def test_it_keeps_its_deadline_against_drips(word):
    with dripping_port(b"x" * 200) as port:
        wait = made(word, port)
        judged(wait, attempted(wait))


def test_a_refused_port_is_an_outcome(word):
    with closed_port() as port:
        wait = made(word, port)
        outcome = judged(wait, attempted(wait))
    if word not in LOCAL:
        assert (outcome.reason, outcome.final) == ("refused", False)


@pytest.mark.parametrize(
    "answer",
    [b"", b"\n", b"\xff" * 300, b"-ERR\r\n", b"E\0\0\0\x05x", b"R\0\0\0\4", b"\1\0\0\0\xff", b"\0" * 50],
)
def test_nonsense_is_an_outcome(word, answer):
    with served(lambda connection: connection.sendall(answer)) as port:
        wait = made(word, port)
        outcome = judged(wait, attempted(wait))
    assert outcome.ok == (word in ("tcp", "dns"))


def test_a_deadline_of_nothing_is_an_outcome(word):
    with silent_port() as port:
        wait = made(word, port)
        judged(wait, attempted(wait, timeout=0.0))


def test_importing_it_imports_nothing_heavy_and_no_driver(word):
    script = (
        "import sys, orchestrator.waits._base, orchestrator.spec.expect\nbefore = set(sys.modules)\n"
        f"import orchestrator.waits.{word}\nprint(*(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    brought = set(done.stdout.split())
    assert f"orchestrator.waits.{word}" in brought
    assert not brought & {*HEAVY, *DRIVERS}


def test_decoding_it_imports_nothing_heavy_and_no_driver(word):
    kind = WAITS.load(word)
    script = (
        "import sys, orchestrator.waits._base\nfrom orchestrator.spec.kinds import WAITS\n"
        f"WAITS.load({word!r}).model_validate({tupled(kind.example)!r}).target()\nprint(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & {"ssl", "asyncio", "http.client", "urllib.request", *DRIVERS}
