"""`rehearse` without effects: what each failure leads to by what is written, and what is pinned."""

import json
import os
from pathlib import Path

import jsonschema
import pytest

GOLDEN = Path(__file__).parents[1] / "cases" / "rehearsals"

SPEC = """
variables:
  PORT: {type: port, default: 8000}
  API_KEY: {required: true, on_failure: {degrade: billing}}
python: ">=3.11"
packages:
  - requirement: orjson>=3
    on_failure: [{install: {from: wheels}}, warn]
modules:
  - {module: shop.search, on_failure: without-search}
directories:
  - {path: state, on_failure: [{use: {path: /tmp/state, export: STATE_DIR}}, {degrade: persistence}]}
files:
  - {path: settings.toml, format: toml}
host: {memory: '>=64MB'}
wait_for:
  - {name: db, postgres: 'postgresql://db/shop', on_failure: [{serve: maintenance, for: 10m}, {stop: {exit_code: 9}}]}
  - {name: worker, tcp: 'worker:1', when: {environment: production}}
checks: [{name: ledger, run: [ledger, check], on_failure: warn}]
steps: [{name: migrate, run: [migrate], deadline: 60s}]
launch: {app: shop.main:app, port: '${PORT}', restart: {policy: on-failure}}
health: {ready: /ready, on_failure: [{restart: {times: 2}}, {serve: maintenance}]}
fallbacks:
  without-search: [{degrade: search, recheck: 30s, max_degraded: 15m}]
"""


def rows(done):
    return json.loads(done.stdout)["rehearsals"]


def row(done, name, reason):
    return next(each for each in rows(done) if (each["break"], each["reason"]) == (name, reason))


@pytest.mark.parametrize("form", ["text", "json", "junit"])
def test_the_whole_is_printed_as_people_and_machines_read_it(orchestrator, form):
    orchestrator.spec(SPEC)
    done = orchestrator("rehearse", "--format", form)
    assert done.returncode == 0, done.stderr
    golden = GOLDEN / f"whole.{form}"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(done.stdout)
    assert done.stdout == golden.read_text()


def test_what_fails_for_lateness_alone_ends_with_75_and_what_is_wrong_with_3(orchestrator):
    orchestrator.spec("wait_for: [{name: db, redis: 'redis://db'}]\n")
    done = orchestrator("rehearse", "--format", "json")
    assert {each["reason"]: each["exit_code"] for each in rows(done) if each["break"] == "wait:db"} == {
        "refused": 75, "timeout": 75, "dropped": 75, "protocol": 3,
    }  # fmt: skip


def test_the_json_keeps_its_schema(orchestrator):
    schema = json.loads((Path(__file__).parents[2] / "schema" / "rehearsal.schema.json").read_text())
    orchestrator.spec(SPEC)
    found = json.loads(orchestrator("rehearse", "--format", "json").stdout)
    jsonschema.Draft202012Validator(schema).validate(found)


def test_a_variable_is_missing_only_where_it_is_required(orchestrator):
    orchestrator.spec("variables:\n  A: {required_when: {environment: production}}\n")
    assert rows(orchestrator("rehearse", "--format", "json")) == []
    orchestrator.write("startup.production.yaml", "x-nothing: 1\n")
    done = orchestrator("--env", "production", "rehearse", "--format", "json")
    assert [each["reason"] for each in rows(done)] == ["missing"]


def test_break_takes_one_item_by_its_id_or_its_name(orchestrator):
    orchestrator.spec(SPEC)
    by_id = orchestrator("rehearse", "--break", "wait:db", "--format", "json")
    by_name = orchestrator("rehearse", "--break", "db", "--format", "json")
    assert {each["break"] for each in rows(by_id)} == {"wait:db"}
    assert by_id.stdout == by_name.stdout


def test_break_of_what_is_not_there_names_what_there_is(orchestrator):
    orchestrator.spec(SPEC)
    done = orchestrator("rehearse", "--break", "wait:cache")
    assert done.returncode == 2
    assert "wait:db" in done.stderr


def test_a_remedy_is_supposed_to_help_and_the_text_says_what_follows_if_not(orchestrator):
    orchestrator.spec(SPEC)
    found = row(orchestrator("rehearse", "--format", "json"), "directory:state", "unwritable")
    assert (found["outcome"], found["proved"]) == ("healed", None)
    assert found["fallbacks"] == [
        {"action": "use", "result": "supposed to help; if it does not: degraded (persistence) after degrade"}
    ]


