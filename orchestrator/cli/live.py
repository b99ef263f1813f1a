"""The last lines of a terminal, redrawn while a start waits.

A thread draws, not the engine's loop: the loop then wakes for events alone, and the lines move also while it is busy
with a large file or a remedy. The cursor rests on an empty line above the region. So other writers to the terminal,
such as the app while it is imported, have that line to themselves, nothing they complete is erased, and returning
needs no count of rows that a resize could make wrong. No terminal mode is changed.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from orchestrator.system import log_output

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TextIO

INTERVAL = 0.25
"""Seconds between two frames."""
ERASE = "\r\x1b[J"
"""From the cursor's line to the end of the screen."""
COLUMNS, ROWS = 80, 24
"""Of a terminal that does not know its size."""
NARROWEST = 10


def terminal(stream: TextIO, environ: Mapping[str, str]) -> int:
    """A non-blocking descriptor of the stream's terminal; -1 if there is none that can redraw.

    The stream's own descriptor is shared with other processes and cannot be made non-blocking.
    """
    if environ.get("TERM", "dumb") in ("", "dumb"):
        return -1
    try:
        if not os.isatty(stream.fileno()):
            return -1
        return os.open(f"/proc/self/fd/{stream.fileno()}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except (OSError, ValueError):  # no descriptor, or another user's terminal
        return -1


class Region:
    """The lines below the log. `compose` returns them for a width and a height; none hides the region."""

    def __init__(self, descriptor: int, compose: Callable[[int, int], list[str]], encoding: str) -> None:
        self._descriptor = descriptor
        self._compose = compose
        self._encoding = encoding
        self.lock = threading.RLock()
        """Held while composing; hold it to change what is composed from."""
        self._wake = threading.Condition(self.lock)
        self._thread: threading.Thread | None = None
        self._busy = self._ended = False
        self._frame = ""
        """What is drawn."""
        self._dirty = False
        """Whether there may be something below the cursor to erase."""
        self._pending = b""
        """The rest of a frame that the terminal has taken in part."""

    def draw(self, *, busy: bool) -> None:
        """Whether there may be something to draw from now on; if not, the thread sleeps."""
        with self.lock:
            if self._ended or busy == self._busy:
                return
            self._busy = busy
            if self._thread is None:
                self._thread = threading.Thread(target=self._keep_drawing, name="progress", daemon=True)
                self._thread.start()
            self._wake.notify()

    def say(self, text: str) -> None:
        """Writes lasting lines above the region."""
        with self.lock:
            before = ERASE if self._dirty and self._in_foreground() else ""
            rest, self._pending = self._pending, b""
            log_output.send(
                self._descriptor, rest + self._encoded(before + text.replace("\n", f"\n{before}"))
            )
            self._frame = ""
            self._redraw()

    def end(self) -> None:
        """Erases the region for good."""
        with self.lock:
            if self._ended:
                return
            self._ended, self._busy = True, False
            if self._dirty and self._in_foreground():
                self._put(ERASE)
            self._wake.notify()
            os.close(self._descriptor)

    def _keep_drawing(self) -> None:
        with self.lock:
            while not self._ended:
                self._redraw()
                self._wake.wait(INTERVAL if self._busy else None)

    def _redraw(self) -> None:
        if self._ended or not self._in_foreground():
            return
        frame = self._composed() if self._busy else ""
        if frame != self._frame and self._put(ERASE + frame):
            self._frame, self._dirty = frame, bool(frame)

    def _in_foreground(self) -> bool:
        """A shell's background job must not draw on its terminal."""
        try:
            return os.tcgetpgrp(self._descriptor) == os.getpgrp()
        except OSError:
            return True  # nobody's controlling terminal

    def _composed(self) -> str:
        columns, rows = self._size()
        # The last column stays free: some terminals wrap as soon as it is written.
        lines = self._compose(columns - 1, rows // 2 - 1) if columns >= NARROWEST else []
        return "".join(f"\r\n{line}" for line in lines) + f"\r\x1b[{len(lines)}A" if lines else ""

    def _size(self) -> tuple[int, int]:
        """Asked for each frame, so that no signal is needed for a resize."""
        try:
            found = os.get_terminal_size(self._descriptor)
        except OSError:
            return COLUMNS, ROWS
        return found.columns or COLUMNS, found.lines or ROWS

    def _put(self, text: str) -> bool:
        """Whether the terminal took it; one that is stopped (Ctrl-S) takes nothing and is not waited for."""
        if self._pending:
            self._pending = self._pending[self._written(self._pending) :]
        if self._pending:
            return False
        data = self._encoded(text)
        written = self._written(data)
        self._pending = data[written:] if written else b""
        return written > 0

    def _written(self, data: bytes) -> int:
        try:
            return os.write(self._descriptor, data)
        except OSError:  # no room, or hung up
            return 0

    def _encoded(self, text: str) -> bytes:
        return text.encode(self._encoding, "backslashreplace")
