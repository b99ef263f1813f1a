"""Steps: one at a time, as a process of their own that the engine's loop hears."""

from __future__ import annotations

import os
import random
import signal
import tempfile
import time
from typing import TYPE_CHECKING, Any

from orchestrator.core import backoff
from orchestrator.core.outcome import Outcome, Status, failed, ok
from orchestrator.engine import events, identity, step_lock
from orchestrator.engine.exceptions import InternalError
from orchestrator.engine.locks import lock_of
from orchestrator.requirements._conditions import holds
from orchestrator.system import processes

if TYPE_CHECKING:
    from orchestrator.core.context import Context
    from orchestrator.engine.item import Work
    from orchestrator.engine.locks import Lock
    from orchestrator.engine.run import Start

GRACE = 8.0
SHOWN_LINES = 20
RETRIES = 3
"""Attempts of a step whose `retry` names no `times`."""
LOCK_PATIENCE = 60.0
"""Seconds for which a lock's server that does not answer is asked again."""


class Stepping:
    """The step that runs now, if one does."""

    def __init__(self, start: Start) -> None:
        self.start = start
        self.work: Work | None = None
        self.command: processes.Command | None = None
        self.turn: step_lock.Turn | None = None
        """Its turn: the question whether it is done, and its lock, where it has one, waited for or held."""
        self.began = 0.0
        self.forced = False
        """Whether the last step had to be killed."""
        self._stopping = False
        self._again: float | None = None
        """When (`time.monotonic`) the step that failed is tried again."""
        self._tries = 0
        self._first = 0.0
        self._outputs = ""
        self._lost = ""

    @property
    def free(self) -> bool:
        return self.command is None and self.turn is None and self._again is None

    @property
    def pid(self) -> int:
        return self.command.process.pid if self.command else 0

    def sources(self) -> list[processes.Command | step_lock.Turn]:
        return [each for each in (self.turn, self.command) if each is not None]

    def due(self) -> float | None:
        return self.command.due() if self.command else self._again

    def begin(self, work: Work) -> None:
        """Starts a step, unless it is done already; one with a lock when it is its turn."""
        step = work.item
        self._tries, self._first, self._again = 0, time.monotonic(), None
        if step.lock is not None or step.unless is not None:
            self._await_turn(work, step)
        elif done := _done_already(step, self.start.context()):
            self._is_done(work, done)
        else:
            self._launch(work, step)

    def _is_done(self, work: Work, why: str) -> None:
        work.result = ok(f"done already: {why}")
        self.start.settle_as(work, Status.SKIPPED)

    def _await_turn(self, work: Work, step: Any) -> None:
        """The question whether it is done is asked before and under the lock, beside the engine's loop."""
        context = self.start.context()
        self.work, work.status, self._lost = work, Status.WAITING, ""
        lock = self._lock_of(step, context) if step.lock is not None else None
        defaults = self.start.spec.defaults
        patience = defaults.deadline if defaults and defaults.deadline is not None else LOCK_PATIENCE
        self.turn = step_lock.Turn(lock, lambda: _done_already(step, context), patience)
        self.start.stream.begun(work.id, "asking", None, "whether it is done already")
        self.turn.start()

    def _lock_of(self, step: Any, context: Context) -> Lock:
        named = step.lock.removeprefix("wait:")
        wait = next(
            (each.item for each in self.start.works if each.kind == "wait" and each.item.name == named), None
        )
        return lock_of(step.lock, context, step.name, wait)

    def _hear_turn(self) -> None:
        turn, work = self.turn, self.work
        for told in turn.take() if turn else ():
            if self.turn is not turn or work is None:
                return  # it was concluded, and what follows is of no interest
            if told.word == step_lock.WAITS:
                self.start.stream.emit(events.WAITING, told.text, item=work.id, attempt=1, reason="lock")
            elif told.word == step_lock.GO:
                if work.item.lock is None:
                    self._end_turn()
                self._launch(work, work.item)
            elif told.word == step_lock.LOST:
                self._lose_lock(work, told.text)
            elif told.word == step_lock.DONE:
                self._end_turn()
                self._is_done(work, told.text)
            elif told.word == step_lock.FAILED and told.outcome is not None:
                self._conclude(work, told.outcome)
            else:
                raise InternalError(told.text)

    def _lose_lock(self, work: Work, why: str) -> None:
        """Another start may run the step from now on: this one must not go on with it."""
        self._lost = why
        if self.command is not None:
            self.command.stop()
        elif self.turn is not None:
            self._conclude(work, self._lock_lost(work.item))

    def _lock_lost(self, step: Any, details: str = "") -> Outcome:
        return failed("ORC601", "lock-lost", f"its lock `{step.lock}` was lost, and it was ended: {self._lost}",
                      "see whether it did its work in part; the next start runs it again", details=details)  # fmt: skip

    def _conclude(self, work: Work, outcome: Outcome) -> None:
        self._end_turn()
        self.start.conclude(work, outcome)

    def _end_turn(self) -> None:
        if self.turn is not None:
            self.turn.end()
            self.turn = None

    def _launch(self, work: Work, step: Any) -> None:
        argv = list(step.run) if step.run is not None else ["/bin/sh", "-c", step.shell]
        work.attempts += 1
        work.status = Status.WAITING
        context = identity.of_step(self.start, step.user)
        if isinstance(context, Outcome):
            self._conclude(work, context)
            return
        environ = processes.environment(context, step.environment)
        self._outputs = ""
        if isinstance(step.outputs, tuple):
            descriptor, self._outputs = tempfile.mkstemp(prefix="orchestrator-output-")
            if os.geteuid() == 0:
                os.fchown(descriptor, context.user.uid, context.user.gid)
            os.close(descriptor)
            environ["ORCHESTRATOR_OUTPUT"] = self._outputs
        try:
            process = processes.start(
                argv, context, cwd=step.cwd or "", environ=environ, bound=self.turn is not None
            )
        except OSError as error:
            said, hint = processes.not_started(argv, error)
            self._conclude(work, failed("ORC603", "not-started", said, hint, final=True))
            return
        self.work, self.began = work, time.monotonic()
        self._tries += 1
        if self._tries == 1:
            self._first = self.began  # waiting for its turn is no part of it
        deadline = self._limit(step)
        grace = step.grace if step.grace is not None else GRACE
        self.start.stream.begun(
            work.id, "running", step.deadline or step.timeout, spent=self.began - self._first
        )
        self.command = processes.Command(
            process, self._said, deadline=deadline, grace=grace, user=context.user
        )

    def _limit(self, step: Any) -> float | None:
        """When this attempt is ended: `timeout` is an attempt's, `deadline` is for all of them."""
        limits = [self.began + step.timeout] if step.timeout is not None else []
        limits += [self._first + step.deadline] if step.deadline is not None else []
        return min(limits, default=None)

    def _try_again(self, work: Work, outcome: Outcome) -> bool:
        """Whether a step that failed has attempts left; only one that says `retry` has more than one."""
        step = work.item
        if outcome.ok or outcome.final or self._lost or step.retry is None:
            return False
        policy = backoff.policy(step.retry)
        pause = backoff.delay(policy, self._tries, random.random())  # noqa: S311 - spreads load, keeps no secret
        over = step.deadline is not None and time.monotonic() + pause >= self._first + step.deadline
        if over or self._tries >= (policy.times or RETRIES):
            return False
        self.start.stream.emit(
            events.WAITING, outcome.summary, item=work.id, attempt=self._tries, reason=outcome.reason
        )
        self._again = time.monotonic() + pause
        return True

    def _said(self, line: str) -> None:
        assert self.work is not None
        self.start.stream.emit(events.OUTPUT, line, item=self.work.id)

    def hear(self) -> None:
        """Takes note of what the step and its lock said, and of the step's end."""
        self._hear_turn()
        if self._again is not None and time.monotonic() >= self._again and self.work is not None:
            self._again = None
            self._launch(self.work, self.work.item)
        if self.command is None or (result := self.command.poll()) is None:
            return
        work, self.command = self.work, None
        self.forced = result.code == -signal.SIGKILL
        assert work is not None
        if self._stopping:
            self._forget_outputs()
            self._end_turn()
            return  # what a step comes to that was asked to end is nobody's failure
        outcome = self._outcome(work.item, result)
        self._forget_outputs()
        if not self._try_again(work, outcome):
            self._conclude(work, outcome)

    def _outcome(self, step: Any, result: processes.Result) -> Outcome:
        took = time.monotonic() - self.began
        last = "\n".join(result.output.splitlines()[-SHOWN_LINES:])
        if self._lost:
            return self._lock_lost(step, last)
        if result.timed_out:
            limit = step.deadline if step.timeout is None else step.timeout
            return failed("ORC602", "timeout", f"did not end within {limit:g} s and was ended", "raise `deadline`, or find what it waits for" + (": its last lines say how far it came" if last else ""),
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
        self.start.variables.change(found)
        return None

    def _read_outputs(self) -> dict[str, str]:
        # The step's user owns it, and could have put a symlink in its place: root reads no file of his choice.
        descriptor = os.open(self._outputs, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, encoding="utf-8", errors="replace") as file:
            pairs = (line.rstrip("\n").partition("=") for line in file if "=" in line)
            return {name.strip(): value for name, _, value in pairs}

    def _forget_outputs(self) -> None:
        if self._outputs:
            os.unlink(self._outputs)
            self._outputs = ""

    def stop(self) -> bool:
        """Asks a running step to end; whether there was one."""
        self._again = None
        if self.command is None:
            self._end_turn()
            return False
        self._stopping = True
        self.command.stop()
        return True

    def kill(self) -> None:
        """Ends a running step at once."""
        self._again = None
        if self.command is not None:
            self.command.kill()
            self.command.process.wait()
            self.command.poll()
            self.command = None
        self._end_turn()
        self._forget_outputs()


def _done_already(step: Any, context: Context) -> str:
    if step.creates is not None and os.path.exists(context.path(step.creates)):
        return f"{step.creates} exists"
    if step.unless is not None:
        yes, why = holds(step.unless, context)
        return why if yes else ""
    return ""


def _hint(result: processes.Result) -> str:
    if result.code == -9:
        return "it was killed: the memory limit may be too low"
    if result.code == 127:
        return "a command in it was not found"
    return "what it printed tells why" if result.output.strip() else "it printed nothing: run it by hand"
