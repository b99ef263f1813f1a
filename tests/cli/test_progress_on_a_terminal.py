"""What stands on a terminal while a start waits, and after it."""

import os
import signal
import subprocess
import sys
import termios
import time

import pytest
from ports import free_port
from terminals import COMMAND, Terminal

from orchestrator.cli import console
from orchestrator.engine import events

WAIT = "wait_for: [{name: flag, file: flag, deadline: 50s}]\n"
APP = """
import time
time.sleep(0.8)
async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})
"""


@pytest.fixture
def on(tmp_path):
    """A service in a directory of its own, started on a terminal of a size."""
    made = []

    def start(spec, *words, columns=100, rows=30, **more):
        (tmp_path / "startup.yaml").write_text(f"version: 1\nservice: shop\n{spec}")
        made.append(Terminal(tmp_path, columns, rows))
        return made[-1].start(*(words or ("run",)), **more)

    yield start
    for each in made:
        each.close()


def held(terminal, item):
    """The last line about an item: the live one, where there is one."""
    return next((line for line in reversed(terminal.lines) if item in line), "")


def test_what_is_waited_for_stands_below_the_log_and_moves(on, tmp_path):
    terminal = on(WAIT, columns=250)
    terminal.shows(" s of 50 s, ")
    assert (
        terminal.shown
        == f"""\
orchestrator: starting shop
  waiting   wait:flag                    there is no {tmp_path}/flag

  waiting   wait:flag                    N s of N s, N attempts: there is no {tmp_path}/flag"""
    )
    seen = held(terminal, "wait:flag")
    terminal.until(lambda: held(terminal, "wait:flag") != seen)
    assert (terminal.screen.cursor.y, terminal.screen.cursor.x) == (2, 0)
    (tmp_path / "flag").touch()
    assert terminal.ended() == 0
    assert (
        terminal.shown
        == f"""\
orchestrator: starting shop
  waiting   wait:flag                    there is no {tmp_path}/flag
  ok        wait:flag                    {tmp_path}/flag is there"""
    )


def test_a_check_shows_it_too(on, tmp_path):
    terminal = on(WAIT, "check", columns=250)
    terminal.shows(" s of 50 s, ")
    (tmp_path / "flag").touch()
    assert terminal.ended() == 0
    assert terminal.lines[-1] == "orchestrator: shop would start: 1 ok"
    assert " s of 50 s" not in "\n".join(terminal.lines)


def test_maintenance_says_what_is_still_waited_for(on):
    port = free_port()
    terminal = on("wait_for: [{name: flag, file: flag, deadline: 500ms, on_failure: {serve: maintenance}}]\n"
                  f"launch: {{app: 'shop:app', host: 127.0.0.1, port: {port}}}\n", columns=250, rows=50)  # fmt: skip
    (terminal.root / "shop.py").write_text(APP)
    terminal.shows("is in maintenance")
    terminal.until(lambda: terminal.lines[-1].startswith("  waiting   wait:flag  "))
    assert terminal.lines[-2] == ""
    terminal.type(b"\x03")
    assert terminal.ended() == 130
    assert not any(line.startswith("  waiting   wait:flag") for line in terminal.lines[-8:])


@pytest.mark.parametrize("no_color", [None, "1"])
def test_without_colour_it_moves_all_the_same(on, no_color):
    terminal = on(WAIT, env={"NO_COLOR": no_color})
    terminal.shows(" s of 50 s")
    assert (b"m" not in {each[-1:] for each in escapes(terminal.raw)}) == bool(no_color)
    assert b"\x1b[J" in terminal.raw


def escapes(raw):
    import re

    return re.findall(rb"\x1b\[[0-9;?]*[A-Za-z]|\x1b.", raw)


@pytest.mark.parametrize("term", ["dumb", "", None])
def test_a_terminal_that_can_do_nothing_gets_lines(on, tmp_path, term):
    terminal = on(WAIT, columns=250, env={"TERM": term, "NO_COLOR": "1"})
    terminal.shows("there is no")
    (tmp_path / "flag").touch()
    assert terminal.ended() == 0
    assert b"\x1b" not in terminal.raw
    assert len(terminal.lines) == 3


@pytest.mark.parametrize("command", ["run", "check"])
def test_a_pipe_gets_not_one_escape_sequence(tmp_path, command):
    (tmp_path / "startup.yaml").write_text(
        "version: 1\nservice: shop\nwait_for: [{name: flag, file: flag, deadline: 800ms, on_failure: warn}]\n"
    )
    environ = {**os.environ, "TERM": "xterm", "ORCHESTRATOR_STATE_DIR": str(tmp_path / "state")}
    done = subprocess.run([*COMMAND, command], cwd=tmp_path, env=environ, capture_output=True, timeout=60)
    assert done.returncode == 0
    assert b"wait:flag" in done.stderr
    assert b"\x1b" not in done.stderr + done.stdout
    assert b"\r" not in done.stderr


