"""Fallback actions applied: a remedy is followed by the check itself, a verdict settles the item."""

from __future__ import annotations

import dataclasses
import select
import time
from typing import TYPE_CHECKING, Any

from orchestrator.core.backoff import Policy, delay
from orchestrator.core.outcome import Status
from orchestrator.engine import events
from orchestrator.system import processes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.core.context import Context
    from orchestrator.engine.item import Work
    from orchestrator.engine.run import Start

RUN_DEADLINE = 60.0
INSTALL_DEADLINE = 2 * 300.0
"""pip is run twice: what it would install, and then that."""
ABOUT_THE_SERVER = ("install", "restart", "serve", "set", "use", "stop")
"""Actions that change the server or end it: beside a running one they are the supervisor's to decide."""
RESTART_DELAY = Policy(initial=0.5, factor=2.0, max=30.0, jitter="none")


def act(start: Start, work: Work, action: Any) -> bool:
    """Applies an action; whether it took the item on: settled it, or had it tried again."""
    handler = _HANDLERS.get(action.word)
    if handler is None:
        if hasattr(action, "apply"):  # a plug-in's
            return _own(start, work, action)
        return False
    return handler(start, work, action)


def _tell(start: Start, work: Work, action: Any, result: str, *, level: str = "warning", **data: Any) -> None:
    start.stream.emit(events.FALLBACK, result, level=level, item=work.id, action=action.word, **data)


def longest(action: Any) -> float:
    """Seconds that a remedy may take."""
    if action.word == "run":
        return float(action.deadline if action.deadline is not None else RUN_DEADLINE)
    return INSTALL_DEADLINE if action.word == "install" else RUN_DEADLINE if action.remedy else 0.0


def _warn(start: Start, work: Work, action: Any) -> bool:
    _tell(start, work, action, "going on", level="info")
    said = f"{_summary(work)} ({action.warn})" if action.warn else ""
    start.settle_as(work, Status.WARNED, said)
    return True


def _degrade(start: Start, work: Work, action: Any) -> bool:
    work.feature, work.recheck = action.degrade, action.recheck
    work.longest, work.restart_app = action.max_degraded, action.restart_app
    work.let_go_at = time.monotonic()
    work.off_since = work.off_since or work.let_go_at
    _tell(start, work, action, f"going on without {action.degrade}", level="info")
    start.settle_as(work, Status.DEGRADED)
    return True


def _stop(start: Start, work: Work, action: Any) -> bool:
    work.exit_code = action.exit_code
    start.settle_as(work, Status.FAILED)
    return True


def _serve(start: Start, work: Work, action: Any) -> bool:
    work.serve = action
    limit = f", for {action.for_:g} s at most" if action.for_ is not None else ""
    does = "serving" if start.steps else "a start would serve"  # a check serves nothing
    _tell(start, work, action, f"{does} {action.serve} instead{limit}", level="info")
    start.settle_as(work, Status.FAILED)
    return True


def _set(start: Start, work: Work, action: Any) -> bool:
    names = ", ".join(sorted(action.set))
    if refusal := start.variables.refusal(action.set):
        _tell(start, work, action, f"cannot set {names}: {refusal}", code="ORC801")
        return False
    start.variables.change(action.set)
    _tell(
        start,
        work,
        action,
        f"set {names}",
        level="info",
        again=True,
        changed={"variables": sorted(action.set)},
    )
    start.retry(work, action.word)
    return True


def _use(start: Start, work: Work, action: Any) -> bool:
    what, value = action.use.value
    changed = using(work.item, what, value)
    if changed is None:
        _tell(start, work, action, f"`{what}` cannot stand in for anything here")
        return False
    exports = {action.use.export: value} if action.use.export else {}
    if refusal := start.variables.refusal(exports) if exports else "":
        _tell(start, work, action, f"cannot export {what} {value}: {refusal}", code="ORC801")
        return False
    work.item, work.used = changed, (what, value)
    if action.use.export:
        start.variables.change(exports)
        work.item = changed  # what was resolved again is the item as written
    exported = f", exported as {action.use.export}" if action.use.export else ""
    names = [action.use.export] if action.use.export else []
    _tell(
        start,
        work,
        action,
        f"using {what} {value}{exported}",
        level="info",
        again=True,
        changed={what: value, "variables": names},
    )
    start.retry(work, action.word)
    return True


