import os
import sys

import pytest

from orchestrator.core.conditions import _EVALUATORS
from orchestrator.core.context import Context
from orchestrator.requirements._conditions import CannotTell, holds
from orchestrator.spec.conditions import KINDS, validate_condition


def answer(condition, environ=None, **more):
    return holds(validate_condition(condition), Context(environ or {}, **more))


def test_every_condition_can_be_evaluated():
    assert set(KINDS) == set(_EVALUATORS)


@pytest.mark.parametrize(
    ("text", "word", "expected"),
    [
        (None, "set", False),
        (None, "unset", True),
        (None, "empty", False),
        (None, "true", False),
        (None, "false", False),
        ("", "set", False),
        ("", "unset", False),
        ("", "empty", True),
        ("", "true", False),
        ("", "false", False),
        ("yes", "set", True),
        ("YES", "true", True),
        ("on", "false", False),
        ("0", "false", True),
        ("n", "true", False),
        ("x", "unset", False),
    ],
)
def test_unset_and_empty_are_neither_true_nor_false(text, word, expected):
    environ = {} if text is None else {"DEBUG": text}

    assert answer({"variable": "DEBUG", "is": word}, environ)[0] is expected


def test_a_text_that_is_no_boolean_cannot_be_told():
    with pytest.raises(CannotTell, match="neither true nor false"):
        answer({"variable": "DEBUG", "is": "true"}, {"DEBUG": "maybe"})


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        ({"equals": "a"}, True),
        ({"equals": "b"}, False),
        ({"in": ("b", "a")}, True),
        ({"in": ("b",)}, False),
        ({"matches": "^a$"}, True),
        ({"matches": "^b"}, False),
    ],
)
def test_a_variable_is_compared_as_text(test, expected):
    assert answer({"variable": "A", **test}, {"A": "a"})[0] is expected


def test_numbers_and_booleans_are_compared_by_their_text():
    assert answer({"variable": "A", "equals": 3}, {"A": "3"})[0]
    assert answer({"variable": "A", "equals": True}, {"A": "true"})[0]


def test_a_path_is_seen_from_the_working_directory(tmp_path):
    (tmp_path / "there").touch()

    assert answer({"exists": "there"}, cwd=str(tmp_path))[0]
    assert not answer({"exists": "gone"}, cwd=str(tmp_path))[0]


@pytest.mark.parametrize(("code", "expected"), [(0, True), (1, False)])
def test_a_command_says_yes_or_no_by_its_code(code, expected):
    assert answer({"succeeds": (sys.executable, "-c", f"exit({code})")}, dict(os.environ))[0] is expected


@pytest.mark.parametrize(
    "condition",
    [
        {"succeeds": (sys.executable, "-c", "exit(3)")},
        {"succeeds": (sys.executable, "-c", "import os; os.kill(os.getpid(), 9)")},
        {"succeeds": ("there-is-no-such-program",)},
        {"succeeds": (sys.executable, "-c", "import time; time.sleep(60)"), "timeout": "100ms"},
    ],
    ids=["another code", "a signal", "no program", "too slow"],
)
def test_anything_else_a_command_does_is_never_no(condition):
    with pytest.raises(CannotTell):
        answer(condition, dict(os.environ))


def test_the_codes_that_are_no_can_be_named():
    assert not answer({"succeeds": (sys.executable, "-c", "exit(3)"), "no_codes": (3,)}, dict(os.environ))[0]


def test_role_and_environment_are_a_word_or_a_list():
    assert answer({"role": "web"}, role="web")[0]
    assert answer({"role": ("worker", "web")}, role="web")[0]
    assert not answer({"environment": "production"}, environment="staging")[0]
    assert not answer({"environment": "production"})[0]


def test_root_is_who_runs_the_engine():
    assert answer({"root": os.geteuid() == 0})[0]
    assert not answer({"root": os.geteuid() != 0})[0]


def test_a_package_is_a_requirement():
    assert answer({"package": "pydantic>=2"})[0]
    assert not answer({"package": "pydantic>=1000"})[0]


def test_a_step_has_a_state():
    states = {"step:migrate": "skipped"}

    assert answer({"step": "migrate", "is": "skipped"}, states=states)[0]
    assert not answer({"step": "migrate"}, states=states)[0]


def test_conditions_combine_and_say_what_decided():
    yes, no = {"exists": "/"}, {"exists": "/there/is/none"}

    assert answer({"all": (yes, yes)})[0]
    assert answer({"all": (yes, no)}) == (False, "/there/is/none does not exist")
    assert answer({"any": (no, yes)}) == (True, "/ exists")
    assert not answer({"any": (no, no)})[0]
    assert answer({"not": no}) == (True, "/there/is/none does not exist")
