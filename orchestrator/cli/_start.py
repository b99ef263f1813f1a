"""What `run` and `check` have in common: the spec, the log, the verdict for people, machines and the platform."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, NoReturn

from orchestrator.cli import _spec, console, summary
from orchestrator.diagnostics import terminal
from orchestrator.engine import events
from orchestrator.engine.report import Report
from orchestrator.spec.role_selection import choose
from orchestrator.system import files

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from orchestrator.diagnostics import Diagnostic
    from orchestrator.engine.run import Start
    from orchestrator.system.signals import Notes


class Invocation:
    """One command that runs the engine. Raises Usage."""

    def __init__(self, options: argparse.Namespace, notes: Notes) -> None:
        self.options = options
        self.notes = notes
        self.stream = events.Stream(time.monotonic)
        self.report = Report()
        self.choice = choose(_spec.read(options), options.role, options.words)
        self.loaded = self.choice.loaded
        spec = self.loaded.spec
        log = spec.telemetry.log if spec is not None and spec.telemetry is not None else None
        form = options.log_format or (log.format if log is not None else "auto")
        self.log_format = "json" if form == "json" else "text"
        color = terminal.color(options.color, sys.stderr, os.environ)
        level = log.level if log is not None else "info"
        self.stream.listeners = [self.report, console.listener(self.log_format, level, color=color)]

    def invalid(self, diagnostics: list[Diagnostic]) -> int:
        """The spec cannot be used: all findings and the last words; 78."""
        self.show(diagnostics)
        if self.log_format == "text":
            service = self.loaded.spec.service if self.loaded.spec is not None else "the service"
            console.say(
                f"orchestrator: {service} cannot start (exit {_spec.INVALID}): fix the errors above; nothing was changed"
            )
        self.last_words(_spec.INVALID, *summary.invalid(diagnostics))
        return _spec.INVALID

    def show(self, diagnostics: Iterable[Diagnostic]) -> None:
        """Findings in the spec: with excerpts in a text log, one line each in a JSON log."""
        if self.log_format == "text":
            _spec.show(list(diagnostics), self.loaded.sources, self.options)
            return
        for diagnostic in diagnostics:
            data = {
                name: value for name, value in diagnostic.record().items() if name not in ("message", "item")
            }
            level = "info" if diagnostic.severity == "note" else diagnostic.severity
            self.stream.emit(
                "diagnostic", diagnostic.message, level=level, item=diagnostic.item or "", **data
            )

    def last_words(self, code: int, cause: str, hint: str, verdict: str = summary.NOT_STARTED) -> None:
        """The verdict, its cause and a hint, where the platform looks for them."""
        service = self.report.service or "the service"
        text = self.stream.secrets.masked(
            f"{service} {verdict} (exit {code}): {cause}" + (f"; hint: {hint}" if hint else "")
        )
        if self.log_format == "json":
            more = summary.record(self.report, code)
            self.stream.emit(
                "last_words", text, level="error", exit_code=code, cause=cause, hint=hint, **more
            )
        files.write_last_words(summary.last_words(text, self.report))

    def failed(self, code: int, verdict: str = summary.NOT_STARTED) -> int:
        """The last screen of a start that failed."""
        if self.log_format == "text":
            console.say(summary.screen(self.report, code, verdict, console.columns()))
        self.last_words(code, *summary.cause(self.report), verdict)
        return code


def may_switch(start: Start) -> bool:
    """Whether the engine is root and the spec names another user."""
    spec = start.spec
    named = spec.user is not None or (spec.launch is not None and spec.launch.user is not None)
    return named and os.geteuid() == 0


def leave(code: int) -> NoReturn:
    """Flushes and exits at once: threads that still wait for something must not delay the end."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
