"""The importing process begun early: what it imports ahead, when it is taken, and that nothing of it is left."""

import json
import os
import signal
import subprocess
import sys
import textwrap

import pytest

from orchestrator.launch import preimport

DRIVER = """
import json, os, select, sys
from orchestrator.launch import app_handle, preimport
from orchestrator.system import sockets
from orchestrator.launch.plan import LaunchPlan

changes = json.loads(sys.argv[1])
early = preimport.begin(["startup.yaml"])
plan = LaunchPlan("shop", app="main:app", environ={**os.environ, **changes.pop("environ", {})}, **changes)
listener = sockets.bind("127.0.0.1", 0)
child = app_handle.start(plan, listener, preloaded=early)
told = []
while child.code is None and not child.ready:
    select.select([child], [], [], 20)
    told += child.read_events()
child.end()
print(json.dumps({"early": early.pid, "pid": child.pid, "told": told, "gone": not os.path.exists(f"/proc/{early.pid}")}))
"""


@pytest.fixture
def service(tmp_path):
    (tmp_path / "startup.yaml").write_text("packages: [fastapi]\nlaunch: {app: main:app}\n")
    (tmp_path / "main.py").write_text("from fastapi import FastAPI\napp = FastAPI()\n")
    return tmp_path


@pytest.mark.parametrize(("packages", "shared"), [("[fastapi]", True), ("[flask]", False)])
def test_pydantic_is_imported_before_the_fork_where_the_app_imports_it_too(tmp_path, packages, shared):
    (tmp_path / "startup.yaml").write_text(f"packages: {packages}\nlaunch: {{app: main:app}}\n")
    code = (
        "import sys; from orchestrator.launch import preimport; early = preimport.begin(['startup.yaml']); "
        "print('pydantic.main' in sys.modules); early.end()"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.strip() == str(shared), done.stderr


def driven(service, **changes):
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(DRIVER), json.dumps(changes)], cwd=service, capture_output=True, text=True, timeout=60
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("text", "modules"),
    [
        ("packages: [fastapi]\nlaunch: {app: a:b}", ["fastapi", "uvicorn"]),
        ("launch: {app: a:b}", ["uvicorn"]),
        ("packages: [fastapi]\nlaunch: {app: a:b, server: gunicorn}", ["fastapi"]),
        ("packages: [fastapi]\nlaunch: {command: [x]}", []),
        ("packages: [fastapi]", []),
    ],
)
def test_what_the_words_of_a_spec_are_worth(tmp_path, text, modules):
    (tmp_path / "startup.yaml").write_text(text)

    assert preimport.wanted([str(tmp_path / "startup.yaml")]) == modules


def test_a_file_that_is_not_there_is_worth_nothing(tmp_path):
    assert preimport.wanted([str(tmp_path / "gone.yaml")]) == []


def test_the_process_that_began_early_imports_the_app(service):
    found = driven(service)

    assert found["pid"] == found["early"]
    assert [each["event"] for each in found["told"]][-2:] == ["imported", "ready"]
    assert found["gone"]


@pytest.mark.parametrize(
    "changes",
    [
        {"importer": "exec"},
        {"environ": {"PYTHONHASHSEED": "1"}},
        {"environ": {"PYDANTIC_X": "1"}},
        {"cwd": "/"},
    ],
    ids=["asked for", "an interpreter's variable", "a library's variable", "another directory"],
)
def test_a_plan_that_it_does_not_fit_gets_a_process_of_its_own(service, changes):
    found = driven(service, **changes)

    assert found["pid"] != found["early"]
    assert found["gone"]


def test_it_ends_with_whoever_began_it(service):
    code = "from orchestrator.launch import preimport; print(preimport.begin(['startup.yaml']).pid, flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=service, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        early = int(parent.stdout.readline())
        watched = os.pidfd_open(early)
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    import select

    assert select.select([watched], [], [], 10)[0], "it outlived its parent"
    os.close(watched)
