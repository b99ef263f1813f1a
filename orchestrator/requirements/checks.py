"""`checks`: checks of your own. A command, a Python function in a child, or a condition."""

import os
import shlex
import sys
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import AfterValidator, Field

from orchestrator.core.exit_status import named
from orchestrator.core.outcome import failed, ok
from orchestrator.requirements._base import Requirement
from orchestrator.spec.commanding import Commanding, CommandLine
from orchestrator.spec.errors import problem
from orchestrator.spec.item import AnyCondition
from orchestrator.spec.templated import Templated
from orchestrator.spec.types import FunctionReference

if TYPE_CHECKING:
    from orchestrator.core.context import Context
    from orchestrator.core.outcome import Outcome
    from orchestrator.spec.breaking import Sandbox
    from orchestrator.system.processes import Result
    from orchestrator.waits._child import Done
    from orchestrator.waits._failure import Failure

_SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "_call.py")
_DETAILS = 8000


class Check(Requirement):
    """A check of your own. It is tried once unless it has a `deadline`."""

    kind = "check"
    noun = "check"
    identity_field = "name"
    removed_keys: ClassVar = {
        "port": "to wait until something listens write `tcp: HOST:PORT` under `wait_for`; the launch's own port is bound first"
    }

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")] = Field(
        description="The check's name: `ledger` makes the id `check:ledger`.", examples=["ledger"]
    )

    def failures(self) -> tuple[str, ...]:
        return ("unexpected", "timeout")


def _some_command(value: tuple[str, ...]) -> tuple[str, ...]:
    if not value[0]:
        raise problem("ORC115", "the command has an empty name", "for example [python, -m, app.check]")
    return value


class Run(Check, Commanding):
    """A command that must end with 0. It runs as the service's user, and without a shell unless one is asked for."""

    example: ClassVar = {"name": "ledger", "run": ["python", "-m", "app.selfcheck"]}
    removed_keys: ClassVar = Check.removed_keys | Commanding.removed_keys

    run: Annotated[CommandLine, AfterValidator(_some_command)] = Field(
        description="The command and its arguments.", examples=[["python", "-m", "app.selfcheck"]]
    )

    def make_fail(self, failure: str, sandbox: "Sandbox") -> None:
        sandbox.item["run"] = sandbox.command(failure, self.run)

    def attempt(self, context: "Context") -> "Outcome":
        from orchestrator.waits._child import asked as run
        from orchestrator.waits._failure import Deadline, Failure
        from orchestrator.waits.command import output_wrong

        try:
            done = run(self.run, self, context, Deadline(context.timeout))
        except Failure as failure:
            return _not_ended(self, failure, context)
        if done.code not in self.exit_codes:
            return _wrong_exit(self, done)
        if wrong := output_wrong(self, done):
            summary = f"the output of `{self.run[0]}`: {wrong}"
            return _run_failed("output", summary, _by_hand(self), done.whole)
        return ok(_last_line(done.stdout) or _last_line(done.stderr) or f"ended with {done.code}")


class PythonCheck(Check):
    """A Python function, called in a child as the service's user.

    None and True mean that the check holds; False, a text (which is shown) or an exception that it does not.
    """

    python: Templated[FunctionReference] = Field(
        description="The function, as `package.module:function`.", examples=["app.checks:ledger_is_balanced"]
    )

    def make_fail(self, failure: str, sandbox: "Sandbox") -> None:
        sandbox.item["python"] = sandbox.function(failure)

    def attempt(self, context: "Context") -> "Outcome":
        from orchestrator.system.processes import capture

        token = f"orchestrator-{os.urandom(8).hex()}:"
        argv = [sys.executable, "-P", _SCRIPT, token, self.python]
        result = capture(argv, context, context.timeout)
        output, found, answer = result.output.rpartition(f"\n{token}")
        if not found:
            return _no_answer(self.python, result, context)
        import json

        # What follows the line was printed at the interpreter's end.
        return _judged(self.python, json.loads(answer.splitlines()[0]), output, context)


class Holds(Check):
    """A condition that must hold. Its `why` is the message."""

    holds: AnyCondition = Field(
        description="The condition.", examples=[{"variable": "REGION", "in": ["eu", "us"]}]
    )

    def failures(self) -> tuple[str, ...]:
        return ("unexpected",)

    def make_fail(self, failure: str, sandbox: "Sandbox") -> None:
        del failure
        sandbox.item["holds"] = {"exists": "/there/is/no/such/path"}

    def attempt(self, context: "Context") -> "Outcome":
        from orchestrator.requirements._conditions import answer

        holds, why = answer(self.holds, context)
        if holds is None:
            message = f"cannot tell whether it holds: {why}"
            return failed("ORC471", "cannot-tell", message, "fix what the condition asks")
        if holds:
            return ok(why)
        message = f"{self.why}: {why}" if self.why else f"the condition does not hold: {why}"
        return failed("ORC471", "condition", message, _to_make_hold(self.holds))


