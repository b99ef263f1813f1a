import os
import time
from typing import Annotated, Any

import pytest
from pydantic import PlainValidator, ValidationError

from orchestrator.spec.building import adapter
from orchestrator.spec.sections import validate_check


def check(project, spec, timeout=10.0, **context):
    return validate_check({"name": "mine", **spec}).attempt(project.context(timeout=timeout, **context))


def test_the_name_is_needed_and_makes_the_id():
    assert validate_check({"name": "ledger", "run": ("true",)}).identity == "check:ledger"
    with pytest.raises(ValidationError, match="name"):
        validate_check({"run": ("true",)})


@pytest.mark.parametrize(
    ("spec", "code"),
    [
        ({"name": "a"}, "ORC111"),
        ({"name": "a", "run": ("true",), "python": "a:b"}, "ORC111"),
        ({"name": "a", "rum": ("true",)}, "ORC112"),
        ("true", "ORC102"),
    ],
)
def test_a_check_has_exactly_one_kind(spec, code):
    check = adapter(Annotated[Any, PlainValidator(validate_check)])
    with pytest.raises(ValidationError) as caught:
        check.validate_python(spec)
    assert [each["type"] for each in caught.value.errors()] == [code]


@pytest.mark.parametrize("argv", [(), ("",), "true"])
def test_a_command_is_a_list_that_is_not_empty(argv):
    with pytest.raises(ValidationError):
        validate_check({"name": "a", "run": argv})


def test_a_command_that_ends_with_0_holds(project):
    assert check(project, {"run": ("sh", "-c", "echo fine")}).summary == "fine"


def test_a_command_that_fails_tells_code_and_last_words(project):
    outcome = check(project, {"run": ("sh", "-c", "echo one; echo the ledger is off >&2; exit 3")})
    assert (outcome.code, outcome.reason) == ("ORC471", "exit")
    assert outcome.summary == "`sh` ended with 3, expected 0: the ledger is off"
    assert "one\n" in outcome.details
    assert outcome.data["exit_code"] == 3


def test_a_command_that_a_signal_ends_is_named(project):
    outcome = check(project, {"run": ("sh", "-c", "kill -9 $$")})
    assert outcome.reason == "signal"
    assert "SIGKILL" in outcome.summary


def test_a_command_that_is_not_there_says_where_was_looked(project):
    outcome = check(project, {"run": ("no-such-command",)}, environ={"PATH": "/usr/bin"})
    assert outcome.reason == "not-started"
    assert "PATH is /usr/bin" in outcome.hint


def test_a_command_that_hangs_is_ended_with_all_it_started(project):
    started = time.monotonic()
    outcome = check(
        project, {"run": ("sh", "-c", "sleep 60 & echo $! > pid; trap '' TERM; wait; sleep 60")}, timeout=0.3
    )
    assert outcome.reason == "timeout"
    assert time.monotonic() - started < 10
    with open(project.path("pid")) as file:
        assert not _alive(int(file.read()))


def _alive(pid):
    for _ in range(50):
        try:
            with open(f"/proc/{pid}/stat") as file:
                if file.read().rpartition(")")[2].split()[0] == "Z":
                    return False
        except FileNotFoundError:
            return False
        time.sleep(0.02)
    return True


def test_endless_output_is_capped(project):
    outcome = check(project, {"run": ("sh", "-c", "yes | head -c 3000000; exit 1")})
    assert outcome.reason == "exit"
    assert len(outcome.details) <= 8000


def test_a_command_gets_the_environment_of_the_service_and_no_other(project, monkeypatch):
    monkeypatch.setenv("LEAK", "engine")
    environ = {"PATH": os.environ["PATH"], "MINE": "1"}
    assert check(project, {"run": ("sh", "-c", 'test "$MINE" = 1 && test -z "$LEAK"')}, environ=environ).ok


def test_what_a_command_must_come_to_can_be_said(project):
    sh = ("sh", "-c", "echo half; echo warned >&2; exit 4")
    assert check(project, {"run": sh, "exit_codes": (0, 4), "expect": "half"}).summary == "half"
    outcome = check(project, {"run": sh, "exit_codes": (4,), "expect": {"stderr": ""}})
    assert (outcome.code, outcome.reason) == ("ORC471", "output")
    assert outcome.summary == 'the output of `sh`: stderr: expected "", got "warned"'
    assert check(project, {"run": sh, "exit_codes": (0, 1)}).summary.startswith(
        "`sh` ended with 4, expected 0 or 1"
    )
    assert check(project, {"run": {"shell": "cat | wc -c"}, "stdin": "abc"}).summary == "3"


