"""`command` and `python` with real processes."""

import os
import time

import pytest
from pydantic import ValidationError

from orchestrator.document.plain import Template

PATH = {"PATH": os.environ["PATH"]}


@pytest.fixture
def shell(attempt):
    def shell(script, **more):
        return attempt("command", ("sh", "-c", script), **{"environ": PATH, **more})

    return shell


def test_a_command_that_ends_with_0_is_well(shell):
    assert shell("exit 0").ok


def test_another_code_is_unexpected_with_the_last_line_and_the_output(shell):
    outcome = shell("echo first; echo no response >&2; exit 2")
    assert (outcome.reason, outcome.code, outcome.final) == ("unexpected", "ORC508", False)
    assert outcome.summary == "sh ended with 2: no response"
    assert outcome.details == "no response\nfirst\n"


def test_codes_that_are_well_can_be_said(shell):
    assert shell("exit 3", exit_codes=(0, 3)).ok


def test_a_signal_is_named(shell):
    assert shell("kill -SEGV $$").summary == "sh was ended by SIGSEGV"
    assert shell("kill -40 $$").summary == "sh was ended by signal 40"


def test_standard_output_is_compared(shell):
    assert shell("echo ok; echo noise >&2", expect="ok").ok
    assert shell("echo no", expect="ok").summary == 'the output of sh: expected "ok", got "no"'


def test_each_stream_can_be_compared(shell):
    script = "echo ready; echo loud >&2"
    assert shell(script, expect={"stdout": "ready", "stderr": {"contains": "loud"}}).ok
    outcome = shell(script, expect={"stderr": ""})
    assert outcome.summary == 'the output of sh: stderr: expected "", got "loud"'


def test_a_shell_is_asked_for_in_so_many_words(attempt):
    outcome = attempt(
        "command", {"shell": "echo a | tr a b; exit 3"}, environ=PATH, exit_codes=(3,), expect="b"
    )
    assert outcome.ok, outcome.summary


def test_what_it_reads_is_given(shell):
    assert shell("cat", stdin="a\nb\n", expect="a\nb").ok
    assert shell("wc -c", stdin="x" * 1_000_000, expect="1000000").ok


def test_its_variables_are_its_own(shell):
    given = {"environ": {**PATH, "A": "1", "PGHOST": "db", "PGPORT": "5"}}
    assert shell("pwd; echo $A$B", environment={"A": None, "B": "2"}, environ=given["environ"],
                 expect={"stdout": {"matches": "(?s)\n2$"}}).ok  # fmt: skip


def test_it_runs_in_its_directory(make, tmp_path):
    from orchestrator.core.context import Context

    (tmp_path / "below").mkdir()
    wait = make("command", ("pwd",), expect=f"{tmp_path}/below").model_copy(update={"cwd": "below"})
    assert wait.attempt(Context(environ=PATH, cwd=str(tmp_path))).ok


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_user_of_its_own_is_somebody_else(shell):
    assert shell("id -u; echo $USER", user="nobody", expect={"matches": "(?s)\\d+\nnobody"}).ok
    outcome = shell("true", user="no-such-user")
    assert outcome.final
    assert "no-such-user" in outcome.summary


@pytest.mark.parametrize(
    ("value", "more", "code"),
    [
        ({"shell": ""}, {}, "ORC102"),
        ({"shell": "a", "run": "b"}, {}, "ORC102"),
        ({"shell": Template("a", known=True, secret=False, written="${A}")}, {}, "ORC219"),
        ("pg_isready -q", {}, "ORC102"),
        (("true",), {"exit_codes": (256,)}, "less_than_equal"),
        (("true",), {"environment": {"A-B": "1"}}, "ORC109"),
        (("true",), {"expect": {"stdout": {}}}, "ORC119"),
    ],
)
def test_what_cannot_be_run_is_refused(make, value, more, code):
    with pytest.raises(ValidationError) as caught:
        make("command", value, **more)
    assert code in {each["type"] for each in caught.value.errors()}


def test_what_it_reads_is_not_shown(make):
    assert "hunter2" not in repr(make("command", ("a",), stdin="hunter2", environment={"P": "hunter2"}))


def test_it_gets_the_environment_and_the_directory_of_the_service_and_no_input(shell, tmp_path):
    assert shell('test "$A" = 1 && test -z "$HOME" && test "$(pwd)" = "$B" && ! read line',
                 environ={**PATH, "A": "1", "B": str(tmp_path)}, cwd=str(tmp_path)).ok  # fmt: skip


def test_a_command_that_is_not_there_is_final(attempt):
    outcome = attempt("command", ("no-such-command",), environ=PATH)
    assert outcome.final
    assert outcome.summary == "there is no command no-such-command"
    assert os.environ["PATH"] in outcome.hint


