"""Runs the command of a check once, and judges what it came to. Knows nothing of trying again."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

from orchestrator.core.exit_status import named
from orchestrator.core.outcome import failed, ok
from orchestrator.waits._child import asked as ran
from orchestrator.waits._failure import Deadline, Failure
from orchestrator.waits.command import output_wrong

if TYPE_CHECKING:
    from orchestrator.core.context import Context
    from orchestrator.core.outcome import Outcome
    from orchestrator.requirements.checks import Run
    from orchestrator.waits._child import Done

_DETAILS = 8000


def checked(asked: Run, context: Context) -> Outcome:
    """The outcome of one run."""
    try:
        done = ran(asked.run, asked, context, Deadline(context.timeout))
    except Failure as failure:
        return _not_ended(asked, failure, context)
    if done.code not in asked.exit_codes:
        return _ended_badly(asked, done)
    wrong = output_wrong(asked, done)
    if wrong:
        return _failed("output", f"the output of `{asked.run[0]}`: {wrong}", _by_hand(asked), done.whole)
    return ok(last(done.stdout) or last(done.stderr) or f"ended with {done.code}")


def _not_ended(asked: Run, failure: Failure, context: Context) -> Outcome:
    name = asked.run[0]
    if failure.reason == "timeout":
        said = f"`{name}` did not end within {context.timeout:g} s"
        return _failed("timeout", said, "give it a longer `timeout`, or make it faster", failure.details)
    if not failure.final:
        return _failed("output", failure.summary, failure.hint, failure.details)
    return _failed("not-started", failure.summary, _to_start(name, failure, context), failure.details)


def _to_start(name: str, failure: Failure, context: Context) -> str:
    path = context.environ.get("PATH", os.defpath)
    if failure.summary.startswith("there is no command"):
        return f"install {name} in the image; PATH is {path}"
    return failure.hint or f"ls -l {name}"


def _ended_badly(asked: Run, done: Done) -> Outcome:
    said = last(done.stderr) or last(done.stdout)
    behind = f": {said}" if said else ""
    name = asked.run[0]
    if done.code < 0:
        how = f"`{name}` was ended by {named(-done.code)}"
        return _failed("signal", how + behind, _by_hand(asked), done.whole)
    wanted = " or ".join(map(str, asked.exit_codes))
    how = f"`{name}` ended with {done.code}, expected {wanted}"
    return failed(
        "ORC471", "exit", how + behind, _by_hand(asked), details=done.whole[-_DETAILS:], exit_code=done.code
    )


def _by_hand(asked: Run) -> str:
    return f"run it by hand: {shlex.join(asked.run)}"


def _failed(reason: str, said: str, hint: str, details: str) -> Outcome:
    return failed("ORC471", reason, said, hint, details=details[-_DETAILS:])


def last(output: str) -> str:
    """The last line that says something."""
    lines = [each.strip() for each in output.splitlines() if each.strip()]
    return lines[-1][:300] if lines else ""
