"""`orchestrator run` after its light front: the engine with its log, state directory and last words."""

from __future__ import annotations

import os
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

from orchestrator.cli import BUG, USAGE, console, summary
from orchestrator.cli._start import Invocation, leave, may_switch
from orchestrator.core.exceptions import Usage
from orchestrator.engine import events, recovery, snapshot
from orchestrator.engine.exceptions import InternalError, Invalid
from orchestrator.engine.run import Start
from orchestrator.engine.service import Service
from orchestrator.launch import preimport, spawn
from orchestrator.status import state
from orchestrator.supervisor import child_engine
from orchestrator.system import files

if TYPE_CHECKING:
    import argparse

    from orchestrator.launch.preimport import Preloaded
    from orchestrator.launch.reexec import Orders
    from orchestrator.system.signals import Notes


UNDECLARED = "ORC214"
"""`validate` checks names, a start checks values: an undeclared name is fine when it is set."""


def run(
    options: argparse.Namespace,
    notes: Notes,
    preloaded: Preloaded | None,
    orders: Orders | None = None,
    path: list[str] | None = None,
) -> int:
    """Starts the service.

    `orders` come from the supervisor, when it has started the engine again; `path` is the module search path to restore
    once root's work is done.
    """
    try:
        invocation = Invocation(options, notes)
    except Usage as error:
        return _usage(error, options)
    if invocation.loaded.failed:
        return invocation.invalid(invocation.loaded.diagnostics)
    if orders is not None and orders["kind"] != child_engine.BACK:
        return leave(_child_engine(invocation, orders))
    if orders is None:
        invocation.show(found for found in invocation.loaded.diagnostics if found.code != UNDECLARED)
    return leave(_start(invocation, preloaded, orders, path))


def _usage(error: Usage, options: argparse.Namespace) -> int:
    """A usage error, in the format of the log; the platform is told as well."""
    text = f"the service did not start (exit {USAGE}): {error}"
    files.write_last_words(summary.shortened(text))
    if options.log_format == "json":
        event = events.Event("last_words", 0.0, "error", "", text, {"exit_code": USAGE, "cause": str(error)})
        console.JsonLines("error")(event)
    else:
        print(f"orchestrator: {error}", file=sys.stderr)
    return USAGE


def _child_engine(invocation: Invocation, orders: Orders) -> int:
    """An engine beside the server, for one item or only to see whether it starts; answers the supervisor."""
    answer: dict[str, Any] = {"word": "well"}
    if orders["kind"] == child_engine.ALONE:
        directory = orders["memory"]["plan"]["state_dir"]
        start = _new_start(invocation, orders)
        start.state_directory = directory
        try:
            answer = recovery.alone(
                start, invocation.report, state.StateDirectory(directory) if directory else None, orders
            )
        finally:
            start.close()
    spawn.put(orders["answer"], answer)
    return 0


def _new_start(invocation: Invocation, orders: Orders | None) -> Start:
    choice = invocation.choice
    return Start(
        invocation.loaded, invocation.stream, invocation.notes, environ=os.environ, role=choice.role,
        words=choice.words, instead=choice.instead, steps=not choice.instead,
        remembered=snapshot.up_to_date(orders) if orders is not None else None,
        alone=orders.get("item", "") if orders is not None else "",
    )  # fmt: skip


def _start(
    invocation: Invocation, preloaded: Preloaded | None, orders: Orders | None, path: list[str] | None
) -> int:
    start = _new_start(invocation, orders)
    start.importing.preloaded = preloaded
    start.log_format = invocation.log_format
    service = Service(start, invocation.report, orders)
    journal = _Journal(service)
    invocation.stream.listeners.append(journal)
    if may_switch(start):
        start.root_work.expect()
    if path is not None:
        start.root_work.when_done(partial(sys.path.__setitem__, slice(None), path))
    start.root_work.when_done(journal.open)
    if path is not None and start.root_work.done:  # the engine stays root: nothing to wait for
        start.importing.preloaded = preimport.begin(start.loaded.files)
    if invocation.log_format == "text":
        invocation.stream.listeners.append(lambda event: _show_verdict(invocation, event))
    try:
        with console.restored():
            code = service.run()
    except Invalid as error:
        start.close()
        return invocation.invalid(error.diagnostics)
    except InternalError as error:
        start.close()
        print(f"{error}\norchestrator: {BUG}", file=sys.stderr)
        files.write_last_words(f"{start.spec.service} did not start (exit 1): {BUG}")
        return 1
    verdict = summary.NOT_STARTED if orders is None else summary.NOT_RESUMED
    return invocation.failed(code, verdict) if code else 0


class _Journal:
    """Events for the state directory, which is opened once the engine is the service's user."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._early: list[events.Event] = []
        self._opened = False

    def __call__(self, event: events.Event) -> None:
        if event.level == "debug":
            return
        if not self._opened:
            self._early.append(event)
        elif self._service.state is not None:
            self._service.state.append_event(event.record())

    def open(self) -> None:
        start = self._service.start
        directory, why = state.locate(os.environ)
        start.state_directory, self._opened = directory or "", True
        if directory:
            self._service.keep_state(state.StateDirectory(directory))
        else:
            start.stream.emit(events.NOTE, f"no state directory: {why}", level="warning", code="ORC707",
                              hint="mount a writable directory and set ORCHESTRATOR_STATE_DIR")  # fmt: skip
        for event in self._early:
            self(event)
        self._early.clear()


def _show_verdict(invocation: Invocation, event: events.Event) -> None:
    if event.name == events.FINISHED and event.data["exit_code"] is None:
        console.say(console.started(invocation.report))
    elif event.name == events.SERVICE and event.data["status"] == "maintenance":
        console.say(summary.maintenance(invocation.report, console.columns()))