def test_a_file_that_cannot_be_run_and_a_directory_that_is_not_there_are_final(attempt, tmp_path):
    (tmp_path / "script").write_text("x")
    assert attempt("command", (str(tmp_path / "script"),)).summary.endswith("script: Permission denied")
    outcome = attempt("command", ("true",), cwd="/nowhere", environ=PATH)
    assert (outcome.final, outcome.summary) == (True, "there is no working directory /nowhere")


def test_its_whole_group_ends_at_the_deadline(shell, tmp_path):
    outcome = shell(f"sleep 50 & echo $! > {tmp_path}/pid; wait", timeout=0.4)
    assert (outcome.reason, outcome.summary) == ("timeout", "sh did not end within 0.4 s")
    gone(int((tmp_path / "pid").read_text()))


def test_what_it_leaves_running_ends_with_it(shell, tmp_path):
    assert shell(f"sleep 50 & echo $! > {tmp_path}/pid").ok
    gone(int((tmp_path / "pid").read_text()))


def gone(pid):
    end = time.monotonic() + 2
    while time.monotonic() < end:
        try:
            with open(f"/proc/{pid}/stat") as file:
                if file.read().split()[2] == "Z":
                    return
        except FileNotFoundError:
            return
        time.sleep(0.01)
    raise AssertionError(f"{pid} still runs")


def test_endless_output_is_cut_and_does_not_stop_it(shell):
    outcome = shell("head -c 3000000 /dev/zero | tr '\\0' x; exit 1")
    assert outcome.summary.startswith("sh ended with 1: xxx")
    assert len(outcome.details) == 2000
    assert len(outcome.summary) < 300


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_as_root_it_runs_as_the_user_of_the_service(make):
    from orchestrator.core.context import Context, User

    wait = make("command", ("sh", "-c", "id -u; id -g; id -G"), expect="12345\n12346\n12346 12347")
    user = User(12345, 12346, (12347,))
    outcome = wait.attempt(Context(environ=PATH, user=user, cwd="/"))
    assert outcome.ok, outcome


# -- python


@pytest.fixture
def function(attempt, tmp_path):
    def function(body, timeout=10, **more):
        (tmp_path / "ready.py").write_text(body)
        return attempt(
            "python",
            more.pop("reference", "ready:it"),
            timeout=timeout,
            cwd=str(tmp_path),
            environ=PATH,
            **more,
        )

    return function


@pytest.mark.parametrize("value", ["None", "True", "0", "[]", "object()"])
def test_a_function_that_returns_is_well(function, value):
    assert function(f"def it(): return {value}").ok


def test_false_is_not_well(function):
    outcome = function("def it(): return False")
    assert (outcome.reason, outcome.final, outcome.summary) == (
        "unexpected",
        False,
        "ready:it returned false",
    )


def test_what_it_returns_is_compared(function):
    assert function("def it(): return {'a': 1}", expect={"not": None}).ok
    assert function("def it(): return 3", expect={"ge": 4}).summary.endswith("expected at least 4, got 3")


def test_an_exception_is_said_with_its_traceback(function):
    outcome = function("def it(): raise OSError('no models yet')")
    assert (outcome.final, outcome.summary) == (False, "ready:it raised OSError: no models yet")
    assert "Traceback" in outcome.details


def test_a_coroutine_function_is_run(function):
    assert (
        function("import asyncio\nasync def it():\n    await asyncio.sleep(0)\n    return False").summary
        == "ready:it returned false"
    )


@pytest.mark.parametrize("reference", ["ready:other", "nowhere:it", "ready.below:it"])
def test_a_function_that_is_not_there_is_final(function, reference):
    outcome = function("def it(): pass", reference=reference)
    assert outcome.final
    assert outcome.summary.startswith(f"there is no {reference}: ")


def test_an_import_that_fails_inside_is_not_final(function):
    outcome = function("import no_such_dependency")
    assert (outcome.final, outcome.summary) == (
        False,
        "ready:it raised ModuleNotFoundError: No module named 'no_such_dependency'",
    )


def test_what_it_prints_is_not_its_answer_and_a_crash_is_an_outcome(function):
    assert function("def it(): print('false')").ok
    assert "was ended by SIGSEGV" in function("import os\ndef it(): os.kill(os.getpid(), 11)").summary
    assert function("import os\ndef it(): os._exit(3)").summary == "ready:it ended with 3"
    assert function("import sys\ndef it(): sys.exit('bye')").summary == "ready:it raised SystemExit: bye"


def test_a_function_that_hangs_is_a_timeout(function):
    assert function("import time\ndef it(): time.sleep(60)", timeout=1).reason == "timeout"


def test_a_large_answer_is_no_problem(function):
    assert function("def it(): return 'x' * 10_000_000").ok
