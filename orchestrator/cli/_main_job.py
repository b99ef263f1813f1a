"""`orchestrator run`, behind its light front: the engine with its log, its state directory and its last words."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from orchestrator.cli import _spec, console
from orchestrator.cli._start import Session
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
        session = Session(options, notes)
    except _spec.Usage as error:
        return _spec.usage(error)
    if session.loaded.failed:
        return session.invalid(session.loaded.diagnostics)
    _spec.show(session.loaded.diagnostics, session.loaded.sources, options)
    return _leave(_start(session, preloaded))


def _start(session: Session, preloaded: Preloaded | None) -> int:
    directory, why = state.locate(os.environ)
    choice = session.choice
    start = Start(
        session.loaded, session.stream, session.notes, environ=os.environ, role=choice.role,
        words=choice.words, instead=choice.instead, steps=not choice.instead,
    )  # fmt: skip
    start.importing.preloaded = preloaded
    start.state_directory, start.log_format = directory or "", session.log_format
    kept = state.StateDirectory(directory) if directory else None
    if kept is not None:
        session.stream.listeners.append(lambda event: _keep(kept, event))
    else:
        session.stream.emit(events.NOTE, f"no state directory: {why}", level="warning", code="ORC707",
                            hint="mount a writable directory and set ORCHESTRATOR_STATE_DIR")  # fmt: skip
    if session.log_format == "text":
        session.stream.listeners.append(lambda event: _say_when_well(session, event))
    service = Service(start, session.report, kept)
    try:
        code = service.run()
    except Invalid as error:
        start.close()
        return session.invalid(error.diagnostics)
    except InternalError as error:
        start.close()
        print(
            f"{error}\norchestrator: internal error[ORC901]: this is a bug; please report it with the traceback above",
            file=sys.stderr,
        )
        return 1
    return session.failed(code) if code else 0


def _keep(kept: state.StateDirectory, event: events.Event) -> None:
    if event.level != "debug":
        kept.append_event(event.record())


def _say_when_well(session: Session, event: events.Event) -> None:
    if event.name == events.FINISHED and event.data["exit_code"] is None:
        print(console.well(session.report), file=sys.stderr, flush=True)
    elif event.name == events.SERVICE and event.data["status"] == "maintenance":
        print(console.maintenance_screen(session.report), file=sys.stderr, flush=True)


def _leave(code: int) -> int:
    """By flush and exit: threads that still wait for something must not keep the end waiting."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