def test_json_lines_stay_lines_on_a_terminal(on, tmp_path):
    terminal = on(WAIT, "--log-format", "json", "run", columns=400)
    terminal.shows('"event": "waiting"')
    (tmp_path / "flag").touch()
    assert terminal.ended() == 0
    assert b"\x1b" not in terminal.raw


@pytest.mark.parametrize("columns", [40, 20])
def test_a_narrow_terminal_gets_no_line_that_is_folded(on, columns):
    terminal = on(WAIT, columns=columns)
    terminal.until(lambda: terminal.lines[-1].startswith("wait:flag "))
    *_, gap, live = terminal.lines
    assert gap == ""
    assert len(live) == columns - 1
    assert live.endswith("…")


def test_wide_characters_are_cut_where_they_end(on):
    terminal = on(
        "wait_for: [{name: flag, file: データベースの旗データベースの旗, deadline: 50s}]\n", columns=60
    )
    terminal.shows(" s of 50 s")
    live = terminal.screen.cursor.y + 1
    terminal.until(lambda: "…" in terminal.screen.display[live])
    assert terminal.screen.display[live + 1].strip() == ""
    assert terminal.screen.cursor.x == 0


def test_a_terminal_that_becomes_narrower_is_drawn_for_anew(on, tmp_path):
    terminal = on(WAIT)
    terminal.shows(" s of 50 s, ")
    terminal.resize(50, 30)
    terminal.until(
        lambda: held(terminal, "wait:flag").endswith("…") and len(held(terminal, "wait:flag")) == 49
    )
    assert sum(" s of 50 s" in line for line in terminal.lines) == 1
    (tmp_path / "flag").touch()
    assert terminal.ended() == 0
    assert " s of 50 s" not in "\n".join(terminal.lines)


def test_who_sends_it_to_the_background_gets_lines_from_then_on(on, tmp_path):
    """Ctrl-Z and `bg`: what is in front has the terminal, and nothing of its is erased."""
    terminal = on(
        WAIT, prefix=("bash", "--norc", "-c", 'set -m; "$@"; bg; echo in front; wait', "bash"), columns=250
    )
    terminal.shows(" s of 50 s, ")
    terminal.type(b"\x1a")
    terminal.shows("in front")
    (tmp_path / "flag").touch()
    terminal.shows("is there")
    assert terminal.ended() == 0
    assert b"is there" in terminal.raw.partition(b"in front")[2]
    assert b"\x1b[J" not in terminal.raw.partition(b"in front")[2]


def test_ctrl_c_leaves_whole_lines_and_nothing_below_them(on):
    terminal = on(WAIT)
    terminal.shows(" s of 50 s, ")
    terminal.type(b"\x03")
    assert terminal.ended() == 130
    assert " s of 50 s" not in "\n".join(terminal.lines)
    assert "stopped by SIGINT before it was ready" in "\n".join(terminal.lines)
    assert terminal.screen.cursor.x == 0
    assert terminal.screen.cursor.y == len(terminal.lines)


def test_what_a_step_prints_stands_above(on, tmp_path):
    terminal = on(
        "steps: [{name: talk, run: [sh, -c, 'for i in 1 2 3 4 5; do echo line $i; done; while ! [ -e flag ]; do sleep 0.05; done; echo last']}]\n"
    )
    terminal.shows("  running   step:talk")
    said = [f"step:talk | line {number}" for number in range(1, 6)]
    assert terminal.shown.split("\n") == [
        "orchestrator: starting shop", *said, "", "  running   step:talk                    N s",
    ]  # fmt: skip
    (tmp_path / "flag").touch()
    assert terminal.ended() == 0
    assert terminal.shown.split("\n") == [
        "orchestrator: starting shop", *said, "step:talk | last", "  ok        step:talk                    done in N s",
    ]  # fmt: skip


def test_lines_scroll_away_above_it(on, tmp_path):
    terminal = on(
        "steps: [{name: talk, run: [sh, -c, 'seq 1 40; while ! [ -e flag ]; do sleep 0.05; done']}]\n",
        rows=10,
    )
    terminal.shows("  running   step:talk")
    assert terminal.shown.split("\n") == [
        *(f"step:talk | {number}" for number in range(33, 41)), "", "  running   step:talk                    N s",
    ]  # fmt: skip
    (tmp_path / "flag").touch()
    assert terminal.ended() == 0
    assert terminal.lines[-2] == "step:talk | 40"


