"""A default that is made from other variables is judged when it is taken, and only then."""

import pytest

from orchestrator.spec.loading import load_text
from orchestrator.spec.values import RunValues

ONE = '{version: 1, service: a, variables: {OTHER: {}, PORT: {type: port, default: "${OTHER:-}"}}}'
CHOICE = '{version: 1, service: a, variables: {OTHER: {}, PORT: {type: port, default: [{value: "${OTHER:-}", when: {variable: OTHER, matches: "^[0-9]+$"}}, {value: 80}]}}}'


@pytest.mark.parametrize("text", [ONE, CHOICE])
@pytest.mark.parametrize("other", ["", "tcp://10.0.0.1:80", "8000"])
def test_a_value_that_may_never_be_taken_does_not_end_the_start(text, other):
    loaded = load_text(text)
    assert [each.code for each in loaded.diagnostics] == []
    resolved = loaded.resolve(RunValues(loaded.spec.variables, {"OTHER": other, "PORT": "81"}, frozenset()))
    assert [each.message for each in resolved.diagnostics] == []


def test_a_written_default_is_judged_at_once():
    loaded = load_text(
        "{version: 1, service: a, variables: {PORT: {type: port, default: [{value: x, when: {root: true}}, {value: 80}]}}}"
    )
    assert [each.code for each in loaded.diagnostics] == ["ORC124"]
