"""From events to lines: what is open, for how long, and what of it fits."""

import pytest

from orchestrator.cli import progress
from orchestrator.diagnostics.printable import cells, cut
from orchestrator.engine import events
from orchestrator.engine.events import Event

PLAIN = progress.Look(color=False, encoding="utf-8")


class Told:
    """A start that tells what the test says, at the seconds that it says."""

    def __init__(self):
        self.progress = progress.Progress()

    def begun(self, at, item, doing="waiting", deadline=60.0, message="", spent=0.0):
        return self.tell(at, events.BEGUN, item, message, doing=doing, deadline=deadline, spent=spent)

    def failed(self, at, item, attempt, message):
        return self.tell(at, events.WAITING, item, message, attempt=attempt, reason="refused")

    def tell(self, at, name, item="", message="", **data):
        self.progress(Event(name, at * 1000, item=item, message=message, data=data))
        return self

    def lines(self, now, columns=79, rows=20, look=PLAIN):
        return progress.lines(self.progress.shown(now), now, columns, rows, look)


def test_a_wait_says_how_long_of_how_much_how_often_and_why():
    told = Told().begun(1, "wait:db").failed(1.1, "wait:db", 1, "refused").failed(9, "wait:db", 9, "refused")
    assert told.lines(13) == ["  waiting   wait:db                      12 s of 60 s, 9 attempts: refused"]


def test_what_is_settled_at_once_gets_no_line():
    told = Told().begun(1, "wait:db")
    assert told.lines(1.1) == []
    assert told.tell(1.15, events.ITEM, "wait:db", "well", status="ok").lines(5) == []
    assert told.progress.idle


def test_one_module_is_imported_at_a_time_and_in_the_end_none():
    told = Told().tell(0, events.IMPORTING, "module:a", deadline=60.0)
    assert told.tell(1, events.IMPORTING, "module:b", deadline=None).lines(2.25, rows=8) == [
        "  importing module:b                     1.2 s"
    ]
    assert told.tell(3, events.IMPORTING, deadline=None).lines(9) == []
    assert told.progress.idle


def test_while_others_may_write_to_the_terminal_lines_are_left_free_for_them():
    told = Told().tell(0, events.IMPORTING, "module:a", deadline=None)
    assert told.lines(2, rows=20)[:2] == ["", ""]
    assert len(told.lines(2, rows=8)) == 1, "a low terminal has no room to leave"


def test_the_server_gets_its_line_late():
    told = Told().begun(0, "launch", "starting")
    assert told.lines(1.5) == []
    assert told.lines(2.5)[-1].startswith("  starting  launch")


def test_a_step_that_is_tried_again_is_waiting_and_then_running_for_all_its_time():
    told = Told().begun(0, "step:migrate", "running", deadline=30.0)
    told.failed(1, "step:migrate", 1, "exited with 1")
    assert told.lines(1.5) == ["  waiting   step:migrate                 1.5 s of 30 s: exited with 1"]
    told.begun(2, "step:migrate", "running", deadline=30.0, spent=2.0)
    assert told.lines(2)[0].startswith("  running   step:migrate                 2 s of 30 s")


def test_what_a_remedy_does_is_no_reason_of_the_attempt_after_it():
    told = Told().begun(0, "wait:db", "mending", message="`make` runs")
    assert "`make` runs" in told.lines(1)[0]
    assert "make" not in told.begun(2, "wait:db").lines(3)[0]


def test_what_is_waited_for_again_and_again_keeps_its_line_its_reason_and_its_time():
    told = (
        Told()
        .begun(60, "wait:db")
        .begun(63, "wait:db", deadline=None, message="refused")
        .begun(70, "wait:db")
    )
    assert told.lines(72) == ["  waiting   wait:db                      12 s: refused"]


def test_the_end_leaves_nothing():
    told = Told().begun(0, "wait:db").tell(0, events.IMPORTING, "module:a", deadline=None)
    assert told.tell(1, events.FINISHED, exit_code=3).lines(9) == []


def test_more_than_eight_are_counted():
    told = Told()
    for number in range(12):
        told.begun(0, f"wait:w{number}")
    lines = told.lines(1)
    assert len(lines) == progress.MOST
    assert lines[-1] == "  and 5 more"
    assert [line.split()[1] for line in told.lines(1, rows=3)[:2]] == ["wait:w0", "wait:w1"]
    assert told.lines(1, rows=3)[2] == "  and 10 more"
    assert told.lines(1, rows=0) == []


@pytest.mark.parametrize("columns", [19, 20, 39, 40, 59, 79, 200])
@pytest.mark.parametrize(
    "reason", ["refused " * 30, "データベースに接続できません" * 9, "e\u0301" * 200, "👩‍👩‍👧" * 40]
)
def test_no_line_is_wider_than_the_terminal(columns, reason):
    told = Told().begun(0, "wait:db").failed(1, "wait:db", 2, reason)
    (line,) = told.lines(3, columns)
    assert cells(line) <= columns
    assert cells(line) >= min(columns - 1, 40), "and it uses what there is"
    assert "wait:db 3 s" in " ".join(line.split()) or columns < 20


def test_a_narrow_terminal_shows_the_id_and_the_time():
    told = Told().begun(0, "wait:db").failed(1, "wait:db", 2, "refused")
    assert told.lines(12, 19) == ["wait:db 12 s of 60…"]
    assert told.lines(12, 45) == ["  waiting   wait:db 12 s of 60 s, 2 attempts…"]


def test_control_characters_move_nothing():
    told = Told().begun(0, "wait:db").failed(1, "wait:db", 2, "\x1b[2Jgone\rforged\x07\u202e\nsecond line")
    (line,) = told.lines(3, 200)
    assert line.isprintable()
    assert line.endswith(r": \x1b[2Jgone\rforged\x07\u202e")


def test_what_the_terminal_cannot_write_is_escaped_before_it_is_measured():
    told = Told().begun(0, "wait:db").failed(1, "wait:db", 2, "база данных " * 20)
    (line,) = told.lines(3, 79, look=progress.Look(color=False, encoding="ascii"))
    assert line.isascii()
    assert len(line) == 79
    assert line.endswith("...")


def test_colour_takes_no_room():
    told = Told().begun(0, "wait:db").failed(1, "wait:db", 2, "refused " * 30)
    plain, coloured = (told.lines(3, 79, look=progress.Look(on, "utf-8"))[0] for on in (False, True))
    assert coloured.replace("\x1b[2m", "").replace("\x1b[0m", "") == plain
    assert coloured != plain


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (0.26, "0.2 s"), (1.99, "1.9 s"), (2, "2 s"), (12.7, "12 s"), (60, "60 s"), (119.9, "119 s"),
     (120, "2 min"), (125.4, "2 min 5 s"), (3600, "60 min")],
)  # fmt: skip
def test_times_are_for_people(seconds, said):
    assert progress.spoken(seconds) == said


@pytest.mark.parametrize(
    ("text", "room", "fits"),
    [("abc", 3, "abc"), ("abcd", 3, "ab…"), ("日本", 4, "日本"), ("日本語", 5, "日本…"), ("日本語", 4, "日…"), ("abc", 1, "…"),
     ("abc", 0, ""), ("e\u0301a", 2, "e\u0301a"), ("", 5, "")],
)  # fmt: skip
def test_half_a_wide_character_is_none(text, room, fits):
    assert cut(text, room) == fits
