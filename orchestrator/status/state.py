"""The state directory: where it is, and what is written there for `health`, `status`, `report` and the app.

Knows the files' form, not what leads to their content. `orchestrator.system.files` is the part of it for
processes that must stay small.
"""

from __future__ import annotations

import os
import stat
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.system import files

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

VARIABLE = "ORCHESTRATOR_STATE_DIR"
SHARED = 0o2710
"""The mode of a directory that the group of the service may look into."""
KINDS = ("http", "https", "unix", "heartbeat", "command")


def locate(environ: Mapping[str, str]) -> tuple[str | None, str]:
    """Makes or takes over the state directory: its path, or none and why not.

    A directory that `ORCHESTRATOR_STATE_DIR` names is the only one tried; that it cannot be used is for the
    caller to report as an error. Without the variable the places are tried in turn, and none is a warning.
    """
    explicit = environ.get(VARIABLE) or None
    refused = []
    for path in files.candidates(explicit):
        why = _prepare(path, named=bool(explicit))
        if not why:
            return path, ""
        refused.append(f"{path}: {why}")
    return None, "; ".join(refused)


def find(environ: Mapping[str, str]) -> str | None:
    """The state directory of an engine that runs or ran here, for those who read."""
    explicit = environ.get(VARIABLE) or None
    return files.find(explicit, "state.json") or files.find(explicit, "probe")


def _prepare(path: str, *, named: bool) -> str:
    """Makes the directory ours alone; says why that cannot be."""
    try:
        if named:
            os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        # Not makedirs for the last one: its mode is that of whoever makes it first.
        if not os.path.lexists(path):
            os.mkdir(path, 0o700)
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        return "it is a symbolic link or no directory" if os.path.lexists(path) else str(error.strerror)
    try:
        return _not_ours(descriptor, path, named=named) or _not_writable(path)
    finally:
        os.close(descriptor)


def _not_ours(descriptor: int, path: str, *, named: bool) -> str:
    found = os.fstat(descriptor)
    mode = stat.S_IMODE(found.st_mode)
    if found.st_uid != os.geteuid():
        return f"it belongs to uid {found.st_uid}, expected {os.geteuid()}"
    if mode == 0o700:
        return ""
    if mode == SHARED:  # by an earlier start; whom this one shares it with is not known yet
        os.fchmod(descriptor, 0o700)
        return ""
    if named:
        # It may be anything, /tmp even: whose directory it is decides who may look in.
        better = f"{path.rstrip('/')}/orchestrator"
        return f"its mode is {mode:04o}, expected 0700: name a directory for this alone, such as {better}"
    try:
        os.fchmod(descriptor, 0o700)
    except OSError as error:
        return f"its mode is {mode:04o} and cannot be changed: {error.strerror}"
    return ""


def share(path: str, gid: int) -> str:
    """Lets a group read the files and nobody write or list: the app is another user than the engine, who is root.

    The files take the group from the directory. Says why, if that cannot be.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            os.fchown(descriptor, -1, gid)
            os.fchmod(descriptor, SHARED)
        finally:
            os.close(descriptor)
    except OSError as error:
        return f"cannot let gid {gid} into {path}: {(error.strerror or str(error)).lower()}"
    return ""


def _not_writable(path: str) -> str:
    try:
        files.replace(f"{path}/.writable", b"ours")
        os.unlink(f"{path}/.writable")
    except OSError as error:
        return f"cannot write there: {error.strerror}"
    return ""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """How the probe asks a health endpoint."""

    name: str
    kind: str = "http"
    """`http`, `https`, `unix`, `heartbeat` or `command`."""
    host: str = "127.0.0.1"
    """Where the server listens; all addresses (`0.0.0.0`, `::`) are asked at the loopback one."""
    port: int = 0
    path: str = "/"
    """The request's target."""
    method: str = "GET"
    statuses: str = "200-299"
    """Those that are well: `200-299`, `200,204`."""
    timeout: float = 2.0
    host_header: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    file: str = ""
    """The socket of `unix`, the file of `heartbeat`."""
    max_age: float = 0.0

    def lines(self) -> list[str]:
        words = ["endpoint", self.name, self.kind, *self._address()]
        lines = [" ".join(words[:3] + [_word(word) for word in words[3:]])]
        return lines + [f"header {self.name} {_line(f'{name}: {value}')}" for name, value in self.headers]

    def _address(self) -> list[str]:
        if self.kind == "command":
            return []
        if self.kind == "heartbeat":
            return [self.file, f"{self.max_age:g}"]
        where = [self.file, ""] if self.kind == "unix" else [self.host, str(self.port)]
        return [*where, self.method, self.path, self.statuses, f"{self.timeout:g}", self.host_header]


