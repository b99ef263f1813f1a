"""What is said after the launch, as text or as a line of JSON; builtins alone, for the supervisor says it, too."""

from __future__ import annotations

import os
import select
import time

from orchestrator.system.files import quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def record(event: str, level: str, text: str, facts: Mapping[str, object] | None = None) -> str:
    """A line of JSON. Numbers stay numbers."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    words: dict[str, object] = {"time": now, "level": level, "event": event, "message": text, **(facts or {})}
    return "{" + ", ".join([f'"{key}": {_value(value)}' for key, value in words.items()]) + "}"


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "[" + ", ".join([_value(each) for each in value]) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join([f"{quoted(str(key))}: {_value(each)}" for key, each in value.items()]) + "}"
    return str(value) if isinstance(value, int | float) else quoted(str(value))


NARROWEST = 40
"""Columns below which folding lines makes more of a mess than the terminal does."""


def columns(descriptor: int) -> int:
    """The width of the terminal behind it; 0 for a log, whose lines stay whole."""
    try:
        return max(NARROWEST, os.get_terminal_size(descriptor).columns)
    except OSError:
        return 0


def folded(head: str, text: str, width: int, measured: Callable[[str], int] = len) -> list[str]:
    """A text behind its label, on as many lines as the terminal needs; no word is cut."""
    if not width or measured(head) + measured(text) < width:
        return [head + text]
    lines, line, empty = [], head, True
    for word in text.split():
        if not empty and measured(line) + 1 + measured(word) >= width:
            lines.append(line)
            line, empty = " " * len(head), True
        line += word if empty else f" {word}"
        empty = False
    return [*lines, line]


def masked(text: str, secrets: list[str]) -> str:
    """The text without any of these; the longest come first."""
    for each in secrets:
        if each in text:
            text = text.replace(each, "***")
    return text


PATIENCE = 0.1
"""Seconds in which somebody must take a line. One that nobody takes is lost: a log that stands still, because its driver
does, must keep neither a service from its work nor a container from its end. `events.jsonl` has it all."""

_lost = 0
"""Lines in a row that nobody took."""


def write(descriptor: int, text: str) -> None:
    """A text, line by line; nobody is waited for."""
    send(descriptor, text.encode("utf-8", "replace"))


def send(descriptor: int, text: bytes) -> None:
    """The same, encoded already."""
    global _lost
    for line in text.split(b"\n"):
        try:
            if _lost and _taken(descriptor, _about_lost(line)):
                _lost = 0
            if _lost or not _taken(descriptor, line + b"\n"):
                _lost += 1
        except OSError:
            return  # nobody reads what a service says: no reason to end it


def _about_lost(line: bytes) -> bytes:
    told = f"{_lost} lines were lost: nobody took what was written here"
    said = record("log", "warning", told) if line.startswith(b"{") else f"orchestrator: {told}"
    return said.encode() + b"\n"


def _taken(descriptor: int, line: bytes) -> bool:
    """Whether a line was written. Those that follow a lost one wait for nobody, until there is room again."""
    until = time.monotonic() + (0 if _lost else PATIENCE)
    while line:
        try:
            line = line[_at_once(descriptor, line) :]
        except BlockingIOError:
            left = until - time.monotonic()
            if left <= 0:
                return False
            _has_room(descriptor, left)
    return True


def _has_room(descriptor: int, seconds: float) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    return bool(poll.poll(seconds * 1000))


def _at_once(descriptor: int, data: bytes) -> int:
    """Writes what there is room for; the descriptor may be others' too, so it cannot be made non-blocking itself."""
    try:
        return os.pwritev(descriptor, [data], -1, os.RWF_NOWAIT)
    except BlockingIOError:
        raise
    except OSError:  # files and terminals know no such thing
        return _to_terminal(descriptor, data) if os.isatty(descriptor) else os.write(descriptor, data)


def _to_terminal(descriptor: int, data: bytes) -> int:
    """It may have been stopped, by Ctrl-S, or nobody reads it; that there is room says not for how much."""
    try:
        own = os.open(f"/proc/self/fd/{descriptor}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError:  # another user's, handed to us: the next best
        if not _has_room(descriptor, 0):
            raise BlockingIOError from None
        return os.write(descriptor, data)
    try:
        return os.write(own, data)
    finally:
        os.close(own)
