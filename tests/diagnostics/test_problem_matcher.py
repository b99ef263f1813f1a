import json
import re
from pathlib import Path

import pytest

from orchestrator.diagnostics import Diagnostic, Place
from orchestrator.diagnostics.formats import text

FILE = Path(__file__).parents[2] / ".github" / "problem-matcher.json"
MATCHERS = json.loads(FILE.read_text())["problemMatcher"]


def _match(line):
    for matcher in MATCHERS:
        pattern = matcher["pattern"][0]
        match = re.search(pattern["regexp"], line)
        if match:
            groups = {name: match[group] for name, group in pattern.items() if name != "regexp"}
            yield {"severity": matcher.get("severity"), **groups}


@pytest.mark.parametrize(
    ("severity", "shown"), [("error", "error"), ("warning", "warning"), ("note", "notice")]
)
def test_the_text_format_is_recognised_once_for_each_finding(severity, shown):
    found = Diagnostic("ORC104", severity, "unknown key `a: b`", Place("a b/startup.yaml", 14, 5, 14, 11))
    output = text.render([found], {"a b/startup.yaml": "x.yaml:1:1: error[ORC104]: fake\n" * 20})
    matches = [match for line in output.splitlines() for match in _match(line)]

    assert matches == [
        {
            "severity": shown,
            "file": "a b/startup.yaml",
            "line": "14",
            "column": "5",
            "code": "ORC104",
            "message": "unknown key `a: b`",
        }
    ]


def test_a_finding_about_a_whole_file_is_recognised():
    output = text.render([Diagnostic("ORC002", "error", "too large", Place("startup.yaml"))], {})
    matches = [match for line in output.splitlines() for match in _match(line)]

    assert matches == [
        {"severity": "error", "file": "startup.yaml", "code": "ORC002", "message": "too large"}
    ]


def test_owners_are_unique():
    owners = [matcher["owner"] for matcher in MATCHERS]

    assert sorted(set(owners)) == sorted(owners)