def test_a_command_that_hangs_shows_what_it_said(project):
    outcome = check(project, {"run": ("sh", "-c", "echo waiting for x; sleep 60")}, timeout=0.5)
    assert (outcome.reason, outcome.details) == ("timeout", "waiting for x\n")


def test_a_command_runs_in_the_working_directory(project):
    project.write("marker")
    assert check(project, {"run": ("test", "-f", "marker")}).ok


def test_a_command_runs_as_the_user_of_the_service(project, as_root, somebody):
    outcome = check(project, {"run": ("sh", "-c", "echo $(id -u):$(id -g):$(id -G)")}, user=somebody)
    assert outcome.summary == "10001:10001:10001 10002"


# --- python -------------------------------------------------------------------------------------------------------


@pytest.fixture
def function(project):
    def function(body, name="check", kind="def"):
        lines = "".join(f"    {line}\n" for line in body.splitlines())
        project.write("own_checks.py", f"import os, sys\n{kind} {name}():\n{lines}")
        return {"python": f"own_checks:{name}"}

    return function


@pytest.mark.parametrize("body", ["pass", "return True", "print('chatter')", "os.write(1, b'no newline')"])
def test_a_function_that_returns_true_or_nothing_holds(project, function, body):
    assert check(project, function(body)).ok


def test_a_coroutine_function_is_awaited(project, function):
    assert check(project, function("import asyncio\nawait asyncio.sleep(0)", kind="async def")).ok
    assert not check(project, function("return 'no'", kind="async def")).ok


def test_a_text_is_the_message(project, function):
    outcome = check(project, function("return 'the ledger is off by 3'"))
    assert (outcome.code, outcome.reason, outcome.summary) == ("ORC471", "check", "the ledger is off by 3")


def test_false_is_a_failure_and_output_its_details(project, function):
    outcome = check(project, function("print('row 7')\nreturn False"))
    assert outcome.reason == "check"
    assert "row 7" in outcome.details


def test_another_answer_is_no_answer(project, function):
    outcome = check(project, function("return 1"))
    assert outcome.reason == "answer"
    assert "returned a value of type int" in outcome.summary


def test_an_exception_names_its_place(project, function):
    outcome = check(project, function("x = 1\nraise ValueError('off by 3')"))
    assert outcome.reason == "exception"
    assert outcome.summary == "own_checks:check raises ValueError: off by 3 (own_checks.py:4)"
    assert "raise ValueError" in outcome.details


def test_a_missing_module_or_function_is_named(project, function):
    assert check(project, {"python": "no_such_module:x"}).code == "ORC421"
    spec = function("pass")
    outcome = check(project, {"python": spec["python"] + "s"})
    assert outcome.code == "ORC427"
    assert "has no `checks`" in outcome.summary


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("os.abort()", "crash"),
        ("os._exit(0)", "exit"),
        ("sys.exit(0)", "exit"),
        ("import time\ntime.sleep(60)", "timeout"),
    ],
)
def test_an_end_without_an_answer_is_never_a_yes(project, function, body, reason):
    outcome = check(project, function(body), timeout=1.0)
    assert (outcome.code, outcome.reason) == ("ORC471", reason)


def test_a_function_cannot_forge_the_answer_by_printing(project, function):
    outcome = check(project, function("print('\\norchestrator-0:{\"ok\": true}')\nreturn 'no'"))
    assert outcome.summary == "no"


# --- holds --------------------------------------------------------------------------------------------------------


def test_a_condition_that_does_not_hold_says_why(project):
    spec = {"holds": {"variable": "REGION", "in": ("eu", "us")}, "why": "the data may not leave"}
    assert check(project, spec, environ={"REGION": "eu"}).ok
    outcome = check(project, spec, environ={"REGION": "mars"})
    assert (outcome.code, outcome.reason) == ("ORC471", "condition")
    assert outcome.summary.startswith("the data may not leave: ")
    assert outcome.hint == "set `REGION` to what the condition asks for"


def test_a_condition_that_cannot_be_told_is_a_failure(project):
    outcome = check(project, {"holds": {"variable": "DEBUG", "is": "false"}}, environ={"DEBUG": "perhaps"})
    assert outcome.reason == "cannot-tell"
