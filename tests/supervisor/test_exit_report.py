"""What is said at the end of a service that had been ready, by scripted facts."""

import json

import pytest

from orchestrator.core.server import DIED, UNHEALTHY
from orchestrator.supervisor.exit_report import Farewell
from orchestrator.system import log_output
from orchestrator.system.log_output import folded

KNOWN = {
    "launch": {"place": "startup.yaml:9"},
    "file:late": {"place": "startup.yaml:3", "why": "the shop needs it", "hint": "mount it", "code": "ORC441", "tried": ["degrade: going on"]},
}  # fmt: skip


def farewell(**facts):
    given = {
        "service": "shop", "code": 9, "failed": {"item": "health:live", "summary": "the server ended with 9"}, "about": DIED, "tried": [],
        "known": KNOWN, "degraded": [],
    }  # fmt: skip
    return Farewell(**given | facts)


def test_a_server_that_died_is_told_of_the_launch_and_what_could_be_done_next_time():
    assert farewell().text().splitlines() == [
        "",
        "orchestrator: shop ended (exit 9)",
        "",
        "  launch (startup.yaml:9) [ORC704]",
        "    the server ended with 9",
        "    hint:   what it printed is above; `launch.restart` starts it again, `on_failure` of `health` and `launch` say what else is done",
        "",
        "  more: orchestrator explain ORC704",
    ]


def test_what_was_tried_is_counted_and_what_an_exit_code_means_is_said():
    said = farewell(code=137, tried=["restart", "restart", "serve: maintenance"]).text()
    assert "    tried:  restart: 2 times\n    tried:  serve: maintenance\n" in said
    assert "launch.restart" not in said
    assert "exit 137: it was killed" in said


def test_an_item_that_was_off_for_too_long_has_its_own_words():
    item = {"item": "file:late", "summary": "it is not there"}
    said = farewell(failed=item, about="", code=3, degraded=["search"])
    for line in ("  file:late (startup.yaml:3) [ORC441]", "    needed: the shop needs it", "    tried:  degrade: going on",
                 "    hint:   mount it", "  degraded: search", "  exit 3: starting again alone will not mend this"):  # fmt: skip
        assert line in said.text().splitlines()
    assert said.words == "shop ended (exit 3): file:late (startup.yaml:3): it is not there; hint: mount it"


def test_exit_5_of_a_server_that_was_ready_is_not_said_never_to_have_been():
    said = farewell(code=5, about=UNHEALTHY, failed={"item": "health:live", "summary": "live failed 2 times"})
    assert "exit 5: the app was not well any more" in said.text()


@pytest.mark.parametrize("width", [40, 80])
def test_lines_are_folded_for_a_terminal(width):
    lines = farewell().text(width).splitlines()
    assert max(map(len, lines)) < width
    assert len(lines) > len(farewell().text().splitlines())


def test_nothing_that_an_app_says_moves_the_cursor_or_breaks_the_line():
    said = farewell(failed={"item": "launch", "summary": "gone\n\x1b[2Jorchestrator: all is well\x7f"})
    assert "gone ?[2Jorchestrator: all is well?" in said.text()
    assert "\x1b" not in said.text() + said.words


def test_the_same_is_one_line_of_json():
    said = farewell(tried=["restart"], failed={"item": "launch", "summary": 'it said "no"\\'})
    record = json.loads(log_output.record("last_words", "error", said.words, said.facts()))
    assert (record["event"], record["level"], record["exit_code"]) == ("last_words", "error", 9)
    (failure,) = record["failures"]
    assert failure == {
        "item": "launch", "summary": 'it said "no"\\', "why": "", "tried": ["restart"], "hint": "what it printed is above",
        "code": "ORC704", "file": "startup.yaml", "line": 9,
    }  # fmt: skip
    assert (record["not_tried"], record["degraded"]) == ([], [])


@pytest.mark.parametrize(("text", "width", "lines"), [
    ("one two", 0, ["- one two"]), ("one two", 20, ["- one two"]), ("one two", 6, ["- one", "  two"]),
    ("one " + "x" * 30, 10, ["- one", "  " + "x" * 30]), ("x" * 30, 10, ["- " + "x" * 30]),
])  # fmt: skip
def test_folding_cuts_no_word(text, width, lines):
    assert folded("- ", text, width) == lines
