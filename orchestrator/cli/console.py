"""Events to lines on stderr: for people, or one JSON object a line for machines."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
from typing import TYPE_CHECKING

from orchestrator.cli import cells
from orchestrator.diagnostics.printable import printable, printable_lines
from orchestrator.diagnostics.terminal import paint, tolerate
from orchestrator.engine import events
from orchestrator.system import log_output

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.cli.live import Region
    from orchestrator.engine.report import Report

STYLES = {
    "ok": "hint",
    "healed": "hint",
    "failed": "error",
    "blocked": "error",
    "skipped": "quiet",
    "waiting": "quiet",
    "note": "note",
}
"""Styles of `diagnostics.terminal` by state; `warning` is that of all others."""
STATUS_WIDTH, ITEM_WIDTH = 9, 28


WIDE = 100
"""Columns of a terminal below which the third column has no room for more than a few words."""
_SECOND = STATUS_WIDTH + 3
_THIRD = _SECOND + ITEM_WIDTH + 1


def laid(item: str, message: str, width: int) -> list[str]:
    """The second and the third column of a line; on a terminal what does not fit stands below, where there is room."""
    head = f"{item.ljust(ITEM_WIDTH)} "
    if not width or _SECOND + cells.width(head + message) < width:
        return [head + message]
    if width >= WIDE and len(item) <= ITEM_WIDTH:
        first, *rest = log_output.folded(head, message, width - _SECOND, cells.width)
        return [first, *(" " * _SECOND + each for each in rest)]
    return [item, *log_output.folded(" " * _SECOND, message, width, cells.width)]


class JsonLines:
    """One object for each event: `time`, `level`, `event`, `item`, `message` and the event's own fields."""

    def __init__(self, level: str) -> None:
        self.least = events.LEVELS.index(level)

    def __call__(self, event: events.Event) -> None:
        if events.LEVELS.index(event.level) >= self.least:
            say(json.dumps(event.record(), default=str))


class Lines:
    """A line for each thing worth knowing, in columns; hints below what failed."""

    def __init__(self, level: str, *, color: bool) -> None:
        self.least = events.LEVELS.index(level)
        self.color = color
        tolerate(sys.stderr)

    def __call__(self, event: events.Event) -> None:
        handler = getattr(self, f"_on_{event.name}", None)
        if handler is not None and events.LEVELS.index(event.level) >= self.least:
            handler(event)

    def _on_started(self, event: events.Event) -> None:
        data = event.data
        words = [
            f"environment {data['environment']}" if data["environment"] else "",
            f"role {data['role']}" if data["role"] else "",
        ]
        more = ", ".join(each for each in words if each)
        say(f"orchestrator: starting {data['service']}" + (f" ({more})" if more else ""))

    def _on_item(self, event: events.Event) -> None:
        """What goes on says all here; of what ends the start, the last screen says the rest."""
        data = event.data
        if data["status"] == "blocked" and event.item == "launch":
            return  # the last screen is about nothing else
        self._line(data["status"], event.item, event.message)
        if data["status"] in ("degraded", "warned"):
            if data["why"]:
                self._below(f"needed: {data['why']}")
            if data["hint"]:
                self._below(f"hint: {data['hint']}")

    def _on_waiting(self, event: events.Event) -> None:
        self._line("waiting", event.item, event.message)

    def _on_fallback(self, event: events.Event) -> None:
        code = f" [{event.data['code']}]" if event.data.get("code") else ""
        again = "; trying again" if event.data.get("again") else ""
        self._line("fallback", event.item, f"{event.data['action']}: {event.message}{again}{code}")

    def _on_note(self, event: events.Event) -> None:
        code = f"[{event.data['code']}]" if event.data.get("code") else ""
        self._line(
            "warning" if event.level == "warning" else "note",
            event.item or "orchestrator",
            f"{event.message} {code}".strip(),
        )
        if event.data.get("hint"):
            self._below(f"hint: {event.data['hint']}")

    def _on_feature(self, event: events.Event) -> None:
        """That one is off, its item says."""
        if event.data["on"]:
            self._line("note", event.item, event.message)

    def _on_output(self, event: events.Event) -> None:
        say(f"{event.item} | {printable(event.message)}")

    def _line(self, status: str, item: str, message: str) -> None:
        shown = paint(self.color, STYLES.get(status, "warning"), status.ljust(STATUS_WIDTH))
        lines = printable_lines(message) or [""]
        first, *rest = laid(item, lines[0], log_output.columns(2))
        say("\n".join([f"  {shown} {first}".rstrip(), *rest]))
        for each in lines[1:]:
            self._below(each)

    def _below(self, text: str) -> None:
        width = log_output.columns(2)
        indent = " " * (_SECOND if 0 < width < WIDE else _THIRD)
        say("\n".join(log_output.folded(indent, printable(text), width, cells.width)))


