"""A command on a terminal of its own, and what stands on the screen of it."""

import contextlib
import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time

import pyte

COMMAND = (sys.executable, "-m", "orchestrator")


class Terminal:
    """What is written is shown by an emulator; `raw` is all of it."""

    def __init__(self, root, columns=100, rows=30):
        self.root = root
        self.keyboard, self.behind = os.openpty()
        self.raw = b""
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self.resize(columns, rows)
        self.process = None

    def resize(self, columns, rows):
        fcntl.ioctl(self.keyboard, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.screen.resize(rows, columns)

    def start(self, *words, prefix=(), env=None):
        environ = {name: value for name, value in os.environ.items() if not name.startswith(("ORCHESTRATOR_", "PYTEST_", "NO_COLOR"))}  # fmt: skip
        own = {
            "TERM": "xterm",
            "ORCHESTRATOR_STATE_DIR": str(self.root / "engine-state"),
            "LC_ALL": "C.UTF-8",
        }
        environ = {name: value for name, value in (environ | own | (env or {})).items() if value is not None}
        self.process = subprocess.Popen(
            ["setsid", "--ctty", *prefix, *COMMAND, *words], cwd=self.root, env=environ, stdin=self.behind, stdout=self.behind,
            stderr=self.behind,
        )  # fmt: skip
        return self

    def type(self, keys):
        os.write(self.keyboard, keys)

    def read(self, seconds=0.05):
        if select.select([self.keyboard], [], [], seconds)[0]:
            data = os.read(self.keyboard, 65536)
            self.raw += data
            self._stream.feed(data)

    @property
    def lines(self):
        """The screen without what is empty at its end."""
        return "\n".join(line.rstrip() for line in self.screen.display).rstrip("\n").split("\n")

    @property
    def shown(self):
        """The same with every time and count made equal."""
        text = re.sub(r"\d+(\.\d)? s\b", "N s", "\n".join(self.lines))
        return re.sub(r"\d+ attempts", "N attempts", text)

    def until(self, check, within=20.0):
        """Reads until `check` gives something true; gives that."""
        end = time.monotonic() + within
        while not (found := check()):
            assert time.monotonic() < end, "\n".join(self.lines)
            self.read()
        return found

    def shows(self, text, within=20.0):
        return self.until(lambda: text in "\n".join(self.lines), within)

    def ended(self, within=20.0):
        """The exit code, once everything is read."""
        code = self.until(lambda: [self.process.poll()] if self.process.poll() is not None else None, within)
        while select.select([self.keyboard], [], [], 0)[0]:
            self.read(0)
        return code[0]

    def close(self):
        if self.process is not None and self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        os.close(self.keyboard)
        os.close(self.behind)