@dataclass(frozen=True, slots=True)
class Probe:
    """What the file `probe` says; `orchestrator.health.probe` describes its form."""

    status: str
    pid: int
    endpoints: tuple[Endpoint, ...] = ()
    reason: str = ""

    def text(self) -> str:
        lines = [
            f"status {self.status}",
            f"reason {files.one_line(self.reason)}",
            f"pid {self.pid}",
            f"updated {int(time.time())}",
        ]
        for endpoint in self.endpoints:
            lines += endpoint.lines()
        return "\n".join(lines) + "\n"


def _word(value: str) -> str:
    """One word of the probe file: blanks, control characters and `%` are encoded, nothing is `-`."""
    plain = [each if "!" <= each <= "~" and each != "%" else _encoded(each) for each in value]
    return "".join(plain) or "-"


def _encoded(character: str) -> str:
    return "".join([f"%{byte:02X}" for byte in character.encode("utf-8", "surrogateescape")])


def _line(text: str) -> str:
    if "\n" in text or "\r" in text:
        raise ValueError("a header of a health endpoint cannot have a line break")
    return text


class StateDirectory:
    """Writes what the engine makes known. Files are replaced whole; who may read them, the directory decides."""

    def __init__(self, path: str) -> None:
        self.path = path

    def write_state(self, state: Mapping[str, Any]) -> None:
        """`state.json`. A top-level key a line, so that the status is changed without parsing JSON."""
        import json

        whole = {"status": "starting", "reason": "", "updated": int(time.time()), "degraded": [], **state}
        lines = [f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in whole.items()]
        files.replace(f"{self.path}/state.json", ("{\n" + ",\n".join(lines) + "\n}\n").encode())

    def write_report(self, report: Mapping[str, Any]) -> None:
        """`report.json`, at each verdict."""
        import json

        files.replace(f"{self.path}/report.json", (json.dumps(report, indent=2) + "\n").encode())

    def append_event(self, event: Mapping[str, Any]) -> None:
        """A line of `events.jsonl`."""
        import json

        files.append_line(f"{self.path}/events.jsonl", json.dumps(event))

    def write_probe(self, probe: Probe) -> None:
        files.replace(f"{self.path}/probe", probe.text().encode("utf-8", "replace"))

    def set_status(self, status: str, *, reason: str = "", degraded: tuple[str, ...] | None = None) -> None:
        """Changes the status in `probe` and `state.json`, and the degraded features where given."""
        files.set_status(self.path, status, reason, degraded)

    def set_degraded(self, features: Sequence[str]) -> None:
        """Changes the degraded features in `state.json` alone."""
        import json

        files.set_value(self.path, "degraded", json.dumps(list(features)))

    def set_verdict(self, name: str, *, ok: bool, expires: float, text: str = "") -> None:
        """Notes how an endpoint was judged, and the time until which the probe may believe it."""
        files.set_verdict(self.path, name, ok=ok, expires=expires, text=text)

    def read_state(self) -> dict[str, Any] | None:
        return self._read("state.json")

    def read_report(self) -> dict[str, Any] | None:
        return self._read("report.json")

    def _read(self, name: str) -> dict[str, Any] | None:
        """The file's content; none where there is no such file or it is not ours to read."""
        import json

        try:
            content = files.read(f"{self.path}/{name}")
        except (FileNotFoundError, PermissionError):
            return None
        found = json.loads(content)
        return found if isinstance(found, dict) else None