class Live(Lines):
    """The same on a terminal, and below the lines what is being waited for."""

    def __init__(self, level: str, terminal: int, *, color: bool) -> None:
        from orchestrator.cli import live, progress

        super().__init__(level, color=color)
        encoding = sys.stderr.encoding or "utf-8"
        self.look = progress.Look(color, encoding)
        self.progress = progress.Progress()
        self.region = live.Region(terminal, self._composed, encoding)
        self._ahead = 0.0
        """The clock (`time.monotonic`) at the start's beginning."""

    def __call__(self, event: events.Event) -> None:
        with self.region.lock:
            self._ahead = time.monotonic() - event.at / 1000
            self.progress(event)
        if event.name == events.FINISHED:
            end()
        super().__call__(event)
        self.region.draws(busy=not self.progress.nothing)

    def _composed(self, columns: int, rows: int) -> list[str]:
        from orchestrator.cli.progress import lines

        now = time.monotonic() - self._ahead
        return lines(self.progress.shown(now), now, columns, rows, self.look)


def listener(form: str, level: str, *, color: bool) -> Lines | JsonLines:
    if form == "json":
        return JsonLines(level)
    from orchestrator.cli import live

    terminal = live.terminal(sys.stderr, os.environ)
    if terminal < 0:
        return Lines(level, color=color)
    global _region
    made = Live(level, terminal, color=color)
    _region = made.region
    return made


_region: Region | None = None
"""Of the terminal, where there is one."""
_LOCK = threading.Lock()


@contextlib.contextmanager
def tidied() -> Iterator[None]:
    """However the start within ends, the terminal is left with whole lines and nothing below them."""
    try:
        yield
    finally:
        end()


def end() -> None:
    global _region
    with _LOCK:
        region, _region = _region, None
    if region is not None:
        region.end()


def say(text: str) -> None:
    """Whole lines; who has closed our stderr, or does not read it, neither ends a service nor holds it up."""
    with _LOCK:
        try:
            sys.stderr.flush()
            descriptor = sys.stderr.fileno()
        except (OSError, ValueError):
            _write_to_object(text)
            return
        if _region is not None:
            _region.say(text)
        else:
            log_output.send(descriptor, text.encode(sys.stderr.encoding or "utf-8", "backslashreplace"))


def _write_to_object(text: str) -> None:
    """A stderr that is no file: closed, or somebody else's in this process."""
    try:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()
    except (BrokenPipeError, ValueError):
        return


def well(report: Report) -> str:
    """The last line of a start that came to its server."""
    found = counts(report)
    more = f", degraded: {', '.join(report.degraded)}" if report.degraded else ""
    said = f"{report.service} is {report.status} after {report.duration_ms / 1000:.1f} s: {found}{more}"
    return "\n".join(log_output.folded("orchestrator: ", said, log_output.columns(2), cells.width))


def counts(report: Report) -> str:
    found: dict[str, int] = {}
    for item in report.items.values():
        found[item["status"]] = found.get(item["status"], 0) + 1
    return ", ".join(f"{count} {status}" for status, count in found.items())
