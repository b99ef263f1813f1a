"""Steps: one at a time, as a process of their own that the engine's loop hears."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from typing import TYPE_CHECKING, Any

from orchestrator.engine import events, processes
from orchestrator.engine.conditions import CannotTell, holds
from orchestrator.engine.outcome import Outcome, Status, failed, ok

if TYPE_CHECKING:
    from orchestrator.engine.run import Start
    from orchestrator.engine.work import Work

GRACE = 8.0
SHOWN_LINES = 20


class Stepping:
    """The step that runs now, if one does."""

    def __init__(self, start: Start) -> None:
        self.start = start
        self.work: Work | None = None
        self.command: processes.Command | None = None
        self.began = 0.0
        self.forced = False
        """Whether the last step had to be killed."""
        self._stopping = False
        self._outputs = ""

    @property
    def free(self) -> bool:
        return self.command is None

    @property
    def pid(self) -> int:
        return self.command.process.pid if self.command else 0

    def sources(self) -> list[processes.Command]:
        return [self.command] if self.command else []

    def due(self) -> float | None:
        return self.command.due() if self.command else None

    def begin(self, work: Work) -> None:
        """Starts a step, unless it is done already."""
        step = work.item
        try:
            done = self._done_already(step)
        except CannotTell as error:
            self.start.conclude(
                work, failed("ORC601", "condition", f"cannot tell whether it is done: {error}", final=True)
            )
            return
        if done:
            work.outcome = ok(f"done already: {done}")
            self.start.settle_as(work, Status.SKIPPED)
            return
        self._launch(work, step)

    def _done_already(self, step: Any) -> str:
        context = self.start.context()
        if step.creates is not None and os.path.exists(context.path(step.creates)):
            return f"{step.creates} exists"
        if step.unless is not None:
            yes, why = holds(step.unless, context)
            return why if yes else ""
        return ""

    def _launch(self, work: Work, step: Any) -> None:
        context = self.start.context()
        argv = list(step.run) if step.run is not None else ["/bin/sh", "-c", step.shell]
        work.attempts += 1
        work.status = Status.WAITING
        environ = processes.environment(context, step.environment)
        self._outputs = ""
        if isinstance(step.outputs, tuple):
            descriptor, self._outputs = tempfile.mkstemp(prefix="orchestrator-output-")
            os.close(descriptor)
            environ["ORCHESTRATOR_OUTPUT"] = self._outputs
        try:
            process = processes.start(argv, context, cwd=step.cwd or "", environ=environ)
        except OSError as error:
            said, hint = processes.not_started(argv, error)
            self.start.conclude(work, failed("ORC603", "not-started", said, hint, final=True))
            return
        self.work, self.began = work, time.monotonic()
        deadline = self.began + step.deadline if step.deadline is not None else None
        grace = step.grace if step.grace is not None else GRACE
        self.command = processes.Command(process, self._said, deadline=deadline, grace=grace)

    def _said(self, line: str) -> None:
        assert self.work is not None
        self.start.stream.emit(events.OUTPUT, line, item=self.work.id)

    def hear(self) -> None:
        """Takes note of what the step said, and of its end."""
        if self.command is None or (result := self.command.poll()) is None:
            return
        work, self.command = self.work, None
        self.forced = result.code == -signal.SIGKILL
        assert work is not None
        if self._stopping:
            self._forget_outputs()
            return  # what a step comes to that was asked to end is nobody's failure
        outcome = self._outcome(work.item, result)
        self._forget_outputs()
        self.start.conclude(work, outcome)

    def _outcome(self, step: Any, result: processes.Result) -> Outcome:
        took = time.monotonic() - self.began
        last = "\n".join(result.output.splitlines()[-SHOWN_LINES:])
        if result.timed_out:
            return failed("ORC602", "timeout", f"did not end within {step.deadline:g} s and was ended", "raise `deadline`, or find what it waits for: the output is above",
                          details=last)  # fmt: skip
        if result.code != 0:
            return failed(
                "ORC601",
                "exit",
                f"{result.ended} after {took:.1f} s",
                _hint(result),
                details=last,
                exit_code=result.code,
            )
        if step.creates is not None and not os.path.exists(self.start.context().path(step.creates)):
            return failed(
                "ORC604",
                "creates",
                f"ended with 0, but {step.creates} does not exist",
                "correct `creates`, or the step",
            )
        problem = self._take_outputs(step, result.output)
        return problem or ok(f"done in {took:.1f} s")

    def _take_outputs(self, step: Any, output: str) -> Outcome | None:
        """The variables it set; only those it declared, and all of them."""
        if step.outputs is None:
            return None
        found = self._read_outputs() if self._outputs else dict.fromkeys(step.output_names, output.strip())
        missing = [name for name in step.output_names if name not in found]
        strangers = [name for name in found if name not in step.output_names]
        if missing:
            return failed(
                "ORC604",
                "outputs",
                f"did not set {', '.join(missing)}",
                'write a line NAME=value to the file "$ORCHESTRATOR_OUTPUT"',
            )
        if strangers:
            return failed(
                "ORC604",
                "outputs",
                f"set {', '.join(strangers)}, which it does not declare",
                "declare the names under `outputs`",
            )
        self.start.changed(found)
        return None

    def _read_outputs(self) -> dict[str, str]:
        with open(self._outputs, encoding="utf-8", errors="replace") as file:
            pairs = (line.rstrip("\n").partition("=") for line in file if "=" in line)
            return {name.strip(): value for name, _, value in pairs}

    def _forget_outputs(self) -> None:
        if self._outputs:
            os.unlink(self._outputs)
            self._outputs = ""

    def stop(self) -> bool:
        """Asks a running step to end; whether there was one."""
        if self.command is None:
            return False
        self._stopping = True
        self.command.stop()
        return True

    def kill(self) -> None:
        """Ends a running step at once."""
        if self.command is not None:
            self.command.kill()
            self.command.process.wait()
            self.command.poll()
            self.command = None
        self._forget_outputs()


def _hint(result: processes.Result) -> str:
    if result.code == -9:
        return "it was killed: the memory limit may be too low"
    if result.code == 127:
        return "a command in it was not found"
    return "its output is above"
