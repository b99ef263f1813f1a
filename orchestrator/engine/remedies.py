"""Remedies applied: what one may use of a start, and what it changes for everything that follows."""

from __future__ import annotations

import select
import time
from typing import TYPE_CHECKING, Any

from orchestrator.engine import events
from orchestrator.fallbacks._base import perform
from orchestrator.system import processes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.core.context import Context
    from orchestrator.engine.item import Work
    from orchestrator.engine.run import Start
    from orchestrator.fallbacks._base import Performed


def apply(start: Start, work: Work, action: Any) -> tuple[bool, str, dict[str, Any]]:
    """Applies a remedy: whether it could be, what came of it, and more for the event about it."""
    assert work.result is not None
    refused = {"level": "warning", "code": "ORC801"}
    done = perform(action, work.item, work.result, _Hands(start, work))
    if not done.ok:
        return False, done.summary, refused
    if refusal := start.variables.refusal(done.sets) if done.sets else "":
        return False, f"cannot {done.setting}: {refusal}", refused
    _take_over(start, work, done)
    changed = {"changed": done.changed} if done.changed else {}
    return True, done.summary, {"again": action.lowered()["again"], **changed}


def _take_over(start: Start, work: Work, done: Performed) -> None:
    """What a remedy changed holds for everything that follows."""
    if done.sets:
        start.variables.change(done.sets)
    if done.item is not None:
        work.item, work.used_values = (
            done.item,
            done.used,
        )  # after the values: what is resolved again is as written


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
