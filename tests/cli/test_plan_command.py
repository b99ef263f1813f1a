import json
import os
from pathlib import Path

import pytest

from orchestrator.cli import main

CASES = Path(__file__).parents[1] / "cases" / "plans"

SPEC = """
packages: [uvicorn]
directories: [logs]
modules: [app.search]
wait_for:
  - {name: db, tcp: 'db:5432', deadline: 30s}
  - {name: cache, tcp: 'cache:6379', deadline: 10s}
checks: [{name: ledger, run: [ledger, check], needs: [db], timeout: 5s}]
steps:
  - {name: migrate, run: [alembic, upgrade, head], deadline: 60s, grace: 2s}
  - {name: seed, run: [seed], deadline: 20s, on_failure: [{run: [unlock], deadline: 5s}, warn]}
launch: {app: app.main:app}
health: {live: /live, ready: /ready, deadline: 40s}
"""


AS_ROOT = """
user: app
directories: [logs]
packages: [uvicorn]
files: [{path: key.pem, owner: app}]
wait_for:
  - {name: db, tcp: 'db:5432', deadline: 30s}
steps:
  - {name: trust, user: root, run: [update-ca-certificates], deadline: 10s, grace: 1s}
  - {name: migrate, run: [alembic, upgrade, head], deadline: 60s, grace: 2s}
modules: [app.search]
launch: {app: app.main:app}
"""


@pytest.mark.parametrize("form", ["text", "json", "mermaid"])
@pytest.mark.parametrize(("name", "spec"), [("whole", SPEC), ("as-root", AS_ROOT)])
def test_the_plan_is_printed_as_people_and_machines_read_it(orchestrator, name, spec, form):
    orchestrator.spec(spec)
    done = orchestrator("plan", "--format", form)
    assert done.returncode == 0, done.stderr
    golden = CASES / f"{name}.{form}"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(done.stdout)
    assert done.stdout == golden.read_text()


@pytest.mark.parametrize(("spec", "expected"), [
    ("user: app\npackages: [a]\n", "given up before anything is done; the rest runs as app"),
    ("user: {name: app, uid: 900}\ndirectories: [a]\n", "given up after directory:a (at once); the rest runs as app"),
    ("user: '900:900'\nlaunch: {app: a:b, port: 80}\n", "given up after port (at once); the rest runs as 900"),
    ("user: app\nsteps: [{name: a, user: root, run: [a]}]\n", "given up after step:a (no limit); the rest runs as app"),
    ("user: app\nwait_for: [{name: a, command: [a], user: root, deadline: 9s}]\n", "given up after wait:a (at most 9 s); the rest runs as app"),
    ("user: app\nsteps: [{name: a, user: 'app:www', run: [a]}]\n", "given up before anything is done; the rest runs as app"),
    ("launch: {app: a:b, user: app}\nsteps: [{name: a, run: [a], deadline: 3s, grace: 0s}]\n", "given up after step:a (at most 3 s); the rest runs as app"),
    ("user: '${WHO}'\ndirectories: [a]\n", None),
    ("user: root\ndirectories: [a]\n", None),
])  # fmt: skip
def test_the_plan_tells_how_long_the_engine_is_root(orchestrator, spec, expected):
    orchestrator.spec(spec)
    found = [each for each in orchestrator("plan").stdout.splitlines() if each.startswith("rights of root")]
    assert found == ([f"rights of root: {expected}"] if expected else [])


def test_what_is_not_roots_begins_when_its_rights_are_given_up(orchestrator):
    orchestrator.spec(AS_ROOT)
    plan = json.loads(orchestrator("plan", "--format", "json").stdout)
    begin = {each["id"]: each["start_s"] for each in plan["items"]}
    assert plan["rights"]["given_up_s"] == begin["module:app.search"] == begin["step:migrate"] == 30 + 11
    assert begin["wait:db"] == 0


def test_the_worst_case_is_the_longest_chain(orchestrator):
    orchestrator.spec(SPEC)
    plan = json.loads(orchestrator("plan", "--format", "json").stdout)
    # db 30, ledger 5, migrate 62, seed 28 + 5 + 28, health 40
    assert plan["worst_case_s"] == 30 + 5 + 62 + 61 + 40
    assert plan["critical_path"][:4] == ["wait:db", "check:ledger", "step:migrate", "step:seed"]
    assert plan["unbounded"] == []