def test_more_than_there_is_room_for_is_counted(on):
    waits = ", ".join(f"{{name: w{number}, file: flag}}" for number in range(12))
    terminal = on(f"wait_for: [{waits}]\n", rows=40)
    terminal.shows("  and 5 more")
    terminal.until(lambda: sum(" s of 60 s" in line for line in terminal.lines) == 7)


def test_secrets_are_masked(on):
    terminal = on(
        "variables: {TOKEN: {secret: true, required: true}}\n"
        "wait_for: [{name: flag, command: [sh, -c, 'echo it is $TOKEN; exit 1']}]\n",
        env={"TOKEN": "hunter2hunter2"},
    )
    terminal.shows(" s of 60 s, ")
    assert b"hunter2" not in terminal.raw
    assert "***" in held(terminal, "wait:flag"), terminal.lines


@pytest.mark.parametrize("mode", ["supervise", "exec"])
def test_the_server_gets_the_terminal_as_it_was(on, tmp_path, mode):
    (tmp_path / "shop.py").write_text(APP)
    port = free_port()
    terminal = on(f"launch: {{app: 'shop:app', host: 127.0.0.1, port: {port}, mode: {mode}}}\n", rows=40)
    terminal.shows("  importing launch")
    terminal.shows("orchestrator: shop is ready")
    before = len(terminal.raw)
    terminal.shows("Application startup complete")
    assert "importing" not in "\n".join(terminal.lines)
    terminal.type(b"\x03")
    assert terminal.ended() == (0 if mode == "supervise" else -signal.SIGINT), "the server's own word"
    assert b"\x1b[J" not in terminal.raw[before:]
    assert terminal.screen.cursor.x == 0


def test_behind_a_shells_back_only_lines_are_said(on, tmp_path):
    terminal = on(WAIT, prefix=("bash", "-c", 'set -m; "$@" & wait', "bash"))
    terminal.shows("there is no")
    (tmp_path / "flag").touch()
    terminal.shows("is there")
    assert terminal.ended() == 0
    assert b"\x1b[J" not in terminal.raw


def test_a_terminal_that_was_stopped_holds_up_nobody(on):
    terminal = on(WAIT)
    terminal.shows(" s of 50 s")
    termios.tcflow(terminal.behind, termios.TCOOFF)
    time.sleep(0.6)  # some drawings are not taken
    began = time.monotonic()
    terminal.process.send_signal(signal.SIGTERM)
    assert terminal.process.wait(20) == 143
    assert time.monotonic() - began < 8


@pytest.mark.parametrize("term", ["xterm", "dumb"])
def test_a_terminal_that_nobody_reads_holds_up_nobody(on, term):
    """It is full; and then even a write that is said to have room may have too little."""
    terminal = on("steps: [{name: talk, run: [sh, -c, 'while :; do echo again and again; done']}]\n",
                  env={"TERM": term})  # fmt: skip
    time.sleep(1)  # long enough for it to be full
    began = time.monotonic()
    terminal.process.send_signal(signal.SIGTERM)
    assert terminal.process.wait(20) == 143
    assert time.monotonic() - began < 8


@pytest.fixture
def behind(tmp_path):
    terminal = Terminal(tmp_path)
    with open(terminal.behind, "w", closefd=False) as terminal.stderr:
        yield terminal
        console.end()
    terminal.close()


def listened_to(terminal, monkeypatch):
    """This process's own messages, on that terminal."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", terminal.stderr)
    stream = events.Stream(time.monotonic)
    stream.listeners = [console.listener("text", "info", color=False)]
    return stream


def test_an_end_that_nobody_foresaw_clears_it_too(behind, monkeypatch):
    stream = listened_to(behind, monkeypatch)

    def broken():
        with console.restored():
            stream.begun("wait:db", "waiting", 60.0)
            behind.shows("  waiting   wait:db")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        broken()
    console.say("internal error")
    behind.shows("internal error")
    assert behind.lines == ["internal error"]


def test_nothing_wakes_while_nothing_is_waited_for(behind, monkeypatch):
    stream = listened_to(behind, monkeypatch)
    stream.begun("wait:db", "waiting", 60.0)
    behind.shows("wait:db")
    stream.emit(events.ITEM, "well", item="wait:db", status="ok")
    behind.until(lambda: behind.lines[0].endswith("well"))
    before = behind.raw
    behind.read(0.6)
    assert behind.raw == before
    assert behind.lines == ["  ok        wait:db                      well"]
