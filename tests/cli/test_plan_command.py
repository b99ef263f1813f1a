import json
from pathlib import Path

import pytest

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


@pytest.mark.parametrize("form", ["text", "json", "mermaid"])
def test_the_plan_is_printed_as_people_and_machines_read_it(orchestrator, form):
    orchestrator.spec(SPEC)
    done = orchestrator("plan", "--format", form)
    assert done.returncode == 0, done.stderr
    assert done.stdout == (CASES / f"whole.{form}").read_text()


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
    assert "without a bound, because of step:migrate" in orchestrator("plan").stdout


def test_the_plan_of_an_invalid_spec_is_78(orchestrator):
    orchestrator.spec("lunch: 1\n")
    assert orchestrator("plan").returncode == 78
