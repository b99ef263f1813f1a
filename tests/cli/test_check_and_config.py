import json
import xml.etree.ElementTree as ET

import pytest

SPEC = """
packages: [pydantic]
directories: [logs]
wait_for: [{name: db, tcp: '127.0.0.1:1', deadline: 200ms}]
checks: [{name: ledger, run: ['false']}]
steps: [{name: migrate, run: [touch, migrated]}]
launch: {app: main:app, port: 0}
"""


def statuses(done):
    return {each["id"]: each["status"] for each in json.loads(done.stdout)["items"]}


@pytest.fixture
def service(orchestrator):
    orchestrator.spec(SPEC)
    orchestrator.write("main.py", "async def app(*_): ...\n")
    return orchestrator


def test_check_tries_everything_but_steps_and_launch(service):
    done = service("check", "--format", "json")
    assert done.returncode == 3
    found = statuses(done)
    assert found["wait:db"] == found["check:ledger"] == "failed"
    assert found["launch"] == "ok"
    assert "step:migrate" not in found
    assert not (service.root / "migrated").exists()


def test_check_static_leaves_out_what_needs_a_network(service):
    done = service("check", "--static", "--format", "json")
    assert done.returncode == 0, done.stderr
    assert set(statuses(done)) == {"package:pydantic", "directory:logs", "port", "launch"}


def test_check_finds_an_app_that_does_not_import(service):
    service.write("main.py", "import nowhere\n")
    assert service("check", "--static").returncode == 5


def test_only_takes_an_item_and_what_it_needs(service):
    service.spec("directories: [logs, {path: other}]\nfiles: [{path: startup.yaml, needs: [logs]}]\n")
    done = service("check", "--only", "startup.yaml", "--format", "json")
    assert set(statuses(done)) == {"file:startup.yaml", "directory:logs"}


def test_fail_on_decides_the_exit_code(service):
    assert service("check", "--fail-on", "never").returncode == 0
    service.spec("files: [{path: nothing, on_failure: warn}]\n")
    assert service("check").returncode == 0
    assert service("check", "--fail-on", "warning").returncode == 4


def test_junit_has_a_case_for_each_item(service):
    done = service("check", "--format", "junit")
    suite = ET.fromstring(done.stdout.encode()).find("testsuite")
    assert suite.get("failures") == "2"
    assert {case.get("name") for case in suite} >= {"wait:db", "check:ledger", "directory:logs"}


def test_check_says_in_text_what_failed_and_what_to_do(service):
    done = service("check")
    assert "check:ledger" in done.stderr
    assert "shop would not start (exit 3)" in done.stderr


def test_config_is_the_effective_spec_with_values_not_put_in(orchestrator):
    orchestrator.spec("launch: {app: main:app, port: '${PORT:-8000}'}\n")
    orchestrator.write("startup.production.yaml", "launch: {app: main:other}\n")
    done = orchestrator("--env", "production", "config")
    assert done.returncode == 0, done.stderr
    assert "main:other" in done.stdout
    assert "${PORT:-8000}" in done.stdout
    told = json.loads(
        orchestrator("--env", "production", "config", "--format", "json", "--provenance").stdout
    )
    assert told["spec"]["launch"]["app"] == "main:other"
    place = told["provenance"]["/launch/app"]
    assert place["file"] == "startup.production.yaml"
    assert place["overrides"][0]["file"] == "startup.yaml"


def test_config_of_a_role_is_what_that_role_runs(orchestrator):
    orchestrator.spec("roles: {web: {launch: {app: main:app}}, worker: {launch: {command: [celery]}}}\n")
    done = orchestrator("config", "worker", "--format", "json")
    assert json.loads(done.stdout)["spec"]["launch"] == {"command": ["celery"]}
    unknown = orchestrator("config", "wroker")
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert "there are: web, worker" in unknown.stderr
