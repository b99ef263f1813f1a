"""What somebody reads at three in the morning: golden files, with times and places made the same."""

import json
import os
import re
import select
import sys
import termios
from pathlib import Path

import pytest
from matrices import mostly_long

CASES = Path(__file__).parents[1] / "cases" / "starts"

STARTS = {
    "missing-package": ("packages: [uvicorn, no-such-thing]", {}),
    "many-things": ("""
variables: {TOKEN: {required: true, secret: true, why: the bank asks for it}, LEVEL: {allowed: [debug, info]}}
packages: [no-such-thing]
files: [{path: settings.toml, format: toml}]
steps: [{name: migrate, run: ['true']}]
""", {"LEVEL": "loud"}),
    "remedies-that-do-not-help": ("files: [{path: settings.toml, why: the prices are in it, on_failure: [{run: ['true']}, {run: ['false']}]}]", {}),
    "nothing-answers": ("wait_for: [{name: db, tcp: '127.0.0.1:1', deadline: 300ms, why: the orders live there}]", {}),
    "step-that-fails": ("steps: [{name: migrate, run: [sh, -c, 'echo connecting; echo no such table >&2; exit 3']}, {name: seed, run: ['true']}]", {}),
    "app-that-raises": ("", {}),
    "degraded-and-failed": ("modules: [{module: assistant, on_failure: {degrade: chat}}]\nchecks: [{name: ledger, needs: ['module:assistant'], run: [sh, -c, 'echo out of balance; exit 1']}]", {}),
    "invalid-spec": ("packagess: [uvicorn]\nlaunchh: main:app", {}),
    "wait-that-was-helped": ("wait_for: [{name: db, tcp: '127.0.0.1:1', deadline: 300ms, on_failure: [{run: [sh, -c, 'echo cannot wake it; exit 1']}]}]", {}),
    "stopped-with-its-own-code": ("files: [{path: licence.pem, on_failure: [{stop: {exit_code: 41}}]}]", {}),
    "missing-variable": ("directories: [{path: '${DATA}/a'}, {path: '${DATA}/b'}]", {}),
}  # fmt: skip


def same(text, engine):
    text = (
        text.replace(str(engine.root), "/srv").replace(str(engine.port), "8000").replace(sys.prefix, "/venv")
    )
    text = re.sub(r"\d+(\.\d+)? (ms|s)\b", r"N \2", text)
    return re.sub(r"tried:  \d+ times", "tried:  N times", text)


def checked(name, text):
    path = CASES / f"{name}.txt"
    if os.environ.get("UPDATE_CASES"):
        path.write_text(text)
    assert text == path.read_text(), f"set UPDATE_CASES=1 to write {path}"


@pytest.mark.parametrize(
    "name", mostly_long(STARTS, "many-things", "step-that-fails", "app-that-raises", "degraded-and-failed")
)
def test_the_last_screen_says_what_failed_what_was_tried_and_what_to_do(engine, name):
    text, env = STARTS[name]
    if name == "app-that-raises":
        engine.write("main.py", "from ledger import open_ledger\n\nopen_ledger()\n")
        engine.write("ledger.py", "def open_ledger():\n    raise PermissionError('the ledger is sealed')\n")
    done = engine.spec(text).run(env=env)
    assert done.returncode not in (0, 1)
    assert done.stdout == ""
    checked(name, same(done.stderr, engine))


def test_a_start_that_was_interrupted_says_what_it_waited_for(engine):
    engine.spec("wait_for: [{name: db, tcp: '127.0.0.1:1', deadline: 60s}]").start().says("wait:db")
    assert engine.stop() == 143
    assert "stopped by SIGTERM before it was ready (exit 143)" in engine.stderr
    assert "wait:db was not ready yet: connection to 127.0.0.1:1 refused" in engine.stderr
    db = engine.item("wait:db")
    assert (db["status"], db["attempts"] > 0) == ("waiting", True)
    assert db["summary"].startswith("connection to 127.0.0.1:1 refused")


def test_a_start_that_was_interrupted_in_a_step_names_it(engine):
    engine.spec("steps: [{name: migrate, run: [sh, -c, 'echo altering; sleep 60']}]").start().says("altering")
    assert engine.stop() == 143
    assert re.search(r"^  step:migrate was still running after \d+\.\d s$", engine.stderr, re.MULTILINE)
    assert (engine.item("step:migrate")["status"], engine.item("step:migrate")["summary"]) == (
        "waiting",
        "still running",
    )
    junit = engine.command("report", "--format", "junit").stdout
    assert '<failure type="waiting" message="still running">' in junit


