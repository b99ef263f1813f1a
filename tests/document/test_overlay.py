"""Overlays by example: what merges, what is replaced, what the tags do, and where everything came from."""

import pytest

from orchestrator.diagnostics import Findings
from orchestrator.document.dump import provenance, to_data, to_yaml
from orchestrator.document.overlay import lay_over, leftovers
from orchestrator.document.read import read
from orchestrator.spec.loading import RULES


def _read(text, file="base.yaml"):
    tree = read(text.encode(), file, Findings())
    assert tree is not None
    return tree


def _over(base, *overlays):
    findings = Findings()
    tree = _read(base)
    for number, each in enumerate(overlays):
        tree = lay_over(tree, _read(each, f"over{number}.yaml"), RULES, findings)
    return tree, findings.found


def _merged(base, *overlays):
    tree, found = _over(base, *overlays)
    assert not found
    return to_data(tree)


@pytest.mark.parametrize(
    ("base", "over", "merged"),
    [
        ("a: {x: 1, y: 2}", "a: {y: 3, z: 4}", {"a": {"x": 1, "y": 3, "z": 4}}),
        ("a: [1, 2]", "a: [3]", {"a": [3]}),
        ("a: {x: 1}", "a: 5", {"a": 5}),
        ("a: {x: 1}", "a: !replace {y: 2}", {"a": {"y": 2}}),
        ("a: {x: 1, y: 2}", "a: {x: !remove }", {"a": {"y": 2}}),
        ("allowed: [a, b]", "allowed: [!remove a, c]", {"allowed": ["b", "c"]}),
        ("directories: [logs, state]", "directories: [!remove logs]", {"directories": ["state"]}),
        ("directories: [{path: logs, mode: '0750'}]", "directories: [!remove logs]", {"directories": []}),
        ("directories: [{path: logs, mode: '0750'}]", "directories: [logs]", {"directories": [{"path": "logs", "mode": "0750"}]}),
        ("directories: [logs]", "directories: [{path: logs, mode: '0700'}]", {"directories": [{"path": "logs", "mode": "0700"}]}),
        ("packages: [fastapi>=0.1]", "packages: [fastapi>=0.2]", {"packages": ["fastapi>=0.2"]}),
        ("packages: [{requirement: 'fastapi>=0.1', on_failure: warn}]", "packages: [fastapi>=0.2]",
         {"packages": [{"requirement": "fastapi>=0.2", "on_failure": "warn"}]}),
        ("steps: [{name: a, run: [x]}]", "steps: [{name: a, deadline: 5s}, {name: b, run: [y]}]",
         {"steps": [{"name": "a", "run": ["x"], "deadline": "5s"}, {"name": "b", "run": ["y"]}]}),
        ("steps: [{name: a, run: [x]}]", "steps: [!replace {name: a, shell: y}]", {"steps": [{"name": "a", "shell": "y"}]}),
        ("steps: [{name: a, run: [x]}]", "steps: !replace [{name: b, run: [y]}]", {"steps": [{"name": "b", "run": ["y"]}]}),
        ("roles: {web: {steps: [{name: a, run: [x]}]}}", "roles: {web: {steps: [{name: a, deadline: 1s}]}}",
         {"roles": {"web": {"steps": [{"name": "a", "run": ["x"], "deadline": "1s"}]}}}),
    ],
)  # fmt: skip
def test_an_overlay_gives(base, over, merged):
    assert _merged(base, over) == merged


@pytest.mark.parametrize(
    "over",
    [
        "b: !remove",
        "a: {y: !remove }",
        "c: {d: {e: !remove }}",
        "list: [!remove 9]",
        "directories: [!remove x]",
    ],
)
def test_removing_what_is_not_there_is_an_error(over):
    _, found = _over("a: {x: 1}\nlist: [1]\ndirectories: [logs]", over)

    assert [each.code for each in found] == ["ORC211"]
    assert found[0].place.file == "over0.yaml"


def test_a_tag_in_a_role_is_kept_until_the_role_is_laid_over_the_top_level():
    tree, found = _over("launch: {port: 1}\nroles: {worker: {}}", "roles: {worker: {launch: !remove }}")

    assert not found
    assert "launch: !remove" in to_yaml(tree)


def test_an_overlay_of_an_overlay_may_put_in_again_what_was_removed():
    assert _merged("a: {x: 1}", "a: !remove", "a: {y: 2}") == {"a": {"y": 2}}


def test_each_value_knows_what_it_overrode_nearest_first():
    tree, _ = _over("a: 1\nb: 1", "\na: 2", "\n\na: 3")

    assert provenance(tree)["/a"] == {
        "file": "over1.yaml", "line": 3, "overrides": [{"file": "over0.yaml", "line": 2}, {"file": "base.yaml", "line": 1}],
    }  # fmt: skip
    assert (
        to_yaml(tree, provenance=True)
        == "a: 3  # over1.yaml:3, overrides over0.yaml:2, base.yaml:1\nb: 1  # base.yaml:2\n"
    )


def test_neither_document_is_changed():
    base, over = (
        _read("a: {x: 1}\nsteps: [{name: a}]"),
        _read("a: {x: !remove }\nsteps: [{name: a, run: [x]}]"),
    )
    before = to_yaml(base), to_yaml(over)

    lay_over(base, over, RULES, Findings())

    assert (to_yaml(base), to_yaml(over)) == before


def test_tags_in_a_spec_that_lies_on_nothing_are_found_but_for_roles():
    findings = Findings()
    tree = _read("a: !remove\nb: [!replace 1]\nroles: {web: {launch: !remove }}")

    leftovers(tree, findings)

    assert [each.code for each in findings.found] == ["ORC224", "ORC224"]
    assert "a" not in to_data(tree)


def test_a_tag_behind_an_anchor_acts_where_the_alias_stands():
    base = "wait_for: [{name: db, tcp: 'db:1', timeout: 5s}, {name: q, tcp: 'q:1', timeout: 5s}]\nlaunch: {options: {a: 1, b: 2}}"
    over = (
        "x-off: &off {timeout: !remove , deadline: 9s}\n"
        "x-all: &all !replace {c: 3}\n"
        "wait_for: [{name: db, <<: *off}, {<<: *off, name: q}]\nlaunch: {options: *all}"
    )
    merged = _merged(base, over)
    assert merged["wait_for"] == [
        {"name": "db", "tcp": "db:1", "deadline": "9s"},
        {"name": "q", "tcp": "q:1", "deadline": "9s"},
    ]
    assert merged["launch"] == {"options": {"c": 3}}
    assert (merged["x-off"], merged["x-all"]) == ({"deadline": "9s"}, {"c": 3})


def test_anchors_with_tags_may_stand_in_the_base_for_its_roles():
    tree = _read("x-off: &off {timeout: !remove }\nroles: {web: {wait_for: [{name: db, <<: *off}]}}")
    findings = Findings()
    leftovers(tree, findings)
    assert findings.found == []
    assert to_data(tree)["x-off"] == {}
    assert to_data(tree)["roles"]["web"]["wait_for"] == [{"name": "db", "timeout": None}]


def test_what_anchors_stand_for_is_replaced_by_a_layer_above():
    assert _merged("x-list: &l [1]\na: *l", "x-list: [!remove 1, 2]") == {"x-list": [2], "a": [1]}
