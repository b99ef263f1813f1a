"""Check the requirements and wait for what must answer; run no step and start nothing.

`--static` leaves out what needs a network: for CI, inside the built image.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from orchestrator.cli import _spec, console, summary
from orchestrator.cli._start import Invocation, leave, may_switch
from orchestrator.core.outcome import Status, ok
from orchestrator.core.verdict import exit_code
from orchestrator.engine import events
from orchestrator.engine.exceptions import Interrupted, Invalid
from orchestrator.engine.run import Start
from orchestrator.system.signals import Notes

if TYPE_CHECKING:
    import argparse


def add(parser: argparse.ArgumentParser) -> None:
    _spec.add_role(parser)
    parser.add_argument("--static", action="store_true", help="leave out what needs a network")
    parser.add_argument("--only", action="append", default=[], metavar="ID",
                        help="only this item and what it needs; may be repeated")  # fmt: skip
    _spec.add_format(parser, "text", "json", "junit")
    _spec.add_fail_on(parser)


def run(options: argparse.Namespace) -> int:
    notes = Notes()
    notes.install()
    invocation = Invocation(options, notes)
    if invocation.loaded.failed:
        return invocation.invalid(invocation.loaded.diagnostics)
    start = Start(
        invocation.loaded, invocation.stream, notes, environ=os.environ, role=invocation.choice.role, network=not options.static,
        steps=False, only=options.only,
    )  # fmt: skip
    start.log_format = invocation.log_format
    start.mends = False
    if may_switch(start):
        start.root_work.expect()
    try:
        with console.restored():
            code = _check(invocation, start, options)
    except Invalid as error:
        return invocation.invalid(error.diagnostics)
    except Interrupted as stop:
        start.close()
        return leave(128 + stop.number)
    return leave(code)


def _check(invocation: Invocation, start: Start, options: argparse.Namespace) -> int:
    start.prepare()
    _spec.item_ids(start.spec, "--only", options.only)
    start.settle()
    _settle_launch(start)
    code = _exit_code(start, options.fail_on)
    invocation.stream.emit(events.SERVICE, status="failed" if start.failures else "ready", level="debug")
    invocation.stream.emit(events.FINISHED, level="debug", exit_code=code)
    start.close()
    _write(invocation, options.format, code)
    return code


def _settle_launch(start: Start) -> None:
    """The app was imported as it would be served; it is not started."""
    launch = start.by_id.get("launch")
    if launch is None or launch.settled:
        return
    if start.importing.importer is None:
        if start.failures:
            start.block(launch, start.failures[0].id)
        return
    launch.attempts, launch.started = 1, start.stream.now()
    launch.outcome = ok(f"{launch.item.app} is imported" if launch.item.app else "not started")
    start.settle_as(launch, Status.OK)


def _exit_code(start: Start, fail_on: str) -> int:
    if start.failures and fail_on != "never":
        return exit_code([work.blame for work in start.failures])
    tolerated = any(work.status in (Status.DEGRADED, Status.WARNED) for work in start.works)
    return _spec.FINDINGS if tolerated and fail_on in ("warning", "note") else 0


def _write(invocation: Invocation, form: str, code: int) -> None:
    report = invocation.report
    if form == "json":
        print(json.dumps(invocation.stream.secrets.clean(report.record()), indent=2))
    elif form == "junit":
        from orchestrator.cli.report import junit

        print(junit(report.record()), end="")
    elif invocation.log_format == "text":
        if code and report.failed:
            console.say(summary.screen(report, code, "would not start", console.columns()))
        else:
            console.say(f"orchestrator: {report.service} would start: {console.counts(report)}")
