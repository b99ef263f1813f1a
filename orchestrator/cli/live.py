"""The last lines of a terminal, drawn again and again while a start waits; knows nothing of what stands in them.

A thread draws, not the engine's loop: the loop then wakes for nothing but what happens, and the lines move also while it is
busy with a large file or a remedy. The cursor rests on an empty line above the region. So whatever else writes to the
terminal, the app while it is imported, has that line to itself, and no line that it ends is ever erased; and going back
needs no count of rows that a change of the terminal's width could make wrong. No mode of the terminal is changed.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from orchestrator.system import log_output

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TextIO

OFTEN = 0.25
"""Seconds between two drawings."""
ERASE = "\r\x1b[J"
"""From the cursor's line to the end of the screen."""
COLUMNS, ROWS = 80, 24
"""Of a terminal that does not know its size."""
NARROWEST = 10


def terminal(stream: TextIO, environ: Mapping[str, str]) -> int:
    """A descriptor of the terminal behind a stream, on which no write ever waits; -1 where lines have to do.

    The stream's own is shared with whoever has the same terminal, and cannot be made non-blocking itself.
    """
    if environ.get("TERM", "dumb") in ("", "dumb"):
        return -1
    try:
        if not os.isatty(stream.fileno()):
            return -1
        return os.open(f"/proc/self/fd/{stream.fileno()}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except (OSError, ValueError):  # no descriptor at all, or a terminal that is somebody else's
        return -1


class Region:
    """The lines below the log. `compose` gives them for a width and a height; no lines while nothing is to be said."""

    def __init__(self, descriptor: int, compose: Callable[[int, int], list[str]], encoding: str) -> None:
        self._descriptor = descriptor
        self._compose = compose
        self._encoding = encoding
        self.lock = threading.RLock()
        """Held while it composes; so whoever changes what it composes from holds it, too."""
        self._wake = threading.Condition(self.lock)
        self._thread: threading.Thread | None = None
        self._busy = self._over = False
        self._frame = ""
        """What is drawn."""
        self._below = False
        """Whether something may stand below the cursor that is to go."""
        self._rest = b""
        """What the terminal has not taken yet of a drawing that it has begun to take."""

    def draws(self, *, busy: bool) -> None:
        """Whether there may be something to draw from now on. Without, nothing wakes."""
        with self.lock:
            if self._over or busy == self._busy:
                return
            self._busy = busy
            if self._thread is None:
                self._thread = threading.Thread(target=self._keep_drawing, name="progress", daemon=True)
                self._thread.start()
            self._wake.notify()

    def say(self, text: str) -> None:
        """Lines that stay, above the region."""
        with self.lock:
            before = ERASE if self._below and self._in_front() else ""
            rest, self._rest = self._rest, b""
            log_output.send(
                self._descriptor, rest + self._encoded(before + text.replace("\n", f"\n{before}"))
            )
            self._frame = ""
            self._draw()

    def end(self) -> None:
        """Takes the region off the terminal, for good."""
        with self.lock:
            if self._over:
                return
            self._over, self._busy = True, False
            if self._below and self._in_front():
                self._put(ERASE)
            self._wake.notify()
            os.close(self._descriptor)

    def _keep_drawing(self) -> None:
        with self.lock:
            while not self._over:
                self._draw()
                self._wake.wait(OFTEN if self._busy else None)

    def _draw(self) -> None:
        """The region as it should be now, where it is not that already."""
        if self._over or not self._in_front():
            return
        frame = self._composed() if self._busy else ""
        if frame != self._frame and self._put(ERASE + frame):
            self._frame, self._below = frame, bool(frame)

    def _in_front(self) -> bool:
        """Whether the terminal is ours to draw on: what runs behind a shell's back only says lines."""
        try:
            return os.tcgetpgrp(self._descriptor) == os.getpgrp()
        except OSError:
            return True  # nobody's controlling terminal

    def _composed(self) -> str:
        columns, rows = self._size()
        # The last column stays free: some terminals go on to the next line when it is written.
        lines = self._compose(columns - 1, rows // 2 - 1) if columns >= NARROWEST else []
        return "".join(f"\r\n{line}" for line in lines) + f"\r\x1b[{len(lines)}A" if lines else ""

    def _size(self) -> tuple[int, int]:
        """Asked each time, so that no signal is needed to know that it has changed."""
        try:
            found = os.get_terminal_size(self._descriptor)
        except OSError:
            return COLUMNS, ROWS
        return found.columns or COLUMNS, found.lines or ROWS

    def _put(self, text: str) -> bool:
        """Whether the terminal takes it; one that was stopped, by Ctrl-S, takes nothing, and is not waited for."""
        if self._rest:
            self._rest = self._rest[self._taken(self._rest) :]
        if self._rest:
            return False
        data = self._encoded(text)
        taken = self._taken(data)
        self._rest = data[taken:] if taken else b""
        return taken > 0

    def _taken(self, data: bytes) -> int:
        try:
            return os.write(self._descriptor, data)
        except OSError:  # there is no room, or it was hung up
            return 0

    def _encoded(self, text: str) -> bytes:
        return text.encode(self._encoding, "backslashreplace")