def test_a_step_without_a_deadline_has_no_worst_case(orchestrator):
    orchestrator.spec("steps: [{name: migrate, run: [migrate]}]\n")
    plan = json.loads(orchestrator("plan", "--format", "json").stdout)
    assert plan["worst_case_s"] is None
    assert plan["unbounded"] == ["step:migrate"]
    assert "no limit, because of step:migrate" in orchestrator("plan").stdout


WAITING = """
variables: {PATIENCE: {type: duration, default: 90s}}
defaults: {timeout: 3s}
"""


@pytest.mark.parametrize(("item", "worst"), [
    ("wait_for: [{name: a, tcp: 'a:1', deadline: '${PATIENCE}'}]", 90),
    ("wait_for: [{name: a, tcp: 'a:1', deadline: '${OTHER:-3m}'}]", 180),
    ("wait_for: [{name: a, tcp: 'a:1', retry: {times: 3, initial: 1s, factor: 2, jitter: none}}]", 3 * 3 + 1 + 2),
    ("wait_for: [{name: a, tcp: 'a:1', deadline: 5s, retry: {times: 30}}]", 5),
    ("wait_for: [{name: a, tcp: 'a:1', deadline: 0s}]", 0),
    ("checks: [{name: a, run: [a], timeout: 4s, retry: {times: 5}}]", 4),
    ("checks: [{name: a, run: [a], timeout: 4s, deadline: 9s}]", 9),
    ("directories: [{path: a, deadline: 7s}]", 7),
    ("steps: [{name: a, run: [a], timeout: 10s}]", 10 + 8),
    ("steps: [{name: a, run: [a], timeout: 10s, grace: 1s, retry: {times: 2, initial: 3s, jitter: none}}]", 11 + 3 + 11),
    ("steps: [{name: a, run: [a], timeout: 10s, deadline: 5s, grace: '${GRACE:-2s}'}]", 5 + 2),
    ("steps: [{name: a, run: [a], deadline: 5s, on_failure: [{run: [b], deadline: '${PATIENCE}'}]}]", 13 + 90 + 13),
])  # fmt: skip
def test_the_worst_case_knows_attempts_and_the_defaults_of_variables(
    tmp_path, monkeypatch, capsys, item, worst
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "startup.yaml").write_text(f"version: 1\nservice: shop\n{WAITING}{item}")
    assert main(["plan", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["worst_case_s"] == worst


def test_a_deadline_that_only_a_start_knows_is_no_bound(orchestrator):
    orchestrator.spec("wait_for: [{name: db, tcp: 'db:5432', deadline: '${DB_DEADLINE}'}]\n")
    assert (
        "because of wait:db: set a `deadline` that is known before the start" in orchestrator("plan").stdout
    )


CONDITIONS = """
wait_for:
  - {name: db, tcp: 'db:5432', deadline: 10s}
  - {name: queue, tcp: 'queue:5672', deadline: 20s, when: {role: worker}}
  - {name: mail, tcp: 'mail:25', deadline: 40s, when: {not: {any: [{environment: production}, {role: worker}]}}}
  - {name: sms, tcp: 'sms:1', deadline: 5s, when: {all: [{role: worker}, {exists: /sms}]}}
roles: {worker: {}, web: {}}
"""


@pytest.mark.parametrize(("words", "when", "worst"), [
    ([], ["", "skipped", "", "skipped"], 40),
    (["worker"], ["", "", "skipped", "maybe"], 20),
    (["web", "--env", "production"], ["", "skipped", "skipped", "skipped"], 10),
])  # fmt: skip
def test_what_role_and_environment_exclude_takes_no_time(orchestrator, words, when, worst):
    orchestrator.spec(CONDITIONS)
    orchestrator.write("startup.production.yaml", "x-nothing: 1\n")
    plan = json.loads(orchestrator("plan", *words, "--format", "json").stdout)
    assert [each["when"] for each in plan["items"]] == when
    assert plan["worst_case_s"] == worst
    said = orchestrator("plan", *words).stdout
    assert said.count("skipped: its `when` does not hold") == when.count("skipped")
    assert said.count("if its `when` holds") == when.count("maybe")


def test_a_plan_of_nothing_says_so(orchestrator):
    orchestrator.spec("")
    assert orchestrator("plan").stdout == "nothing is checked, waited for or launched\n"


def test_no_name_is_markup_or_moves_the_cursor(orchestrator):
    orchestrator.spec(r"""files: ["a\"<b>#c;&`", "\e[2J"]""" + "\n")
    assert 'n0["file:a#34;#60;b#62;#35;c;#38;#96;"]' in orchestrator("plan", "--format", "mermaid").stdout
    assert "\x1b" not in orchestrator("plan").stdout + orchestrator("plan", "--format", "mermaid").stdout
