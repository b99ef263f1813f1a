"""Fallback actions applied: a verdict settles the item, a remedy is followed by the item's own check."""

from __future__ import annotations

import select
import time
from typing import TYPE_CHECKING, Any

from orchestrator.core.backoff import RESTARTS, delay
from orchestrator.core.outcome import Status
from orchestrator.core.words import DEGRADE, REMEDY, RESTART, SERVE, STOP, WARN
from orchestrator.engine import events
from orchestrator.fallbacks._base import perform
from orchestrator.system import processes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.core.context import Context
    from orchestrator.core.words import Lowered
    from orchestrator.engine.item import Work
    from orchestrator.engine.run import Start
    from orchestrator.fallbacks._base import Performed


def act(start: Start, work: Work, action: Any) -> bool:
    """Applies an action; whether it took the item on: settled it, or had it tried again."""
    lowered = action.lowered()
    if lowered["do"] == REMEDY:
        return _remedy(start, work, action, lowered)
    return _HANDLERS[lowered["do"]](start, work, lowered)


def _tell(
    start: Start, work: Work, lowered: Lowered, result: str, *, level: str = "warning", **data: Any
) -> None:
    start.stream.emit(events.FALLBACK, result, level=level, item=work.id, action=lowered["name"], **data)


def _warn(start: Start, work: Work, lowered: Lowered) -> bool:
    _tell(start, work, lowered, "going on", level="info")
    summary = work.outcome.summary if work.outcome else ""
    start.settle_as(work, Status.WARNED, f"{summary} ({lowered['text']})" if lowered["text"] else "")
    return True


def _degrade(start: Start, work: Work, lowered: Lowered) -> bool:
    work.feature, work.recheck = lowered["feature"], lowered["recheck"]
    work.longest, work.restart_app = lowered["max_degraded"], lowered["restart_app"]
    work.let_go_at = time.monotonic()
    work.off_since = work.off_since or work.let_go_at
    _tell(start, work, lowered, f"going on without {work.feature}", level="info")
    start.settle_as(work, Status.DEGRADED)
    return True


def _stop(start: Start, work: Work, lowered: Lowered) -> bool:
    work.exit_code = lowered["code"]
    start.settle_as(work, Status.FAILED)
    return True


def _serve(start: Start, work: Work, lowered: Lowered) -> bool:
    work.serve = lowered
    limit = f", for {lowered['for']:g} s at most" if lowered["for"] is not None else ""
    does = "serving" if start.steps else "a start would serve"  # a check serves nothing
    _tell(start, work, lowered, f"{does} {lowered['app']} instead{limit}", level="info")
    start.settle_as(work, Status.FAILED)
    return True


def _restart(start: Start, work: Work, lowered: Lowered) -> bool:
    """The server again, after a pause that grows; its budget spent, the next action follows."""
    done = work.attempts_of_actions.get(work.tried, 0)
    if done >= lowered["times"]:
        return False
    work.attempts_of_actions[work.tried] = done + 1
    work.tried -= 1  # it stays the next action
    pause = delay(RESTARTS, done + 1, 1.0)
    _tell(start, work, lowered, f"restart {done + 1} of {lowered['times']} in {pause:g} s")
    start.end_server()
    start.pause(time.monotonic() + pause)
    start.retry(work, lowered["name"])
    return True


def _remedy(start: Start, work: Work, action: Any, lowered: Lowered) -> bool:
    assert work.outcome is not None
    done = perform(action, work.item, work.outcome, _Hands(start, work))
    if not done.ok:
        _tell(start, work, lowered, done.summary, code="ORC801")
        return False
    if refusal := start.variables.refusal(done.sets) if done.sets else "":
        _tell(start, work, lowered, f"cannot {done.setting}: {refusal}", code="ORC801")
        return False
    _take_over(start, work, done)
    changed = {"changed": done.changed} if done.changed else {}
    _tell(start, work, lowered, done.summary, level="info", again=lowered["again"], **changed)
    if lowered["again"]:
        start.retry(work, lowered["name"])
    return bool(lowered["again"])


def _take_over(start: Start, work: Work, done: Performed) -> None:
    """What a remedy changed holds for everything that follows."""
    if done.sets:
        start.variables.change(done.sets)
    if done.item is not None:
        work.item, work.used = done.item, done.used  # after the values: what is resolved again is as written


class _Hands:
    """What remedies may use of a start."""

    def __init__(self, start: Start, work: Work) -> None:
        self._start, self._work = start, work
        self.state_directory = start.state_directory

    @property
    def packages(self) -> str:
        return self._start.installed_in

    @packages.setter
    def packages(self, directory: str) -> None:
        self._start.installed_in = directory

    def context(self) -> Context:
        return self._start.context()

    def service_group(self) -> int | None:
        found = self._start.launched_as
        return found.user.gid if found is not None and found.switch else None

    def execute(
        self, argv: Sequence[str], deadline: float, context: Context | None = None
    ) -> processes.Result:
        return _execute(self._start, self._work, argv, deadline, context or self.context())


def _execute(
    start: Start, work: Work, argv: Sequence[str], deadline: float, context: Context
) -> processes.Result:
    """Runs a command while signals are still heard: a request to stop ends it and the start."""
    try:
        process = processes.start(argv, context)
    except OSError as error:
        return processes.Result(-1, problem=processes.not_started(argv, error)[0])
    start.stream.begun(work.id, "mending", deadline, f"`{argv[0]}` runs")
    ends = time.monotonic() + deadline
    command = processes.Command(
        process, lambda line: start.stream.emit(events.OUTPUT, line, item=work.id), deadline=ends, grace=2.0
    )
    try:
        while (result := command.poll()) is None:
            poll = select.poll()
            poll.register(command.fileno(), select.POLLIN)
            poll.register(start.notes.fileno(), select.POLLIN)
            due = command.due()
            poll.poll(None if due is None else max(0, int((due - time.monotonic()) * 1000) + 1))
            start.take_notes()
    except BaseException:
        command.kill()
        process.wait()
        raise
    if result.timed_out:
        return processes.Result(
            result.code, result.output, f"did not end within {deadline:g} s", timed_out=True
        )
    return result


_HANDLERS = {WARN: _warn, DEGRADE: _degrade, STOP: _stop, SERVE: _serve, RESTART: _restart}