def test_a_condition_that_does_not_hold_is_no_failure(orchestrator):
    orchestrator.spec(SPEC)
    found = [
        each for each in rows(orchestrator("rehearse", "--format", "json")) if each["break"] == "wait:worker"
    ]
    assert [each["reason"] for each in found] == ["skipped"]
    assert "environment" in found[0]["note"]


@pytest.mark.parametrize(("launch", "code"), [
    ("{app: 'main:app', port: '${IT}'}", 3), ("{app: 'main:app', port: 8000, options: {log_level: '${IT}'}}", 3),
    ("{command: [serve, '${IT}']}", 5),
])  # fmt: skip
def test_a_variable_that_is_let_go_takes_the_port_or_the_launch_that_is_written_with_it(
    orchestrator, launch, code
):
    orchestrator.spec(f"variables: {{IT: {{required: true, on_failure: warn}}}}\nlaunch: {launch}\n")
    found = row(orchestrator("rehearse", "--format", "json"), "variable:IT", "missing")
    assert (found["outcome"], found["exit_code"]) == ("stopped", code)
    assert orchestrator("run").returncode == code, "and that is what really follows"


def test_a_role_without_a_launch_ends_with_0(orchestrator):
    orchestrator.spec(
        "launch: {app: 'main:app'}\nroles:\n  migrate:\n    launch: !remove\n    steps: [{name: it, run: [it], on_failure: warn}]\n"
    )
    found = row(orchestrator("rehearse", "migrate", "--format", "json"), "step:it", "exit")
    assert (found["outcome"], found["exit_code"]) == ("ready", 0)


def test_another_port_of_the_launch_is_for_a_port_that_is_taken(orchestrator):
    orchestrator.spec(
        "launch: {app: 'main:app', port: 8000, on_failure: [{use: {port: 8001}}, {use: {app: 'b:app'}}]}\n"
    )
    found = row(orchestrator("rehearse", "--format", "json"), "port", "in_use")
    assert [each["action"] for each in found["fallbacks"]] == ["use"]
    assert found["outcome"] == "healed"


def test_a_command_that_nobody_asks_has_no_time_before_it_serves(orchestrator):
    def reasons(more):
        orchestrator.spec(f"launch: {{command: [sleep, '9']}}\n{more}")
        found = rows(orchestrator("rehearse", "--break", "launch", "--format", "json"))
        return [each["reason"] for each in found]

    assert reasons("") == ["ended"]
    assert reasons("health: {live: {command: ['true']}}\n") == ["boot", "ended"]


def test_a_pin_that_holds_is_no_finding(orchestrator):
    orchestrator.spec(
        SPEC + 'rehearsal: {"wait:db": maintenance, "module:shop.search": degraded, launch: stopped}\n'
    )
    done = orchestrator("rehearse", "--break", "wait:db", "--break", "module:shop.search")
    assert done.returncode == 0, done.stderr


def test_a_pin_may_foresee_that_a_remedy_does_not_help(orchestrator):
    orchestrator.spec(SPEC + 'rehearsal: {"directory:state": degraded}\n')
    done = orchestrator("rehearse", "--break", "directory:state")
    assert done.returncode == 0, done.stderr


def test_a_pin_that_does_not_hold_ends_with_4_and_the_place_of_the_pin(orchestrator):
    text = SPEC + 'rehearsal:\n  "wait:db": degraded\n'
    orchestrator.spec(text)
    done = orchestrator("rehearse", "--break", "wait:db")
    line = ("version: 1\nservice: shop\n" + text).splitlines().index('  "wait:db": degraded') + 1
    assert done.returncode == 4
    assert f"startup.yaml:{line}:" in done.stderr
    assert "error[ORC804]: `wait:db` is pinned as `degraded`" in done.stderr
    junit = orchestrator("rehearse", "--break", "wait:db", "--format", "junit")
    assert junit.stdout.count('<failure type="ORC804"') == 4
    assert junit.returncode == 4


def test_a_pin_for_what_is_not_there_is_an_error_of_validate(orchestrator):
    orchestrator.spec("rehearsal: {'wait:db': maintenance}\n")
    done = orchestrator("validate")
    assert done.returncode == 78
    assert "error[ORC201]: there is no item `wait:db`" in done.stderr


def test_nothing_is_touched(orchestrator):
    orchestrator.spec(SPEC)
    before = sorted(path.name for path in orchestrator.root.iterdir())
    orchestrator("rehearse", "--all")
    assert sorted(path.name for path in orchestrator.root.iterdir()) == before