def _not_ended(check: Run, failure: "Failure", context: "Context") -> "Outcome":
    name = check.run[0]
    if failure.reason == "timeout":
        summary = f"`{name}` did not end within {context.timeout:g} s"
        return _run_failed(
            "timeout", summary, "give it a longer `timeout`, or make it faster", failure.details
        )
    if not failure.final:
        return _run_failed("output", failure.summary, failure.hint, failure.details)
    return _run_failed("not-started", failure.summary, _to_start(name, failure, context), failure.details)


def _to_start(name: str, failure: "Failure", context: "Context") -> str:
    path = context.environ.get("PATH", os.defpath)
    if failure.summary.startswith("there is no command"):
        return f"install {name} in the image; PATH is {path}"
    return failure.hint or f"ls -l {name}"


def _wrong_exit(check: Run, done: "Done") -> "Outcome":
    line = _last_line(done.stderr) or _last_line(done.stdout)
    behind = f": {line}" if line else ""
    name = check.run[0]
    if done.code < 0:
        how = f"`{name}` was ended by {named(-done.code)}"
        return _run_failed("signal", how + behind, _by_hand(check), done.whole)
    wanted = " or ".join(map(str, check.exit_codes))
    how = f"`{name}` ended with {done.code}, expected {wanted}"
    return failed(
        "ORC471", "exit", how + behind, _by_hand(check), details=done.whole[-_DETAILS:], exit_code=done.code
    )


def _by_hand(check: Run) -> str:
    return f"run it by hand: {shlex.join(check.run)}"


def _run_failed(reason: str, summary: str, hint: str, details: str) -> "Outcome":
    return failed("ORC471", reason, summary, hint, details=details[-_DETAILS:])


def _last_line(output: str) -> str:
    """The last line that says something."""
    lines = [each.strip() for each in output.splitlines() if each.strip()]
    return lines[-1][:300] if lines else ""


def _to_make_hold(condition: Any) -> str:
    """The hint for a condition with one thing to fix."""
    if (variable := getattr(condition, "variable", None)) is not None:
        return f"set `{variable}` to what the condition asks for"
    if (path := getattr(condition, "exists", None)) is not None:
        return f"make or mount {path}"
    if (package := getattr(condition, "package", None)) is not None:
        return f"pip install '{package}'"
    return "change what the condition asks about, or the condition"


def _no_answer(reference: str, result: "Result", context: "Context") -> "Outcome":
    """The child ended before it could say anything: killed, crashed, or the function ended the process."""
    if result.timed_out:
        summary, reason = f"{reference} did not end within {context.timeout:.3g} s", "timeout"
        hint = "give it a longer `timeout`, or make it faster"
    elif result.problem:
        summary, reason, hint = f"{reference}: {result.ended}", "not-started", f"ls -l {sys.executable}"
    elif result.code < 0:
        summary, reason = f"{reference}: its process {result.ended}", "crash"
        hint = "python -X faulthandler shows the line that crashes"
    else:
        summary, reason = f"{reference}: its process {result.ended} without an answer", "exit"
        hint = "a check returns True, False or a text; it must not call sys.exit"
    return failed("ORC471", reason, summary, hint, details=result.output[-_DETAILS:])


def _judged(reference: str, answer: dict[str, Any], output: str, context: "Context") -> "Outcome":
    if answer["ok"]:
        return ok(f"{reference} holds")
    if "type" in answer:
        return _raised(reference, answer, context)
    if "returned" in answer:
        summary = f"{reference} returned a value of type {answer['returned']}, which says neither yes nor no"
        return failed(
            "ORC471", "answer", summary, "return True, False, or a text that says what is wrong", final=True
        )
    summary = answer["message"] or f"{reference} returned False"
    return failed(
        "ORC471", "check", summary, f"see what {reference} asks for", details=output.strip()[-_DETAILS:]
    )


def _raised(reference: str, answer: dict[str, Any], context: "Context") -> "Outcome":
    module, _, name = reference.partition(":")
    details = answer["traceback"]
    if answer["missing"] and (module == answer["missing"] or module.startswith(answer["missing"] + ".")):
        hint = f"correct `{reference}`, or COPY the module into the image"
        return failed("ORC421", "missing", f"there is no module `{answer['missing']}`", hint, final=True)
    if answer["type"] == "AttributeError" and answer["own"]:
        hint = f"define `{name}` in {module}, or correct `{reference}`"
        return failed("ORC427", "attribute", f"`{module}` has no `{name}`", hint, details=details, final=True)
    place = answer["at"].removeprefix(context.cwd.rstrip("/") + "/")
    first = answer["message"].splitlines()[0] if answer["message"] else ""
    summary = (
        f"{reference} raises {answer['type']}{f': {first}' if first else ''}{f' ({place})' if place else ''}"
    )
    return failed(
        "ORC471",
        "exception",
        summary,
        f"fix {place or reference}: the traceback says what led there",
        details=details,
    )


KIND = Check
KINDS: dict[str, type[Check]] = {"run": Run, "python": PythonCheck, "holds": Holds}
