"""A reader at a terminal: the commands of a page, typed for real in a directory of their own.

What differs from run to run (times, process ids, versions, the directory) is made equal on both sides before shown and
real output are compared. The server's own log is left out: its lines come whenever they come.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import threading
import time
from pathlib import Path

from docs_blocks import ROOT
from ports import free_port

PORT = "8000"
"""The port that the pages show; really it is a free one."""
PATIENCE = 60.0
_RUN = re.compile(r"^(\w+=\S+ )*orchestrator( -\S+( \S+)?)* run\b")
_WELL = re.compile(r"^orchestrator: \S+ is (ready|degraded) after")
_SERVER = re.compile(r"^(INFO|WARNING|ERROR): {4,}")
_DIFFERS = (
    (re.compile(r"\b\d+(\.\d+)? (ms|s)\b"), "<time>"),
    (re.compile(r"\b\d{4}-\d\d-\d\dT[\d:.]+Z"), "<when>"),
    (re.compile(r"(?<![\d.])(?!127\.0|0\.0\.0\.0)\d+(\.\d+){2,}(?![\d.])"), "<version>"),
    (re.compile(r"\bpid \d+"), "pid <pid>"),
    (re.compile(r"python3\.\d+"), "python3"),
    (re.compile(r"\s+"), " "),
)


class Terminal:
    """A shell in a directory."""

    def __init__(self, directory: Path, state: Path) -> None:
        self.directory = directory
        self.port = str(free_port())
        self._take_another_port()
        state.mkdir(mode=0o700)
        self.environ = {
            "PATH": f"{Path(sys.executable).parent}:{_with_curl(state.parent)}:{os.environ['PATH']}",
            "HOME": str(state.parent),
            "LANG": "C.UTF-8",
            "COLUMNS": "100",
            "PORT": self.port,
            "ORCHESTRATOR_STATE_DIR": str(state),
        }
        self.code = 0
        self.running: Running | None = None

    def _take_another_port(self) -> None:
        """Pages that write their port into the spec cannot all have the same one."""
        for spec in self.directory.glob("startup*.yaml"):
            text = spec.read_text(encoding="utf-8")
            spec.write_text(re.sub(rf"\bport: {PORT}\b", f"port: {self.port}", text), encoding="utf-8")

    def type(self, command: str) -> list[str]:
        """What a command prints, standard error included; its exit code is kept."""
        if command == "echo $?":
            code, self.code = self.code, 0
            return [str(code)]
        if _RUN.match(command):
            return self.start(command)
        done = subprocess.run(
            ["bash", "-c", self._here(command)],
            cwd=self.directory,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
        )
        self.code = done.returncode
        return done.stdout.splitlines()

    def start(self, command: str) -> list[str]:
        """Starts the service; returns when it is well or has ended."""
        assert self.running is None, "one service at a time"
        self.running = Running(f"exec env {self._here(command)}", self.directory, self.environ)
        lines, code = self.running.until_well()
        if code is not None:
            self.code, self.running = code, None
        return lines

    def interrupt(self, number: int = signal.SIGINT) -> list[str]:
        """Ends what runs, as Ctrl-C does, and gives what it said since."""
        assert self.running is not None, "nothing runs"
        running, self.running = self.running, None
        lines, self.code = running.end(number)
        return lines

    def close(self) -> None:
        if self.running is not None:
            self.running.end(signal.SIGKILL)

    def _here(self, command: str) -> str:
        return re.sub(rf"\blocalhost:{PORT}\b", f"localhost:{self.port}", command)

    def plain(self, lines: list[str]) -> list[str]:
        return [self._plain(line) for line in lines if not _SERVER.match(line)]

    def _plain(self, line: str) -> str:
        """The line without what differs from run to run."""
        line = line.replace(self.port, PORT).replace(str(self.directory), "/srv")
        line = line.replace(sysconfig.get_path("purelib"), "/opt/venv/lib/python3/site-packages")
        for pattern, instead in _DIFFERS:
            line = pattern.sub(instead, line)
        return line.strip()


class Running:
    """`orchestrator run`, and what it has said so far."""

    def __init__(self, command: str, directory: Path, environ: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            ["bash", "-c", command],
            cwd=directory,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[str] = []
        self.told = 0
        self.well = threading.Event()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as stream:
            for line in stream:
                self.lines.append(line.rstrip("\n"))
                if _WELL.match(line):
                    self.well.set()
        self.well.set()

    def until_well(self) -> tuple[list[str], int | None]:
        assert self.well.wait(PATIENCE), f"neither well nor ended: {self.lines}"
        if not any(_WELL.match(line) for line in self.lines):
            self.reader.join()
            return self._new(), self.process.wait(PATIENCE)
        # The hand-over to the supervisor follows the line; the state is written before it.
        return self._new(), None

    def end(self, number: int) -> tuple[list[str], int]:
        self.process.send_signal(number)
        code = self.process.wait(PATIENCE)
        self.reader.join(PATIENCE)
        return self._new(), code

    def _new(self) -> list[str]:
        new, self.told = self.lines[self.told :], len(self.lines)
        return new


def shown(text: str) -> list[tuple[str, list[str]]]:
    """The commands of a console block, each with what it prints. `^C` is typed as well."""
    typed: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            typed.append((line[2:], []))
        elif line == "^C":
            typed.append(("^C", []))
        else:
            assert typed, f"no command before `{line}`"
            typed[-1][1].append(line)
    return typed


def difference(expected: list[str], real: list[str]) -> str:
    """What is wrong with the lines that a page shows; empty when nothing is.

    `...` alone stands for any lines, behind a blank for the rest of its line.
    """
    said = "".join(line + "\n" for line in real)
    if re.fullmatch("".join(map(_pattern, expected)), said):
        return ""
    return "the page shows\n\n" + "\n".join(expected) + "\n\nbut it prints\n\n" + said


def _pattern(line: str) -> str:
    if line == "...":
        return r"(?:.*\n)*?"
    if line.endswith(" ..."):
        return re.escape(line[:-4]) + r".*\n"
    return re.escape(line) + r"\n"


def wait_until_asked(terminal: Terminal) -> None:
    """Until the state that other commands read is there."""
    limit = time.monotonic() + PATIENCE
    while terminal.type("orchestrator health") and terminal.code:
        assert time.monotonic() < limit, "it does not become ready"
        time.sleep(0.05)


def _with_curl(folder: Path) -> Path:
    """A directory with a `curl` where the machine has none: the pages ask with `curl URL` and `curl -i URL` alone."""
    bin_ = folder / "bin"
    bin_.mkdir()
    if shutil.which("curl") is None:
        shutil.copy(ROOT / "tests" / "docs" / "curl.py", bin_ / "curl")
        (bin_ / "curl").chmod(0o755)
    return bin_
