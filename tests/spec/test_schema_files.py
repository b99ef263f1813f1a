"""What is committed under schema/ and docs/reference/: fresh, valid, and true of every spec and every output."""

import json
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml

from orchestrator.core.order import Node, Order
from orchestrator.core.phases import STEP, WAIT
from orchestrator.diagnostics import Diagnostic, Place, Related
from orchestrator.diagnostics.formats import json as json_format
from orchestrator.engine.events import Event
from orchestrator.engine.plan import timed
from orchestrator.engine.report import Report
from orchestrator.spec import load_text
from orchestrator.spec.schema import base_schema, overlay_schema
from orchestrator.status.state import StateDirectory
from tools.formats import FORMATS, format_schema
from tools.generate import ROOT, files

REPOSITORY = Path(ROOT)
MADE = files()
BASE, OVERLAY = (
    jsonschema.Draft202012Validator(base_schema()),
    jsonschema.Draft202012Validator(overlay_schema()),
)
SPECS = [path for path in REPOSITORY.glob("**/*.yaml") if re.match(r"(startup|digest)(\.[a-z]+)?\.yaml$", path.name)
         and not set(path.relative_to(REPOSITORY).parts) & {"tests", ".venv", ".cache", "benchmarks", "plugin"}]  # fmt: skip


class Tags(yaml.SafeLoader):
    """`!replace` is what stands behind it, `!remove` alone is nothing."""


Tags.add_constructor("!replace", lambda loader, node: loader.construct_object(_plain(node), deep=True))
Tags.add_constructor("!remove", lambda loader, node: loader.construct_object(_plain(node), deep=True))


def _plain(node):
    tags = {
        yaml.ScalarNode: "null" if not node.value else "str",
        yaml.MappingNode: "map",
        yaml.SequenceNode: "seq",
    }
    return type(node)(f"tag:yaml.org,2002:{tags[type(node)]}", node.value)


@pytest.mark.parametrize("path", list(MADE))
def test_derived_files_are_fresh(path):
    whole = REPOSITORY / path
    assert whole.exists(), "run make generate"
    assert whole.read_text() == MADE[path], "run make generate"


def test_nothing_is_left_over_from_earlier():
    there = {
        str(each.relative_to(REPOSITORY))
        for folder in ("schema", "docs/reference")
        for each in (REPOSITORY / folder).iterdir()
    }
    assert there == set(MADE)


def test_generating_is_deterministic_in_another_process():
    code = "import hashlib; from tools.generate import files; print(hashlib.sha256(repr(files()).encode()).hexdigest())"
    found = {
        subprocess.check_output([sys.executable, "-c", code], env={"PYTHONHASHSEED": seed})
        for seed in ("1", "2")
    }
    assert len(found) == 1


@pytest.mark.parametrize(
    "schema", [base_schema(), overlay_schema(), *(format_schema(name) for name in FORMATS)]
)
def test_schemas_are_valid_draft_2020_12_without_loose_ends(schema):
    jsonschema.Draft202012Validator.check_schema(schema)
    text = json.dumps(schema)
    assert "$id" not in schema
    assert "x-lazy" not in text
    assert set(re.findall(r'"#/\$defs/([^"]+)"', text)) <= set(schema.get("$defs", ()))


@pytest.mark.parametrize("schema", [base_schema(), overlay_schema()], ids=["base", "overlay"])
def test_every_definition_is_used(schema):
    used = set(re.findall(r'"#/\$defs/([^"]+)"', json.dumps(schema)))
    assert {name for name in schema["$defs"] if not name.startswith("overlay.")} - used <= {"role"}


@pytest.mark.parametrize("path", SPECS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_every_spec_of_the_repository_is_valid(path):
    overlay = len(path.name.split(".")) > 2
    assert list((OVERLAY if overlay else BASE).iter_errors(yaml.load(path.read_text(), Tags))) == []


def test_the_repository_has_specs_and_an_overlay():
    assert {"startup.yaml", "startup.production.yaml", "digest.yaml"} <= {path.name for path in SPECS}


TAGGED = """
service: !remove
variables:
  LOG_LEVEL: {default: warning}
  OLD: !remove
packages:
  - !remove orjson
  - fastapi>=0.115
directories: !replace [state]
wait_for:
  - name: db
    deadline: 10s
  - !remove assistant
launch:
  port: !remove
  options: !replace {log_level: debug}
health: !remove
"""


def test_an_overlay_may_be_partial_and_carry_tags():
    assert list(OVERLAY.iter_errors(yaml.load(TAGGED, Tags))) == []


@pytest.mark.parametrize("wrong", [
    {"wait_for": [{"deadline": "10s"}]},
    {"directories": [{"mode": "0750"}]},
    {"steps": [{"run": ["a"]}]},
    {"launch": {"prot": 1}},
    {"wait_for": [{"name": "db", "deadline": 10}]},
])  # fmt: skip
def test_an_overlay_names_its_items_and_keeps_the_types(wrong):
    assert not OVERLAY.is_valid(wrong)


def blocks():
    for path, text in MADE.items():
        for number, block in enumerate(re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)):
            if not block.startswith("#"):
                yield pytest.param(block, id=f"{Path(path).name}-{number}")


