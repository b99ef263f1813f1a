"""Stacks of servers that are programs of their own, and of commands: at SIGQUIT, and when they hang."""

import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest
from launching import APP, answering, eventually
from matrices import mostly_long
from test_hanging import HANGING, hang, shows_where

from orchestrator.core import stopping
from orchestrator.launch import stack_dump
from orchestrator.launch.python_command import DUMPS, with_dumps
from orchestrator.system import signals

WSGI = """
import os, time

def app(environ, start_response):
    start_response("200 OK", [])
    if environ["PATH_INFO"] == "/hang":
        hang()
    return [b'{"pid": %d}' % os.getpid()]

def hang():
    print("hanging", flush=True)
    while True:
        try:
            time.sleep(600)
        except BaseException:
            pass
"""
"""It takes an exception from a signal handler for nothing: only what is in C still speaks."""
SERVERS = {
    "gunicorn sync": ("gunicorn", WSGI, {"workers": 2}),
    "gunicorn asgi": ("gunicorn", HANGING, {}),
    "gunicorn uvicorn": ("gunicorn", HANGING, {"options": {"worker_class": "uvicorn_worker.UvicornWorker"}}),
    "granian": ("granian", HANGING, {}),
    "granian wsgi": ("granian", WSGI, {"workers": 2}),
    "hypercorn": ("hypercorn", HANGING, {}),
    "hypercorn workers": ("hypercorn", HANGING, {"workers": 2}),
}
WORDS = [sys.executable, "-m", "http.server"]


def started(launch, name, **changes):
    server, source, plan = SERVERS[name]
    if find_spec(server) is None or ("uvicorn" in name and find_spec("uvicorn_worker") is None):
        pytest.skip(f"needs {name}")
    service = launch(source, server=server, **{**plan, **changes}).supervised()
    eventually(service.answers, 30)
    return service


def test_the_signal_is_one_and_the_same():
    assert stopping.DUMP == signals.DUMP == stack_dump.DUMP


@pytest.mark.parametrize("name", mostly_long(SERVERS, "gunicorn sync", "granian", "hypercorn workers"))
def test_a_server_that_hangs_shows_where_before_it_is_killed(launch, name):
    # By default these two kill a worker before the grace is over, and nobody is asked.
    patient = {"gunicorn": {"graceful_timeout": 30}, "granian": {"workers_kill_timeout": 30}}
    server, _, plan = SERVERS[name]
    options = {**plan.get("options", {}), **patient.get(server, {})}
    service = started(launch, name, grace=1.5, options=options)
    with hang(service):
        service.signal(signal.SIGTERM)
        service.wait(30)
    assert shows_where(service)


@pytest.mark.parametrize("name", mostly_long(SERVERS, "gunicorn uvicorn", "granian wsgi", "hypercorn"))
def test_a_quit_shows_the_stacks(launch, name):
    service = started(launch, name, grace=3.0)
    with hang(service):
        service.signal(signal.SIGQUIT)
        eventually(lambda: shows_where(service))


def test_every_worker_shows_its_stack_and_none_into_anothers(launch):
    service = launch(APP, server="gunicorn", workers=3).supervised()
    workers = answering(service, 3)
    service.signal(signals.DUMP)
    eventually(lambda: service.errors().count("most recent call first") >= len(workers) + 1)
    assert answering(service, 3) == workers  # asking for stacks is no reason to end


COMMANDS = {
    "a module": ["python", "-u", "-m", "hangs"],
    "a script": [sys.executable, "hangs.py"],
    "a console script": ["./script"],
}


@pytest.fixture
def command(launch, tmp_path):
    def start(words, **plan):
        source = "import signal, sys, time\nsignal.signal(15, signal.SIG_IGN)\ndef stuck():\n    print('stuck', *sys.argv[1:], flush=True)\n    time.sleep(600)\nstuck()\n"
        (tmp_path / "hangs.py").write_text(source)
        (tmp_path / "script").write_text(f"#!{sys.executable}\nimport hangs\n")
        (tmp_path / "script").chmod(0o755)
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        service = launch(command=words, environ={"PATH": path}, **plan).supervised()
        eventually(lambda: "stuck" in (tmp_path / "out").read_text())
        return service

    return start


@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS)
def test_a_python_command_that_hangs_shows_where(command, words):
    service = command([*words, "more", "words"], grace=0.5)
    assert "stuck more words" in (service.directory / "out").read_text()
    service.signal(signal.SIGTERM)
    assert service.wait(20) == 137
    assert " in stuck\n" in service.errors()


def test_a_quit_shows_the_stack_of_a_python_command_that_then_ends_of_it(command):
    service = command(COMMANDS["a module"])
    service.signal(signal.SIGQUIT)
    assert service.wait(20) == 131
    assert " in stuck\n" in service.errors()


def test_a_command_that_is_no_python_is_ended_as_before(launch, tmp_path):
    words = ["sh", "-c", "trap '' TERM; touch here; sleep 600 & wait; sleep 600"]
    service = launch(command=words, grace=0.3).supervised()
    eventually((tmp_path / "here").exists)
    began = time.monotonic()
    service.signal(signal.SIGTERM)
    assert service.wait(20) == 137
    assert "most recent call first" not in service.errors()
    assert time.monotonic() - began < 10


