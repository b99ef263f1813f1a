"""Check the requirements and wait for what must answer; run no step and start nothing.

`--static` leaves out what needs a network: for CI, inside the built image.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from orchestrator.cli import _spec, console, summary
from orchestrator.cli._main_job import _leave, may_switch
from orchestrator.cli._start import Invocation
from orchestrator.core.exceptions import Usage
from orchestrator.core.outcome import Status, ok
from orchestrator.engine import events
from orchestrator.engine.exceptions import Interrupted, Invalid
from orchestrator.engine.report import exit_code
from orchestrator.engine.run import Start
from orchestrator.system.signals import Notes

if TYPE_CHECKING:
    import argparse


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("role", nargs="?", default="", metavar="ROLE", help="which of the spec's roles")
    parser.add_argument("--static", action="store_true", help="leave out what needs a network")
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="ID",
        help="this item and what it needs; may be given several times",
    )
    parser.add_argument(
        "--format", choices=("text", "json", "junit"), default="text", help="how the result is written"
    )
    _spec.add_fail_on(parser)


def run(options: argparse.Namespace) -> int:
    notes = Notes()
    notes.install()
    options.words = []
    try:
        invocation = Invocation(options, notes)
        start = _prepared(invocation, options)
    except Usage as error:
        return _spec.usage(error)
    if start is None:
        return invocation.invalid(invocation.loaded.diagnostics)
    try:
        with console.tidied():
            code = _checked(invocation, start, options)
    except Invalid as error:
        return invocation.invalid(error.diagnostics)
    except Usage as error:
        return _spec.usage(error)
    except Interrupted as stop:
        start.close()
        return _leave(128 + stop.number)
    return _leave(code)


def _prepared(invocation: Invocation, options: argparse.Namespace) -> Start | None:
    if invocation.loaded.failed:
        return None
    start = Start(invocation.loaded, invocation.stream, invocation.notes, environ=os.environ, role=invocation.choice.role,
                  network=not options.static, steps=False, only=options.only)  # fmt: skip
    start.log_format = invocation.log_format
    start.mends = False
    if may_switch(start):
        start.root_work.expect()
    return start


def _checked(invocation: Invocation, start: Start, options: argparse.Namespace) -> int:
    start.prepare()
    _refuse_unknown(start, options.only)
    start.settle()
    _tell_app(start)
    code = 0
    if start.failures and options.fail_on != "never":
        code = exit_code(
            [(work.kind, work.outcome.reason if work.outcome else "") for work in start.failures]
        )
    elif options.fail_on in ("warning", "note") and any(
        work.status in (Status.DEGRADED, Status.WARNED) for work in start.works
    ):
        code = _spec.FINDINGS
    invocation.stream.emit(events.SERVICE, status="failed" if start.failures else "ready", level="debug")
    invocation.stream.emit(events.FINISHED, level="debug", exit_code=code)
    start.close()
    _write(invocation, options.format, code)
    return code


def _tell_app(start: Start) -> None:
    """The app was imported as it would be served, and is let go."""
    launch = start.by_id.get("launch")
    if launch is None or launch.settled:
        return
    if start.importing.importer is None:
        blocked_by = next((work.id for work in start.failures), "")
        start.block(launch, blocked_by) if blocked_by else None
        return
    launch.attempts, launch.started = 1, start.stream.now()
    launch.outcome = ok(f"{launch.item.app} is imported" if launch.item.app else "left alone")
    start.settle_as(launch, Status.OK)


def _refuse_unknown(start: Start, only: list[str]) -> None:
    from orchestrator.spec.index import Index

    index = Index(start.spec)
    for reference in only:
        found = index.find(reference)
        if len(found) != 1:
            known = ", ".join(found or index.names)
            raise Usage(
                f"--only {reference}: "
                + ("it may mean " if found else "there is no such item; there are ")
                + known
            )


def _write(invocation: Invocation, form: str, code: int) -> None:
    report = invocation.report
    if form == "json":
        print(json.dumps(invocation.stream.secrets.clean(report.record()), indent=2))
    elif form == "junit":
        from orchestrator.cli._junit import junit

        print(junit(report.record()))
    elif invocation.log_format == "text":
        if code and report.failed:
            console.say(summary.screen(report, code, "may not start", summary.columns()))
        else:
            counts = console.counts(report)
            console.say(f"orchestrator: {report.service} may start: {counts}")
