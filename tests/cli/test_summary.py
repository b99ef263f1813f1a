"""The last words of scripted starts."""

import pytest

from orchestrator.cli import summary
from orchestrator.engine import events
from orchestrator.engine.report import Report


@pytest.fixture
def told():
    report = Report()
    stream = events.Stream(lambda: 0.0)
    stream.listeners.append(report)
    stream.emit(events.STARTED, service="shop", environment="", role="")

    def fail(item, summary, status="failed", **data):
        stream.emit(events.ITEM, summary, item=item, status=status, file="startup.yaml", line=7, **data)

    return report, stream, fail


def test_the_platform_hears_of_every_failure_in_a_line_each(told):
    report, _, fail = told
    fail("wait:db", "refused", hint="start it")
    fail("package:orjson", "not installed", hint="pip install orjson")
    fail("step:migrate", "not tried", status="blocked")
    said = summary.last_words("shop did not start (exit 3): wait:db: refused", report)
    assert said.splitlines() == [
        "shop did not start (exit 3): wait:db: refused",
        "package:orjson (startup.yaml:7): not installed; hint: pip install orjson",
    ]


def test_the_platform_keeps_the_beginning_and_hears_how_much_was_left_out(told):
    report, _, fail = told
    for number in range(100):
        fail(f"file:{number}", "ä" * 40)
    said = summary.last_words("shop did not start", report)
    assert len(said.encode()) <= 4096
    lines = said.splitlines()
    assert lines[0] == "shop did not start"
    assert lines[-1] == f"and {99 - (len(lines) - 2)} more"


def test_attempts_are_told_where_the_actions_do_not_explain_them(told):
    report, stream, fail = told
    stream.emit(events.FALLBACK, "it ran", item="wait:db", action="run")
    fail("wait:db", "refused", attempts=9, duration_ms=3000.0)
    stream.emit(events.FALLBACK, "it ran", item="file:a", action="run")
    fail("file:a", "missing", attempts=2)
    fail("module:shop", "missing", attempts=3, duration_ms=40.0)
    assert [summary.tried(each) for each in report.failed] == [
        ["9 times in 3.0 s", "run: it ran"],
        ["run: it ran"],
        [],
    ]


def test_what_was_tried_again_and_again_is_told_once(told):
    report, stream, fail = told
    for _ in range(3):
        stream.emit(events.FALLBACK, "serving maintenance instead", item="wait:db", action="serve")
    stream.emit(events.FALLBACK, "it ran", item="wait:db", action="run")
    fail("wait:db", "refused")
    assert summary.tried(report.failed[0]) == ["serve: serving maintenance instead (3 times)", "run: it ran"]


def test_an_interrupted_start_names_what_it_was_at(told):
    report, stream, fail = told
    stream.begun("wait:db", "waiting", 60.0)
    stream.emit(events.WAITING, "refused", item="wait:db", attempt=3)
    stream.begun("step:migrate", "asking", None)
    stream.begun("step:migrate", "running", None)
    stream.emit(events.IMPORTING, item="module:shop", deadline=None)
    stream.emit(events.IMPORTING, item="launch", deadline=None)
    stream.begun("check:ledger", "checking", None)
    fail("check:ledger", "it holds", status="ok")
    stream.emit(events.FINISHED, "stopped by SIGTERM before it was ready", exit_code=143)
    assert summary.screen(report, 143).splitlines() == [
        "",
        "orchestrator: shop stopped by SIGTERM before it was ready (exit 143)",
        "  wait:db was not ready yet: refused",
        "  step:migrate was still running after 0.0 s",
        "  launch was still importing after 0.0 s",
    ]
    items = {
        each["id"]: (each["status"], each["summary"], each["attempts"]) for each in report.record()["items"]
    }
    assert items == {
        "check:ledger": ("ok", "it holds", 1), "wait:db": ("waiting", "refused", 3),
        "step:migrate": ("waiting", "still running", 1), "launch": ("waiting", "still importing", 1),
    }  # fmt: skip


def test_a_long_cause_is_folded_below_itself_and_words_stay_whole(told):
    report, _, fail = told
    fail("wait:db", "the server " + "answered " * 12 + "x" * 60, hint="look " * 20)
    screen = summary.screen(report, 75, width=60)
    body = [line for line in screen.splitlines() if "answered" in line or "look" in line]
    assert len(body) > 3
    assert all(line.startswith("    ") for line in body)
    assert "x" * 60 in screen
    assert summary.screen(report, 75).count("\n") < screen.count("\n")


@pytest.mark.parametrize(("lines", "shown"), [(1, 1), (13, 13), (14, 13), (100, 13)])
def test_of_long_details_the_end_is_shown_and_what_is_left_out_is_counted(told, lines, shown):
    report, _, fail = told
    fail("step:a", "ended with 1", details="\n".join(f"line {number}" for number in range(lines)))
    found = [line for line in summary.screen(report, 3).splitlines() if line.startswith("    | ")]
    assert found[-1] == f"    | line {lines - 1}"
    if lines > shown:
        assert found[0] == f"    | … {lines - len(found) + 1} lines before these"
        assert len(found) == 12
    else:
        assert len(found) == lines


def test_features_that_are_off_stand_beside_what_failed(told):
    report, _, fail = told
    fail("module:chat", "missing", status="degraded", feature="chat")
    fail("check:ledger", "out of balance")
    assert "  degraded: chat (module:chat)" in summary.screen(report, 3).splitlines()
    assert summary.record(report, 3)["degraded"] == ["chat"]