def test_workers_of_celery_show_where_they_hang(launch, tmp_path):
    pytest.importorskip("celery")
    tasks = (
        "import celery, time\n"
        "app = celery.Celery('tasks', broker='filesystem://')\n"
        "app.conf.broker_transport_options = {'data_folder_in': 'queue', 'data_folder_out': 'queue'}\n"
        "@app.task\ndef stuck():\n    print('hanging', flush=True)\n    time.sleep(600)\n"
    )
    (tmp_path / "queue").mkdir()
    (tmp_path / "tasks.py").write_text(tasks)
    celery = str(Path(sys.executable).with_name("celery"))
    words = [celery, "-A", "tasks", "worker", "--concurrency", "1", "--without-gossip", "--without-mingle"]
    service = launch(command=words, grace=1.0).supervised()
    subprocess.run([sys.executable, "-c", "import tasks; tasks.stuck.delay()"], cwd=tmp_path, check=True, timeout=60)  # fmt: skip
    eventually(lambda: "hanging" in service.errors() + (tmp_path / "out").read_text(), 30)
    service.signal(signal.SIGTERM)
    assert service.wait(30) == 137
    assert " in stuck\n" in service.errors()


@pytest.mark.parametrize(
    ("words", "inserted"),
    [
        ([sys.executable, "-m", "http.server", "0"], [sys.executable, DUMPS, "-m", "http.server", "0"]),
        ([sys.executable, "-uO", "-P", "/"], [sys.executable, "-uO", "-P", DUMPS, "/"]),
        ([sys.executable, "no-such-script.py"], None),
        ([sys.executable, "-c", "pass"], None),
        ([sys.executable, "-W", "error", "/"], None),
        ([sys.executable, "-"], None),
        ([sys.executable, "-m"], None),
        ([sys.executable], None),
        (["sh", "-c", "python x.py"], None),
        (["no-such-program"], None),
    ],
)
def test_only_what_is_certain_is_touched(words, inserted):
    assert with_dumps(words, os.environ) == (inserted or words)


@pytest.mark.parametrize(
    ("first", "interpreter"),
    [
        (f"#!{sys.executable}\n", [sys.executable]),
        (f"#!{sys.executable} -s\n", [sys.executable, "-s"]),
        ("#!/usr/bin/env python\n", [sys.executable]),
        (f"#!{sys.executable} -W error\n", None),
        ("#!/bin/sh\n", None),
        ("#!/no/such/python\n", None),
        ("#!/usr/bin/env -S python -u\n", None),
        ("#!/usr/bin/env\n", None),
        ("no script\n", None),
        ("", None),
    ],
)
def test_a_script_is_pythons_when_its_first_line_says_so(tmp_path, first, interpreter):
    script = tmp_path / "script"
    script.write_text(first + "pass\n")
    script.chmod(0o755)
    environ = {"PATH": f"{tmp_path}:{Path(sys.executable).parent}"}
    wanted = [*interpreter, DUMPS, str(script), "a"] if interpreter else ["script", "a"]
    assert with_dumps(["script", "a"], environ) == wanted


SEEN = "import sys, os; print(__name__, sys.argv[1:], sys.path[0], __spec__ and __spec__.name, 'DUMPS' in globals(), len(sys.path))\n"


@pytest.mark.parametrize("options", [[], ["-P"], ["-I"]])
@pytest.mark.parametrize(
    "target", [["script.py"], ["-m", "script"], ["sub/main.py"], ["sub"], ["-m", "package"]]
)
def test_the_program_sees_what_it_would_have_seen(tmp_path, options, target):
    if options and target[0] == "-m":
        target = ["-m", "this"]  # nothing of the folder is found
    for name in ("script.py", "sub/main.py", "sub/__main__.py", "package/__main__.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(SEEN)

    def output(*words):
        done = subprocess.run([sys.executable, *options, *words, "a", "b"], cwd=tmp_path, capture_output=True, text=True, timeout=60)  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert output(DUMPS, *target) == output(*target)


ENDS = {
    "a code": "import sys; sys.exit(7)\n",
    "a word": "import sys; sys.exit('no more')\n",
    "an exception": "def fails():\n    raise ValueError('here')\nfails()\n",
    "no Python": "def (\n",
    "another hook": "import sys\nsys.excepthook = lambda kind, error, where: print(kind, where.tb_lineno)\n1 / 0\n",
}


@pytest.mark.parametrize("source", ENDS.values(), ids=ENDS)
def test_what_ends_the_program_ends_it_as_before(tmp_path, source):
    (tmp_path / "ends.py").write_text(source)

    def end(*words):
        done = subprocess.run([sys.executable, *words], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)  # fmt: skip
        return done.returncode, done.stdout, done.stderr

    assert end(DUMPS, "ends.py") == end("ends.py")
    assert end(DUMPS, "-m", "ends")[:2] == end("-m", "ends")[:2]
    assert end(DUMPS, "-m", "nowhere.at_all") == end("-m", "nowhere.at_all")
