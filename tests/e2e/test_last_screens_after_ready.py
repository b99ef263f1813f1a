"""The last screen of a service that had been ready: what failed, what was tried, what to do, where in the spec."""

import json
import os
import signal

import pytest
from starting import APP

BREAKABLE = (
    APP
    + """
import threading, time

def fall():
    while not os.path.exists("crash"):
        time.sleep(0.02)
    os._exit(9)

threading.Thread(target=fall, daemon=True).start()
"""
)


def last_screen(engine):
    return engine.stderr.partition("\n\norchestrator: ")[2].splitlines()


def crash(engine):
    engine.write("crash")


def kill(engine):
    os.kill(engine.get("/")[1]["pid"], signal.SIGKILL)


def fail(engine):
    engine.write("broken-live")


LAUNCH = "{app: main:app, host: 127.0.0.1, port: PORT%s}"
AGAIN = "`launch.restart` starts it again, `on_failure` of `health` and `launch` say what else is done"


@pytest.mark.parametrize(("text", "launch", "breaks", "code", "lines"), [
    ("", "", crash, 9, ["shop ended (exit 9)", "", "  launch (startup.yaml:4) [ORC704]", "    the server ended with 9",
                        f"    hint:   what it printed is above; {AGAIN}", "", "  more: orchestrator explain ORC704"]),
    ("", "", kill, 137, ["shop ended (exit 137)", "", "  launch (startup.yaml:4) [ORC704]", "    the server was ended by SIGKILL",
                         f"    hint:   what it printed is above; {AGAIN}", "", "  more: orchestrator explain ORC704",
                         "  exit 137: it was killed, for memory or by somebody: 128 and the number of the signal"]),
    ("", ", restart: {policy: on-failure, attempts: 1}", crash, 5,
     ["shop ended (exit 5)", "", "  launch (startup.yaml:4) [ORC704]", "    the server ended with 9 before it served", "    tried:  restart",
      "    hint:   what it printed is above", "", "  more: orchestrator explain ORC704",
      "  exit 5: the app itself did not boot, or was never ready"]),
    ("health: {live: /live, watch: {interval: 200ms, failures: 2}}", "", fail, 5,
     ["shop ended (exit 5)", "", "  health:live (startup.yaml:3) [ORC706]", "    live failed 2 times: status 500 Internal Server Error",
      f"    hint:   the app answers no more, or not as it should: what it printed is above; {AGAIN}", "",
      "  more: orchestrator explain ORC706", "  exit 5: the app was not well any more"]),
    ("files: [{path: late, why: search needs it, on_failure: [{degrade: search, recheck: 100ms, max_degraded: 2s}, {stop: {exit_code: 42}}]}]",
     "", lambda engine: None, 42,
     ["shop ended (exit 42)", "", "  file:late (startup.yaml:3) [ORC441]", "    ROOT/late does not exist", "    needed: search needs it",
      "    tried:  degrade: going on without search", "    hint:   HINT", "", "  degraded: search", "  more: orchestrator explain ORC441"]),
], ids=["crash", "killed", "restarts spent", "not well", "off for too long"])  # fmt: skip
def test_it_says_what_failed_what_was_tried_and_what_to_do(engine, text, launch, breaks, code, lines):
    engine.write("main.py", BREAKABLE)
    engine.spec(text, launch=LAUNCH % launch).start().serving()
    breaks(engine)
    assert engine.wait(40) == code
    shown = [line.replace(str(engine.root), "ROOT") for line in last_screen(engine)]
    assert [
        "    hint:   HINT" if "hint:   HINT" in wanted and "hint: " in line else line
        for line, wanted in zip(shown, lines, strict=True)
    ] == lines
    assert f"exit code {code}: " in json.loads((engine.state / "state.json").read_text())["reason"]


def test_the_last_line_of_a_log_of_json_lines_has_it_all(engine):
    engine.write("main.py", BREAKABLE)
    engine.spec().start("--log-format", "json").serving()
    crash(engine)
    assert engine.wait() == 9
    record = json.loads(engine.stderr.splitlines()[-1])
    assert (record["event"], record["exit_code"]) == ("last_words", 9)
    assert record["cause"] == "launch (startup.yaml:4): the server ended with 9"
    assert [each["code"] for each in record["failures"]] == ["ORC704"]
    assert engine.events()[-1]["event"] == "last_words"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_who_asks_for_the_end_is_told_nothing_of_failures(engine, number):
    engine.spec().start().serving()
    assert engine.stop(number) == 0
    assert last_screen(engine) == []
