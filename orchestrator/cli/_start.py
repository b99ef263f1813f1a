"""What `run` and `check` have in common: the spec, the log, the state directory, the last words."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

from orchestrator.cli import _spec, console, summary
from orchestrator.diagnostics import terminal
from orchestrator.engine import events
from orchestrator.engine.report import Report
from orchestrator.spec.role_selection import Choice, choose
from orchestrator.system import files

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from orchestrator.core.exceptions import Usage
    from orchestrator.diagnostics import Diagnostic
    from orchestrator.spec.loading import Loaded
    from orchestrator.system.signals import Notes


class Invocation:
    """One command that runs the engine."""

    def __init__(self, options: argparse.Namespace, notes: Notes) -> None:
        self.options = options
        self.notes = notes
        self.stream = events.Stream(time.monotonic)
        self.report = Report()
        self.choice: Choice = choose(_spec.read(options), options.role, options.words)
        self.loaded: Loaded = self.choice.loaded
        self.log_format, level = self._log()
        color = terminal.color(options.color, sys.stderr, os.environ)
        self.stream.listeners = [self.report, console.listener(self.log_format, level, color=color)]

    def _log(self) -> tuple[str, str]:
        spec = self.loaded.spec
        log = spec.telemetry.log if spec is not None and spec.telemetry is not None else None
        form = self.options.log_format or (log.format if log is not None else "auto")
        return ("json" if form == "json" else "text"), (log.level if log is not None else "info")

    def invalid(self, diagnostics: list[Diagnostic]) -> int:
        """The spec cannot be used: every finding, the last words, 78."""
        self.show(diagnostics)
        if self.log_format == "text":
            service = self.loaded.spec.service if self.loaded.spec is not None else "the service"
            console.say(
                f"orchestrator: {service} cannot start (exit {_spec.INVALID}): mend what stands above; nothing was touched"
            )
        self.last_words(_spec.INVALID, *summary.invalid(diagnostics))
        return _spec.INVALID

    def show(self, diagnostics: Iterable[Diagnostic]) -> None:
        """Findings in the spec, as the log has them: with excerpts for people, a line each for machines."""
        if self.log_format == "text":
            _spec.show(list(diagnostics), self.loaded.sources, self.options)
            return
        for each in diagnostics:
            told = {name: value for name, value in each.record().items() if name not in ("message", "item")}
            level = "info" if each.severity == "note" else each.severity
            self.stream.emit("diagnostic", each.message, level=level, item=each.item or "", **told)

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
        files.write_last_words(summary.words(text, self.report))

    def failed(self, code: int, verdict: str = summary.NOT_STARTED) -> int:
        """The last screen of a start that came to nothing."""
        if self.log_format == "text":
            console.say(summary.screen(self.report, code, verdict, summary.columns()))
        self.last_words(code, *summary.cause(self.report), verdict)
        return code


def usage(error: Usage, options: argparse.Namespace) -> int:
    """A command line that cannot be meant, told as the log would be; the platform hears of it, too."""
    text = f"the service did not start (exit {_spec.USAGE}): {error}"
    files.write_last_words(summary.fitting(text))
    if options.log_format != "json":
        return _spec.usage(error)
    event = events.Event(
        "last_words", 0.0, "error", "", text, {"exit_code": _spec.USAGE, "cause": str(error)}
    )
    console.JsonLines("error")(event)
    return _spec.USAGE
