"""Scripted histories of events, without a process."""

import pytest

from orchestrator.core.verdict import blame, exit_code
from orchestrator.engine import events
from orchestrator.engine.report import Report


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def told():
    clock, report = Clock(), Report()
    stream = events.Stream(clock)
    stream.listeners.append(report)

    def tell(name, message="", *, after=0.0, **data):
        clock.now += after
        stream.emit(name, message, **data)

    return stream, tell, report


def item(tell, name, status, **data):
    tell(events.ITEM, f"{name} is {status}", item=name, status=status, **data)


@pytest.mark.parametrize(("failures", "code"), [
    ([], 0),
    ([("wait", "refused")], 75),
    ([("wait", "dns"), ("wait", "timeout"), ("wait", "unreachable")], 75),
    ([("check", "timeout")], 75),
    ([("wait", "auth")], 3),
    ([("wait", "tls")], 3),
    ([("wait", "protocol")], 3),
    ([("port", "in_use")], 3),
    ([("package", "missing")], 3),
    ([("module", "missing")], 3),
    ([("step", "exit")], 3),
    ([("step", "timeout")], 3),
    ([("module", "timeout")], 3),
    ([("variable", "missing")], 3),
    ([("wait", "refused"), ("package", "missing")], 3),
    ([("launch", "exception")], 5),
    ([("health", "timeout")], 5),
    ([("health", "unexpected"), ("launch", "boot")], 5),
    ([("launch", "exception"), ("wait", "refused")], 75),
    ([("launch", "exception"), ("package", "missing")], 3),
])  # fmt: skip
def test_the_exit_code_of_what_failed(failures, code):
    assert exit_code(failures) == code


@pytest.mark.parametrize(
    ("kind", "reason", "final", "code"),
    [
        ("wait", "unexpected", False, 75), ("wait", "protocol", False, 75), ("wait", "auth", True, 3),
        ("wait", "unexpected", True, 3), ("check", "exit", False, 3), ("step", "unexpected", False, 3),
    ],
)  # fmt: skip
def test_a_wait_whose_time_is_up_is_late_whatever_it_heard_last(kind, reason, final, code):
    assert exit_code([blame(kind, reason, final=final)]) == code


def test_a_report_is_the_sum_of_what_was_told(told):
    _, tell, report = told
    tell(events.STARTED, service="shop", environment="production", role="web")
    tell(events.PHASE, phase="requirements", after=0.1)
    tell(events.PHASE, phase="waits", after=0.2)
    item(tell, "wait:db", "ok", attempts=3, start_ms=300.0, duration_ms=50.0, after=0.05)
    tell(events.SERVICE, status="ready", after=0.1)
    tell(events.FINISHED, exit_code=None, after=0.05)
    record = report.record()
    assert (record["service"], record["environment"], record["role"]) == ("shop", "production", "web")
    assert (record["status"], record["exit_code"]) == ("ready", None)
    assert [(each["name"], each["start_ms"], each["duration_ms"]) for each in record["phases"]] == [
        ("requirements", 100.0, 200.0), ("waits", 300.0, 200.0)]  # fmt: skip
    assert record["items"][0]["attempts"] == 3
    assert record["duration_ms"] == 500.0


def test_a_feature_is_degraded_once_and_in_the_order_it_was_lost(told):
    _, tell, report = told
    for name, feature in (("module:a", "search"), ("module:b", "chat"), ("module:c", "search")):
        item(tell, name, "degraded", feature=feature)
    assert report.degraded == ["search", "chat"]


def test_an_item_that_was_told_again_is_as_it_was_told_last(told):
    _, tell, report = told
    item(tell, "file:flag", "failed", hint="make it", code="ORC441")
    assert [each["id"] for each in report.failed] == ["file:flag"]
    item(tell, "file:flag", "healed")
    assert report.failed == []
    assert report.record()["items"][0]["hint"] == ""


def test_a_remedy_that_did_not_help_is_one_entry(told):
    _, tell, report = told
    tell(events.FALLBACK, "`fix` succeeded", item="file:x", action="run", again=True)
    tell(events.FALLBACK, "did not help: x is not there", item="file:x", action="run", helped=False)
    tell(events.FALLBACK, "going on", item="file:x", action="warn")
    item(tell, "file:x", "warned")
    assert report.items["file:x"]["fallbacks"] == [
        {"action": "run", "result": "`fix` succeeded, but it did not help"}, {"action": "warn", "result": "going on"}]  # fmt: skip


def test_what_was_still_waited_for_is_known_at_the_end(told):
    _, tell, report = told
    tell(events.WAITING, "refused", item="wait:db", attempt=1)
    tell(events.WAITING, "refused", item="wait:cache", attempt=1)
    item(tell, "wait:cache", "ok")
    assert report.waiting == {"wait:db": "refused"}


def test_secrets_are_masked_in_every_event_in_all_their_spellings(told):
    stream, tell, report = told
    stream.secrets.add(["pa/ss word", "postgresql://u:hid%2Fden@db/x"])
    item(tell, "wait:db", "failed", hint="pa/ss word or pa%2Fss%20word", details="hid%2Fden and hid/den")
    text = str(report.record())
    for secret in ("pa/ss word", "pa%2Fss%20word", "hid%2Fden", "hid/den"):
        assert secret not in text


def test_a_feature_is_told_with_the_item_it_is_off_for_until_that_holds(told):
    _, tell, report = told
    item(tell, "wait:a", "degraded", feature="search", recheck=30.0)
    (found,) = report.features.values()
    assert found == {"name": "search", "item": "wait:a", "summary": found["summary"], "since": found["since"], "recheck": 30.0}  # fmt: skip
    item(tell, "wait:a", "healed", feature="search")
    assert report.features == {}
