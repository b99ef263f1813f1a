import subprocess
import sys

import pytest

from orchestrator.diagnostics import SEVERITIES, Findings, Place
from orchestrator.diagnostics.catalogue import CODES, FAMILIES, family_of, severity_of


@pytest.mark.parametrize("code", CODES)
def test_every_code_has_a_severity_a_family_and_a_plain_title(code):
    entry = CODES[code]

    assert entry.code == code
    assert entry.severity in SEVERITIES
    assert entry.title
    assert not entry.title.endswith(".")
    assert family_of(code) in FAMILIES.values()


def test_titles_tell_codes_apart():
    titles = [entry.title for entry in CODES.values()]

    assert sorted(set(titles)) == sorted(titles)


@pytest.mark.parametrize(
    ("code", "severity"),
    [
        ("ORC104", "error"),
        ("ORC013", "warning"),
        ("ORC018", "note"),
        ("ORC705", "warning"),
        ("ORC803", "note"),
    ],
)
def test_severities_are_those_of_the_catalogue(code, severity):
    assert severity_of(code) == severity


def test_a_finding_takes_the_severity_of_its_code():
    findings = Findings()
    findings.add("ORC206", "unused fallback `x`", Place("startup.yaml", 3, 1))

    assert [each.severity for each in findings.found] == ["warning"]
    assert not findings.failed


def test_an_unlisted_code_is_a_bug():
    with pytest.raises(KeyError):
        severity_of("ORC999")


@pytest.mark.parametrize("module", ["catalogue", "printable", "excerpt", "review", "terminal", "explain"])
def test_importing_it_stays_light(module):
    probe = (
        f"import sys, orchestrator.diagnostics.{module}\n"
        "print(*sys.modules.keys() & {'yaml', 'pydantic', 'json', 'asyncio', 'difflib', 'logging', 'unicodedata'})"
    )
    result = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)

    assert result.stdout.strip() == ""
