"""What the README says has no effect yet has none, and what it does not list has one.

When one of these fails, something has arrived (take its line out of the README) or was lost.
"""

import fcntl
import os
import time
import urllib.error
import urllib.request

import pytest
from docs_blocks import ROOT
from docs_console import Terminal

pytestmark = pytest.mark.timeout(120)

LISTED = (ROOT / "README.md").read_text(encoding="utf-8").partition("## What is not there yet")[2]
HEAD = "version: 1\nservice: shop\n"
APP = """
import os
from fastapi import FastAPI
app = FastAPI()
@app.get("/ready")
def ready(): return {"status": "ok"}
"""
LAUNCH = "launch: {app: 'main:app', port: 8000}\nhealth: {ready: /ready}\n"


@pytest.fixture
def terminal(tmp_path):
    """A terminal for a spec, beside a small app."""
    opened = []

    def terminal(spec):
        here = tmp_path / "srv"
        here.mkdir()
        (here / "main.py").write_text(APP)
        (here / "startup.yaml").write_text(HEAD + spec)
        opened.append(Terminal(here, tmp_path / "state"))
        return opened[-1]

    yield terminal
    for each in opened:
        each.close()


def claim(phrase, *, effect):
    """Either the README says that it is not there, or it is."""
    said = phrase in LISTED
    assert effect != said, (
        f"the README {'lists' if said else 'does not list'} {phrase}, and it {'works' if effect else 'does nothing'}"
    )


def test_lock(terminal, tmp_path):
    path = tmp_path / "lock"
    here = terminal(
        f"steps:\n  - {{name: it, run: [touch, done], creates: done, lock: {path}, deadline: 500ms}}\n"
    )
    with path.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        here.type("timeout 3 env orchestrator run")
        alone = (here.directory / "done").exists()
    here.type("env orchestrator run")
    assert (here.directory / "done").exists(), "the step does not run at all"
    claim("* `lock`", effect=not alone)


def test_workers(terminal):
    here = terminal(LAUNCH.replace("8000}", "8000, workers: 2}"))
    lines = here.start("orchestrator run")
    lines += here.interrupt()
    claim("`workers`", effect=sum("Started server process" in line for line in lines) == 2)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_user(terminal):
    here = terminal("user: nobody\nsteps:\n  - {name: it, run: [id, -un]}\n")
    here.directory.parent.chmod(0o755)
    shown = "\n".join(here.type("env orchestrator run"))
    # Where the interpreter is below a home that is closed to nobody, the start says so before anything runs.
    claim(
        "* `user`", effect="nobody" in shown and ("ok        step:it" in shown or "failed    user" in shown)
    )


def test_serve_of_another_app(terminal):
    here = terminal(LAUNCH + "files:\n  - {path: nowhere, on_failure: {serve: 'other:app'}}\n")
    other = APP.replace('"/ready"', '"/other"')
    (here.directory / "other.py").write_text(other)
    here.type("orchestrator run > log 2>&1 & echo $! > pid")
    answered = _until(lambda: _status(here.port, "/other") != 0)
    effect = answered and _until(lambda: _status(here.port, "/other") == 200, limit=2.0)
    here.type("kill -INT $(cat pid)")
    claim("* `serve: module:app`", effect=effect)


def test_recheck(terminal):
    here = terminal(LAUNCH + "files:\n  - {path: late, on_failure: {degrade: it, recheck: 100ms}}\n")
    here.start("orchestrator run")
    (here.directory / "late").touch()
    claim(
        "`recheck`",
        effect=_until(lambda: "shop is ready" in here.type("orchestrator status"), limit=2.0),
    )


def _until(holds, limit=15.0):
    end = time.monotonic() + limit
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(0.05)
    return False


def _status(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code
    except OSError:
        return 0