def test_a_stop_in_maintenance_is_said_beside_what_it_was_in_maintenance_for(engine):
    engine.spec("files: [{path: flag, on_failure: {serve: maintenance}}]").start()
    engine.until(lambda: engine.status() == "maintenance")
    assert engine.stop() == 143
    assert "stopped by SIGTERM before it was ready (exit 143): 1 thing failed" in engine.stderr
    assert "did not start" not in engine.stderr


def test_an_app_without_the_name_that_is_launched_says_what_to_correct(engine):
    engine.write("main.py", "application = None\n")
    done = engine.spec("").run()
    assert done.returncode == 5
    assert "cannot import the app: `main` has no `app`" in done.stderr
    assert "hint:   define it in main, or correct `app` of the launch" in done.stderr


def test_a_syntax_error_is_mended_where_it_stands(engine):
    engine.write("main.py", "app = (\n")
    done = engine.spec("").run()
    assert done.returncode == 5
    assert "main.py:1 raises SyntaxError: '(' was never closed" in done.stderr
    assert "mend main.py:1" in done.stderr


def test_the_last_words_are_one_json_line(engine):
    done = engine.spec("packages: [no-such-thing]").run("--log-format", "json")
    last = json.loads(done.stderr.splitlines()[-1])
    assert last["event"] == "last_words"
    assert last["exit_code"] == 3
    assert "package:no-such-thing" in last["cause"]
    assert "pip install" in last["hint"]


def test_every_failure_is_in_the_one_json_line(engine):
    text, env = STARTS["many-things"]
    done = engine.spec(text).run("--log-format", "json", env=env)
    last = json.loads(done.stderr.splitlines()[-1])
    assert last.pop("time")
    checked("many-things.json", same(json.dumps(last, indent=2), engine) + "\n")


def test_long_lines_are_folded_for_a_narrow_terminal_and_stay_whole_in_a_log(engine):
    shown = on_terminal(engine, {"NO_COLOR": "1", "TERM": "xterm"}, width=50)
    screen = shown.replace("\r\n", "\n").partition("\n\n")[2]
    assert max(map(len, screen.splitlines())) < 50
    checked("narrow", same(screen, engine))


def test_every_line_is_folded_for_a_narrow_terminal_and_none_in_a_log(engine):
    shown = on_terminal(engine, {"NO_COLOR": "1", "TERM": "dumb"}, width=50)
    lines = shown.replace("\r\n", "\n").splitlines()
    assert max(map(len, lines)) < 50
    assert "  failed    package:no-such-thing" in lines
    assert "            no-such-thing is not installed" in lines
    assert "  failed    package:no-such-thing        no-such-thing is not installed\n" in engine.run().stderr


def on_terminal(engine, env, width=0):
    """The engine on a pseudo-terminal to its end; what it showed."""
    import pty

    engine.spec("packages: [uvicorn, no-such-thing]")
    pid, terminal = pty.fork()
    if pid == 0:
        if width:
            termios.tcsetwinsize(0, (24, width))
        os.chdir(engine.root)
        os.execve(sys.executable, [sys.executable, "-m", "orchestrator", "run"], engine.environ | env)
    shown = b""
    while select.select([terminal], [], [], 20)[0]:
        try:
            chunk = os.read(terminal, 65536)
        except OSError:
            break
        if not chunk:
            break
        shown += chunk
    os.waitpid(pid, 0)
    os.close(terminal)
    return shown.decode()


def test_a_terminal_has_colours_and_no_color_takes_them_away(engine):
    assert "\x1b[" in on_terminal(engine, {"NO_COLOR": "", "TERM": "xterm"})
    assert "\x1b[" not in on_terminal(engine, {"NO_COLOR": "1", "TERM": "xterm"})
    assert "\x1b[" not in on_terminal(engine, {"NO_COLOR": "", "TERM": "dumb"})


def test_what_really_happens_first_is_what_the_plan_says(engine):
    engine.spec("""
        directories: [logs]
        files: [{path: made, needs: ['step:make']}]
        wait_for: [{name: self, file: startup.yaml}]
        checks: [{name: ledger, run: ['true']}]
        steps: [{name: make, run: [touch, made], deadline: 5s}, {name: more, run: ['true'], deadline: 5s}]
        health: {ready: /ready}
    """).start().serving()  # fmt: skip
    plan = json.loads(engine.command("plan", "--format", "json").stdout)
    items = {each["id"]: each for each in engine.report()["items"]}
    assert set(items) == {each["id"] for each in plan["items"]}
    for each in plan["items"]:
        for before in each["after"]:
            ended = items[before]["start_ms"] + items[before]["duration_ms"]
            assert ended <= items[each["id"]]["start_ms"] + 1.0, f"{before} before {each['id']}"