@pytest.mark.parametrize("block", list(blocks()))
def test_every_example_of_the_reference_is_true(block):
    data = {"version": 1, "service": "example", **yaml.safe_load(block)}
    assert list(BASE.iter_errors(data)) == []
    elsewhere = {"ORC201", "ORC205", "ORC221"}  # what another part of the spec would declare
    found = load_text(yaml.safe_dump(data)).diagnostics
    assert [each for each in found if each.severity == "error" and each.code not in elsewhere] == []


def strict(name):
    """The format's schema with nothing beside what it declares."""
    return jsonschema.Draft202012Validator(_closed(format_schema(name)))


def _closed(schema):
    if isinstance(schema, list):
        return [_closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: _closed(each) for key, each in schema.items()}
    return {**made, "additionalProperties": False} if isinstance(schema.get("properties"), dict) else made


def test_diagnostics_keep_their_format():
    finding = Diagnostic(
        "ORC104",
        "error",
        "unknown key",
        Place("startup.yaml", 1, 2, 1, 3),
        related=(Related("overrides", Place("base.yaml", 1, 1, 1, 2)),),
    )
    document = json.loads(json_format.render([finding], {}))
    assert list(strict("diagnostics").iter_errors(document)) == []


def test_a_report_keeps_its_format():
    report = Report()
    report(Event("started", 0, data={"service": "a", "environment": "", "role": ""}))
    report(Event("phase", 1, data={"phase": "waits"}))
    report(Event("fallback", 2, item="wait:db", message="went on", data={"action": "warn"}))
    report(
        Event("item", 3, item="wait:db", message="refused", data={"status": "warned", "reason": "refused"})
    )
    report(Event("imported", 4, data={"module": "app", "total_ms": 2.0}))
    report(Event("service", 5, data={"status": "ready"}))
    validator = jsonschema.Draft202012Validator(format_schema("report"))
    assert list(validator.iter_errors(report.record())) == []


def test_a_log_line_keeps_its_format():
    validator = jsonschema.Draft202012Validator(format_schema("log"))
    assert list(validator.iter_errors(Event("item", 3, item="wait:db", data={"status": "ok"}).record())) == []


def test_the_state_file_keeps_its_format(tmp_path):
    state = StateDirectory(str(tmp_path))
    state.write_state({"status": "ready"})
    state.set_status("degraded", degraded=("search",))
    assert list(jsonschema.Draft202012Validator(format_schema("state")).iter_errors(state.read_state())) == []


def command(*words, folder):
    """What a command of the real program prints as JSON."""
    done = subprocess.run(
        [sys.executable, "-m", "orchestrator", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin"},
    )
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(("words", "name"), [
    (["validate", "--format", "json"], "diagnostics"),
    (["config", "--format", "json", "--provenance"], "diagnostics"),
    (["check", "--static", "--format", "json"], "report"),
])  # fmt: skip
def test_what_the_commands_print_is_all_declared(words, name, tmp_path):
    spec = "version: 1\nservice: shop\npython: '>=3.8'\ndirectories: [state]\npackages: [nobody-has-this]\n"
    (tmp_path / "startup.yaml").write_text(spec)
    assert list(strict(name).iter_errors(command(*words, folder=tmp_path))) == []


def test_a_plan_keeps_its_format():
    plan = {
        "schema": 1,
        **timed(
            Order([Node("wait:db", WAIT), Node("step:migrate", STEP)]),
            {"wait:db": 60.0, "step:migrate": None},
        ).record(),
    }
    assert list(strict("plan").iter_errors(plan)) == []


@pytest.mark.parametrize("name", list(FORMATS))
def test_a_format_may_grow_but_lacks_nothing(name):
    validator = jsonschema.Draft202012Validator(format_schema(name))
    assert not validator.is_valid({})
    assert format_schema(name)["additionalProperties"] is True


def test_every_link_of_the_reference_leads_to_a_heading():
    pages = {Path(path).name: text for path, text in MADE.items() if path.endswith(".md")}
    anchors = {
        name: {
            re.sub(r"[`.*]", "", each).lower().replace(" ", "-")
            for each in re.findall(r"^#+ (.*)$", text, re.MULTILINE)
        }
        for name, text in pages.items()
    }
    links = {link for text in pages.values() for link in re.findall(r"\]\(([a-z]+\.md)#([^)]+)\)", text)}
    assert links
    assert [each for each in links if each[1] not in anchors[each[0]]] == []
