"""The page of every code that a spec can have: its example is answered with that code alone, its fix with nothing."""

import pytest

from orchestrator.diagnostics import explain
from orchestrator.diagnostics.catalogue import CODES
from orchestrator.spec import load_text

SPEC_CODES = [code for code in CODES if code < "ORC3"]


@pytest.mark.parametrize("code", [each for each in SPEC_CODES if explain.examples(each)])
def test_the_example_has_this_mistake_and_no_other(code):
    (name, text), *overlays = explain.examples(code)

    assert {each.code for each in load_text(text, name, dict(overlays)).diagnostics} == {code}


@pytest.mark.parametrize("code", SPEC_CODES)
def test_the_fix_has_none(code):
    (name, text), *overlays = explain.fixes(code)

    assert load_text(text, name, dict(overlays)).diagnostics == []
