import re

import pytest

from orchestrator.diagnostics import Findings, explain
from orchestrator.diagnostics.catalogue import CODES
from orchestrator.document.read import read

SPEC_CODES = [code for code in CODES if code < "ORC3"]
OTHER_CODES = [code for code in CODES if code >= "ORC4"]


def _sections(code):
    return re.findall(r"^## (.+)$", explain.page(code), re.MULTILINE)


def test_codes_and_pages_are_one_to_one():
    assert explain.topics() == sorted(CODES)


@pytest.mark.parametrize("code", CODES)
def test_a_page_is_headed_by_what_the_catalogue_says(code):
    entry = CODES[code]

    assert explain.page(code).startswith(f"# {code}: {entry.title} ({entry.severity})\n")
    assert explain.meaning(code).endswith((".", ")", "`"))


@pytest.mark.parametrize("code", SPEC_CODES)
def test_a_page_about_the_spec_has_an_example_and_its_repair(code):
    assert _sections(code) == ["What it means", "Example", "Fix"]
    assert explain.fixes(code)
    # An example that YAML in Markdown cannot hold is described.
    assert explain.examples(code) or re.search(r"^```(text|yaml run)$", explain.page(code), re.MULTILINE)


@pytest.mark.parametrize("code", OTHER_CODES)
def test_a_page_about_a_start_says_what_is_seen_why_and_the_fix(code):
    assert _sections(code) == ["What it means", "What you see", "Usual causes", "Fix"]
    assert re.search(r"^\* ", explain.page(code), re.MULTILINE)


@pytest.mark.parametrize("code", [code for code in SPEC_CODES if code < "ORC1" and explain.examples(code)])
def test_an_example_of_unreadable_yaml_gives_its_code(code):
    findings = Findings()
    for file, text in explain.examples(code):
        read(text.encode(), file, findings)

    assert code in {each.code for each in findings.found}


@pytest.mark.parametrize("code", [code for code in SPEC_CODES if code != "ORC223"])
def test_a_repaired_example_is_clean_yaml(code):
    findings = Findings()
    for file, text in explain.fixes(code):
        read(text.encode(), file, findings)

    assert findings.found == []


def test_an_example_may_have_an_overlay():
    files = [file for file, _ in explain.examples("ORC211")]

    assert files == ["startup.yaml", "startup.production.yaml"]
    assert [file for file, _ in explain.fixes("ORC211")] == files


def test_an_example_that_only_a_run_can_judge_is_not_given_to_validate():
    assert explain.examples("ORC217") == []
    assert "```yaml run\n" in explain.page("ORC217")


@pytest.mark.parametrize("asked", ["ORC104", "orc104", "104", " ORC104 "])
def test_a_code_may_be_written_in_short(asked):
    assert explain.page(asked) == explain.page("ORC104")


@pytest.mark.parametrize("asked", ["ORC999", "", "../catalogue", "orc"])
def test_there_is_no_page_for_what_is_no_topic(asked):
    assert explain.page(asked) is None


def test_a_topic_that_was_probably_meant_is_suggested():
    assert explain.suggestion("posgres", ("postgres", "redis")) == "postgres"
    assert explain.suggestion("ORC1044") == "ORC104"
