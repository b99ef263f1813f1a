"""A contract for a prefix, and values that come from files."""

from orchestrator.core.context import Context
from orchestrator.engine.contracts import apply
from orchestrator.spec.loading import load_text

SPEC = "{version: 1, service: a, variables: {APP_*: {from_file: true, secret: true, min_length: 4}, APP_MODEL_FILE: {type: path}, APP_KEY: {from_file: true}}}"


def applied(tmp_path, **environ):
    return apply(load_text(SPEC).spec.variables, Context(environ=environ, cwd=str(tmp_path)))


def test_a_name_that_a_prefix_stands_for_may_come_from_a_file(tmp_path):
    (tmp_path / "token").write_text("known-to-nobody\n")
    found = applied(tmp_path, APP_TOKEN_FILE="token")
    assert found.environ["APP_TOKEN"] == "known-to-nobody"
    assert found.outcomes["APP_TOKEN"].ok
    assert "APP_TOKEN_FILE" not in found.outcomes
    assert "known-to-nobody" in found.secrets


def test_its_text_is_judged_and_an_unreadable_file_or_both_forms_are_failures(tmp_path):
    (tmp_path / "short").write_text("ab")
    assert not applied(tmp_path, APP_TOKEN_FILE="short").outcomes["APP_TOKEN"].ok
    assert applied(tmp_path, APP_TOKEN_FILE="nothing").outcomes["APP_TOKEN"].reason == "unreadable"
    assert (
        applied(tmp_path, APP_TOKEN_FILE="short", APP_TOKEN="long enough").outcomes["APP_TOKEN"].reason
        == "both"
    )


def test_names_with_a_contract_of_their_own_are_left_to_it(tmp_path):
    (tmp_path / "key").write_text("k")
    found = applied(tmp_path, APP_MODEL_FILE="model.pickle", APP_KEY_FILE="key")
    assert found.environ["APP_MODEL_FILE"] == "model.pickle"
    assert "APP_MODEL" not in found.environ
    assert found.environ["APP_KEY"] == "k"
    assert found.outcomes["APP_KEY"].ok
