"""`orchestrator run`, behind its light front: the engine with its log, its state directory and its last words."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from orchestrator.cli import _spec, console
from orchestrator.cli._start import Invocation
from orchestrator.engine import events
from orchestrator.engine.run import InternalError, Invalid, Start
from orchestrator.engine.service import Service
from orchestrator.status import state

if TYPE_CHECKING:
    import argparse

    from orchestrator.launch.preload import Preloaded
    from orchestrator.launch.signals import Notes


def run(options: argparse.Namespace, notes: Notes, preloaded: Preloaded | None) -> int:
    try:
        invocation = Invocation(options, notes)
    except _spec.Usage as error:
        return _spec.usage(error)
    if invocation.loaded.failed:
        return invocation.invalid(invocation.loaded.diagnostics)
    _spec.show(invocation.loaded.diagnostics, invocation.loaded.sources, options)
    return _leave(_start(invocation, preloaded))


def _start(invocation: Invocation, preloaded: Preloaded | None) -> int:
    directory, why = state.locate(os.environ)
    choice = invocation.choice
    start = Start(
        invocation.loaded, invocation.stream, invocation.notes, environ=os.environ, role=choice.role,
        words=choice.words, instead=choice.instead, steps=not choice.instead,
    )  # fmt: skip
    start.importing.preloaded = preloaded
    start.state_directory, start.log_format = directory or "", invocation.log_format
    kept = state.StateDirectory(directory) if directory else None
    if kept is not None:
        invocation.stream.listeners.append(lambda event: _keep(kept, event))
    else:
        invocation.stream.emit(events.NOTE, f"no state directory: {why}", level="warning", code="ORC707",
                            hint="mount a writable directory and set ORCHESTRATOR_STATE_DIR")  # fmt: skip
    if invocation.log_format == "text":
        invocation.stream.listeners.append(lambda event: _say_when_well(invocation, event))
    service = Service(start, invocation.report, kept)
    try:
        code = service.run()
    except Invalid as error:
        start.close()
        return invocation.invalid(error.diagnostics)
    except InternalError as error:
        start.close()
        print(
            f"{error}\norchestrator: internal error[ORC901]: this is a bug; please report it with the traceback above",
            file=sys.stderr,
        )
        return 1
    return invocation.failed(code) if code else 0


def _keep(kept: state.StateDirectory, event: events.Event) -> None:
    if event.level != "debug":
        kept.append_event(event.record())


def _say_when_well(invocation: Invocation, event: events.Event) -> None:
    if event.name == events.FINISHED and event.data["exit_code"] is None:
        console.say(console.well(invocation.report))
    elif event.name == events.SERVICE and event.data["status"] == "maintenance":
        console.say(console.maintenance_screen(invocation.report))


def _leave(code: int) -> int:
    """By flush and exit: threads that still wait for something must not keep the end waiting."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
