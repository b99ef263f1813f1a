"""What was seen against what the spec says, and how it is shown."""

import pytest

from orchestrator.rehearsal.formats import as_junit, as_text
from orchestrator.rehearsal.observe import Seen
from orchestrator.rehearsal.prove import judge, of_root
from orchestrator.rehearsal.rows import Ending, Row
from orchestrator.spec.loading import load_text

WELL = Seen(outcome="ready")
DEGRADED = Row(
    "wait:db", "refused", Ending("degraded", None, ("orders",)), (("degrade", "going on without orders"),)
)
HEALED = Row("file:a", "missing", Ending("healed"), (("run", "supposed to help"),), (Ending("stopped", 3),))  # fmt: skip


@pytest.mark.parametrize(
    ("row", "seen", "base", "ending", "proved"),
    [
        (DEGRADED, Seen(outcome="degraded", degraded=["orders"]), WELL, Ending("degraded", None, ("orders",)), True),
        (DEGRADED, Seen(outcome="degraded", degraded=["orders", "mail"]), Seen(degraded=["mail"]),
         Ending("degraded", None, ("orders",)), True),
        (DEGRADED, Seen(outcome="degraded", degraded=["orders", "mail"]), WELL, Ending("degraded", None, ("orders", "mail")), False),
        (DEGRADED, Seen(outcome="stopped", exit_code=75), WELL, Ending("stopped", 75), False),
        (DEGRADED, Seen(outcome="maintenance"), WELL, Ending("maintenance"), False),
        (HEALED, Seen(outcome="ready", status="healed"), WELL, Ending("healed"), True),
        (HEALED, Seen(outcome="stopped", exit_code=3), WELL, Ending("stopped", 3), True),
        (HEALED, Seen(outcome="stopped", exit_code=5), WELL, Ending("stopped", 5), False),
        (HEALED, Seen(outcome="ready", status="warned"), WELL, Ending("ready"), False),
    ],
)  # fmt: skip
def test_a_row_is_proved_when_the_spec_may_lead_to_what_was_seen(row, seen, base, ending, proved):
    judged = judge(row, seen, base)
    assert (judged.ending, judged.proved) == (ending, proved)


def test_what_is_not_as_written_says_what_it_should_be_and_why():
    seen = Seen(outcome="stopped", exit_code=5, failed=[("launch", "cannot import the app")])
    text = as_text("shop", [judge(DEGRADED, seen, WELL)], proving=True)
    assert "WRONG   wait:db  refused  stopped  5     -" in text
    assert "by the spec it should lead to `degraded (orders)`" in text
    assert "launch: cannot import the app" in text


def test_what_is_to_be_said_of_all_rows_is_said_once():
    rows = [DEGRADED.unproved("no private place"), HEALED.unproved("no private place")]
    assert as_text("shop", rows, proving=True).count("not proved: no private place") == 1


def test_what_is_not_proved_is_skipped_for_junit():
    junit = as_junit("shop", [DEGRADED.unproved("no private place"), judge(HEALED, Seen(outcome="ready", status="healed"), WELL)], {})  # fmt: skip
    assert 'tests="2" failures="0" errors="0" skipped="1"' in junit
    assert '<skipped message="not proved: no private place" />' in junit


def test_facts_survive_the_way_between_processes():
    seen = Seen(
        outcome="stopped", exit_code=3, failed=[("a", "b")], fallbacks=[{"action": "x", "result": "y"}]
    )
    assert Seen.of(seen.text()).exit_code == 3
    assert Seen.of(seen.text()).fallbacks == seen.fallbacks


AS_APP = """
version: 1
service: shop
user: app
directories: [data]
files: [settings.json, {path: key.pem, group: web}]
wait_for: [{name: mount, command: [mountpoint, /data], user: root}, {name: db, tcp: "db:5432"}]
steps: [{name: trust, user: root, run: [trust]}, {name: migrate, user: app, run: [migrate]}]
launch: {app: "shop:app", port: 443}
"""


@pytest.mark.parametrize(("text", "expected"), [
    (AS_APP, {"directory:data", "file:key.pem", "wait:mount", "step:trust", "port"}),
    (AS_APP.replace("443", "8000"), {"directory:data", "file:key.pem", "wait:mount", "step:trust"}),
    (AS_APP.replace("user: app\ndir", "dir"), set()),
])  # fmt: skip
def test_what_root_does_is_not_proved(text, expected):
    assert of_root(load_text(text).spec) == expected