def using(item: Any, what: str, value: str) -> Any | None:
    """The item with another value; None where the value cannot stand in for anything."""
    fresh: Any = int(value) if what == "port" else value
    if dataclasses.is_dataclass(item) and not isinstance(item, type):
        return dataclasses.replace(item, **{what: fresh}) if hasattr(item, what) else None
    if what in type(item).model_fields:
        return item.model_copy(update={what: fresh})
    return _elsewhere(item, value) if what == "url" else None


def _elsewhere(wait: Any, url: str) -> Any | None:
    """A wait for another address: its kind's own field takes it, and all else stays."""
    kind = type(wait).__module__.rpartition(".")[2]
    if kind not in type(wait).model_fields:
        return None
    made = type(wait).model_validate({"name": wait.name, kind: url})
    rest = {name: getattr(wait, name) for name in wait.model_fields_set if name != kind}
    return made.model_copy(update={**rest, kind: _asked_alike(getattr(wait, kind), getattr(made, kind))})


def _asked_alike(before: Any, address: Any) -> Any:
    """The new address, asked as the old one was: with its headers, its authority. Where and who is the new one's."""
    if not hasattr(before, "model_fields_set") or type(before) is not type(address):
        return address
    where = {"url", "address", "host", "port", "unix", "server_name", *getattr(before, "parts", ())}
    kept = before.model_fields_set - where
    return address.model_copy(update={name: getattr(before, name) for name in kept})


def _restart(start: Start, work: Work, action: Any) -> bool:
    """The server again, after a pause that grows; its budget spent, the next action follows."""
    done = work.attempts_of_actions.get(work.tried, 0)
    if done >= action.times:
        return False
    work.attempts_of_actions[work.tried] = done + 1
    work.tried -= 1  # it stays the next action
    pause = delay(RESTART_DELAY, done + 1, 1.0)
    _tell(start, work, action, f"restart {done + 1} of {action.times} in {pause:g} s")
    start.end_server()
    start.pause(time.monotonic() + pause)
    start.retry(work, action.word)
    return True


def _run(start: Start, work: Work, action: Any) -> bool:
    deadline = action.deadline if action.deadline is not None else RUN_DEADLINE
    return _by_command(start, work, action, action.run, deadline)


def _by_command(start: Start, work: Work, action: Any, argv: Sequence[str], deadline: float) -> bool:
    result = execute(start, work, argv, deadline)
    if result.problem or result.code != 0:
        _tell(start, work, action, f"`{argv[0]}` {result.ended}", code="ORC801")
        return False
    _tell(start, work, action, f"`{argv[0]}` succeeded", level="info", again=True)
    start.retry(work, action.word)
    return True


def execute(
    start: Start, work: Work, argv: Sequence[str], deadline: float, context: Context | None = None
) -> processes.Result:
    """Runs a command while signals are still heard: a request to stop ends it and the start."""
    try:
        process = processes.start(argv, context or start.context())
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


def _install(start: Start, work: Work, action: Any) -> bool:
    from orchestrator.engine import installing

    done = installing.install(start, work, action.install)
    if done.problem:
        _tell(start, work, action, done.problem, code="ORC801")
        return False
    variables = done.variables or {}
    if variables:
        start.variables.change(variables)
    changed = {"wheels": list(done.wheels), "path": done.place, "variables": list(variables)}
    _tell(
        start,
        work,
        action,
        f"installed {', '.join(done.wheels)} in {done.place}",
        level="info",
        again=True,
        changed=changed,
    )
    start.retry(work, action.word)
    return True


def _own(start: Start, work: Work, action: Any) -> bool:
    """A plug-in's remedy: `apply(context, work.outcome) -> Outcome`."""
    outcome = action.apply(start.context(), work.outcome)
    _tell(
        start,
        work,
        action,
        outcome.summary,
        level="info" if outcome.ok else "warning",
        again=outcome.ok and action.remedy,
    )
    if not outcome.ok or not action.remedy:
        return False
    start.retry(work, action.word)
    return True


def _summary(work: Work) -> str:
    return work.outcome.summary if work.outcome else ""


_HANDLERS = {
    "warn": _warn,
    "restart": _restart,
    "degrade": _degrade,
    "stop": _stop,
    "serve": _serve,
    "set": _set,
    "use": _use,
    "run": _run,
    "install": _install,
}
