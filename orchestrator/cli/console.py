"""The log on stderr: events as lines for people, or as one JSON object a line for machines."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
from typing import TYPE_CHECKING

from orchestrator.diagnostics.printable import cells, printable, printable_lines
from orchestrator.diagnostics.terminal import paint, tolerate
from orchestrator.engine import events
from orchestrator.system import log_output

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.cli.live import Region
    from orchestrator.engine.report import Report

STYLES = {"ok": "hint", "healed": "hint", "failed": "error", "blocked": "error", "skipped": "quiet", "waiting": "quiet",
          "note": "note"}  # fmt: skip
"""Styles of `diagnostics.terminal` by state; all others are warnings."""
STATUS_WIDTH, ITEM_WIDTH = 9, 28
WIDE = 100
"""Columns of a terminal from which the third column has room for text of several lines."""
_SECOND = STATUS_WIDTH + 3
_THIRD = _SECOND + ITEM_WIDTH + 1


def columns() -> int:
    """The width of the terminal on stderr; 0 for a log."""
    return log_output.columns(2)


def folded(head: str, text: str, width: int) -> list[str]:
    """A text after its label, on as many lines as a terminal of that width needs; 0 folds nothing."""
    return log_output.folded(head, text, width, cells)


def in_columns(item: str, message: str, width: int) -> list[str]:
    """The second and third column of a line, folded where the terminal is too narrow."""
    head = f"{item.ljust(ITEM_WIDTH)} "
    if not width or _SECOND + cells(head + message) < width:
        return [head + message]
    if width >= WIDE and len(item) <= ITEM_WIDTH:
        first, *rest = folded(head, message, width - _SECOND)
        return [first, *(" " * _SECOND + line for line in rest)]
    return [item, *folded(" " * _SECOND, message, width)]


class JsonLines:
    """One object for each event: `time`, `level`, `event`, `item`, `message` and the event's own fields."""

    def __init__(self, level: str) -> None:
        self.least = events.LEVELS.index(level)

    def __call__(self, event: events.Event) -> None:
        if events.LEVELS.index(event.level) >= self.least:
            say(json.dumps(event.record(), default=str))


class Lines:
    """A line in columns for each event that matters to people; hints below it."""

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
        where = [f"{name} {data[name]}" for name in ("environment", "role") if data[name]]
        say(f"orchestrator: starting {data['service']}" + (f" ({', '.join(where)})" if where else ""))

    def _on_item(self, event: events.Event) -> None:
        """All about an item that does not end the start; the last screen has the rest about one that does."""
        data = event.data
        if data["status"] == "blocked" and event.item == "launch":
            return
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
        code = f" [{event.data['code']}]" if event.data.get("code") else ""
        status = "warning" if event.level == "warning" else "note"
        self._line(status, event.item or "orchestrator", f"{event.message}{code}")
        if event.data.get("hint"):
            self._below(f"hint: {event.data['hint']}")

    def _on_feature(self, event: events.Event) -> None:
        if event.data["on"]:  # that it is off, its item has reported
            self._line("note", event.item, event.message)

    def _on_output(self, event: events.Event) -> None:
        say(f"{event.item} | {printable(event.message)}")

    def _line(self, status: str, item: str, message: str) -> None:
        shown = paint(self.color, STYLES.get(status, "warning"), status.ljust(STATUS_WIDTH))
        text, *more = printable_lines(message)
        first, *rest = in_columns(item, text, columns())
        say("\n".join([f"  {shown} {first}".rstrip(), *rest]))
        for line in more:
            self._below(line)

    def _below(self, text: str) -> None:
        width = columns()
        indent = " " * (_SECOND if 0 < width < WIDE else _THIRD)
        say("\n".join(folded(indent, printable(text), width)))


class Live(Lines):
    """The same on a terminal, with what is being waited for below the lines."""

    def __init__(self, level: str, terminal: int, *, color: bool) -> None:
        from orchestrator.cli import live, progress

        super().__init__(level, color=color)
        encoding = sys.stderr.encoding or "utf-8"
        self.look = progress.Look(color, encoding)
        self.progress = progress.Progress()
        self.region = live.Region(terminal, self._compose, encoding)
        self._began = 0.0
        """When the start began, by `time.monotonic`."""

    def __call__(self, event: events.Event) -> None:
        with self.region.lock:
            self._began = time.monotonic() - event.at / 1000
            self.progress(event)
        if event.name == events.FINISHED:
            end()
        super().__call__(event)
        self.region.draw(busy=not self.progress.idle)

    def _compose(self, width: int, height: int) -> list[str]:
        from orchestrator.cli.progress import lines

        now = time.monotonic() - self._began
        return lines(self.progress.shown(now), now, width, height, self.look)


def listener(form: str, level: str, *, color: bool) -> Lines | JsonLines:
    """The listener that writes the log in this format, `text` or `json`."""
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
"""What is drawn below the lines of a terminal."""
_LOCK = threading.Lock()


@contextlib.contextmanager
def restored() -> Iterator[None]:
    """However the body ends, the terminal is left with whole lines and nothing below them."""
    try:
        yield
    finally:
        end()


def end() -> None:
    """Stops drawing on the terminal."""
    global _region
    with _LOCK:
        region, _region = _region, None
    if region is not None:
        region.end()


def say(text: str) -> None:
    """Writes whole lines; a stderr that is closed or not read neither ends a service nor blocks it."""
    with _LOCK:
        try:
            sys.stderr.flush()
            descriptor = sys.stderr.fileno()
        except (OSError, ValueError):  # closed, or not a file
            with contextlib.suppress(BrokenPipeError, ValueError):
                sys.stderr.write(text + "\n")
                sys.stderr.flush()
            return
        if _region is not None:
            _region.say(text)
        else:
            log_output.send(descriptor, text.encode(sys.stderr.encoding or "utf-8", "backslashreplace"))


def started(report: Report) -> str:
    """The last line of a successful start."""
    degraded = f", degraded: {', '.join(report.degraded)}" if report.degraded else ""
    seconds = report.duration_ms / 1000
    text = f"{report.service} is {report.status} after {seconds:.1f} s: {counts(report)}{degraded}"
    return "\n".join(folded("orchestrator: ", text, columns()))


def counts(report: Report) -> str:
    """How many items came to each state: `3 ok, 1 skipped`."""
    found = [item["status"] for item in report.items.values()]
    return ", ".join(f"{found.count(status)} {status}" for status in dict.fromkeys(found))
