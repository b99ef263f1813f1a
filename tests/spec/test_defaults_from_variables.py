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


OPTIONS = """
version: 1
service: shop
variables: {FLAG: {}, KEY: {secret: true}}
launch:
  app: shop.main:app
  options: {access_log: "${FLAG:-true}", backlog: "${SIZE:-1_024}", root_path: "${PATH_OF:-1.10}", limit_concurrency: "${KEY:-}"}
"""


def started_with(environ):
    loaded = load_text(OPTIONS)
    return loaded.resolve(RunValues(loaded.spec.variables, environ, frozenset()))


def test_an_option_from_a_variable_is_read_as_the_server_takes_it():
    resolved = started_with({"FLAG": "Off"})
    assert [each.message for each in resolved.diagnostics] == []
    options = resolved.spec.launch.options
    assert (options["access_log"], options["backlog"], options["root_path"]) == (False, 1024, "1.10")


def test_an_option_that_a_variable_makes_wrong_ends_the_start():
    (found,) = started_with({"FLAG": "maybe"}).diagnostics
    assert (found.code, found.place.line) == ("ORC218", 7)
    assert (
        found.message
        == 'the option `access_log` expects true or false, got the text "maybe" (from `${FLAG:-true}`)'
    )


def test_a_secret_that_does_not_fit_an_option_is_not_shown():
    text = OPTIONS.replace("${SIZE:-1_024}", "${KEY:-0}")
    loaded = load_text(text)
    (found,) = loaded.resolve(RunValues(loaded.spec.variables, {"KEY": "hunter2"}, frozenset())).diagnostics
    assert found.code == "ORC218"
    assert "hunter2" not in found.message + found.hint
