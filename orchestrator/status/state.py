"""The state directory: where it is, and the files in it for `health`, `status`, `report` and the app.

`orchestrator.system.files` has what processes need that must stay small.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.system import files

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

VARIABLE = "ORCHESTRATOR_STATE_DIR"
OWN_FILES = frozenset({"probe", "state.json", "report.json", "events.jsonl", "events.jsonl.1"})
"""All names that the engine writes there."""
KINDS = ("http", "https", "unix", "heartbeat", "command")


def locate(environ: Mapping[str, str]) -> tuple[str | None, str]:
    """Creates or reuses the state directory: its path, or None and the reason.

    If `ORCHESTRATOR_STATE_DIR` names one, no other is tried.
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
    """The state directory of an engine that runs or ran here, for readers."""
    explicit = environ.get(VARIABLE) or None
    return files.find(explicit, "state.json") or files.find(explicit, "probe")


def opened(environ: Mapping[str, str]) -> str | None:
    """The same for a command, which becomes the directory's owner if it is root."""
    directory = find(environ)
    return directory if directory is not None and files.become_owner(directory) else None


def _prepare(path: str, *, named: bool) -> str:
    """Creates the directory, or takes it if it is ours alone; returns why it cannot be used."""
    try:
        if named or (path.endswith(files.GIVEN) and os.geteuid() == 0):
            os.makedirs(os.path.dirname(path) or ".", mode=0o755, exist_ok=True)
        # Not makedirs for the last part, which must have our mode.
        if not os.path.lexists(path):
            os.mkdir(path, 0o700)
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        return "it is a symbolic link or not a directory" if os.path.lexists(path) else str(error.strerror)
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
    if named:
        # It may be any directory, even /tmp: its mode is not ours to change.
        better = f"{path.rstrip('/')}/orchestrator"
        return f"its mode is {mode:04o}, expected 0700: use a directory of its own, such as {better}"
    try:
        os.fchmod(descriptor, 0o700)
    except OSError as error:
        return f"its mode is {mode:04o} and cannot be changed: {error.strerror}"
    return ""


def provide(environ: Mapping[str, str], uid: int, gid: int) -> str:
    """As root: creates the directory that `locate` finds as this user; returns why it cannot.

    Its parent belongs to root, so that nobody else can replace it. Follows no link.
    """
    explicit = environ.get(VARIABLE) or None
    why = ""
    places = [path for path in files.candidates(explicit) if explicit or path.endswith(files.GIVEN)]
    for path in places:
        try:
            _hand_out(path, uid, gid, named=bool(explicit))
        except OSError as error:
            why = f"{path}: {(error.strerror or str(error)).lower()}"
        else:
            return ""
    return why


def _hand_out(path: str, uid: int, gid: int, *, named: bool) -> None:
    parent, _, name = os.path.abspath(path).rpartition("/")
    above = _reached(parent, mode=0o755)
    try:
        if not named:
            os.fchmod(above, 0o755)
        directory = _reached(name, above)
        try:
            _give(directory, uid, gid, named=named)
        finally:
            os.close(directory)
    finally:
        os.close(above)


def _reached(path: str, start: int | None = None, mode: int = 0o700) -> int:
    """A descriptor of the directory, created if it is missing; no part of the path may be a link."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    here = os.dup(start) if start is not None else os.open("/", flags)
    for part in filter(None, path.split("/")):
        try:
            with contextlib.suppress(FileExistsError):
                os.mkdir(part, mode, dir_fd=here)
            inner = os.open(part, flags, dir_fd=here)
        finally:
            os.close(here)
        here = inner
    return here


def _give(directory: int, uid: int, gid: int, *, named: bool) -> None:
    found = os.fstat(directory)
    if found.st_uid == uid:
        return
    inside = os.listdir(directory)
    ours = (
        stat.S_IMODE(found.st_mode) == 0o700 and found.st_uid == os.geteuid() and OWN_FILES.issuperset(inside)
    )
    if named and not ours:
        return  # it may be any directory, even /root: `locate` reports its owner
    for name in inside:  # from an earlier start as another user
        with contextlib.suppress(IsADirectoryError):
            os.unlink(name, dir_fd=directory)
    os.fchown(directory, uid, gid)
    os.fchmod(directory, 0o700)


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
    """Where the server listens; a wildcard (`0.0.0.0`, `::`) is asked at loopback."""
    port: int = 0
    path: str = "/"
    """The request's target."""
    method: str = "GET"
    statuses: str = "200-299"
    """The healthy ones: `200-299`, `200,204`."""
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
    """The file `probe`, whose format `orchestrator.health.probe` describes."""

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
    """A word of the probe file: blanks, control characters and `%` are encoded; empty is `-`."""
    encoded = value.encode("utf-8", "surrogateescape")
    return (
        "".join([chr(byte) if 0x21 <= byte <= 0x7E and byte != 0x25 else f"%{byte:02X}" for byte in encoded])
        or "-"
    )


def _line(text: str) -> str:
    if "\n" in text or "\r" in text:
        raise ValueError("a header of a health endpoint cannot have a line break")
    return text


class StateDirectory:
    """Reads and writes the files. They are replaced atomically; the directory's mode decides who may read them."""

    def __init__(self, path: str) -> None:
        self.path = path

    def write_state(self, state: Mapping[str, Any]) -> None:
        """`state.json`, with one top-level key a line, so that it can be changed without parsing JSON."""
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
        """Changes the degraded features in `state.json` only."""
        import json

        files.set_value(self.path, "degraded", json.dumps(list(features)))

    def set_verdict(self, name: str, *, ok: bool, expires: float, text: str = "") -> None:
        """An endpoint's verdict, and the time until which the probe may rely on it."""
        files.set_verdict(self.path, name, ok=ok, expires=expires, text=text)

    def read_state(self) -> dict[str, Any] | None:
        return self._read("state.json")

    def read_report(self) -> dict[str, Any] | None:
        return self._read("report.json")

    def _read(self, name: str) -> dict[str, Any] | None:
        """The file's content; None if it does not exist or we may not read it."""
        import json

        try:
            content = files.read(f"{self.path}/{name}")
        except (FileNotFoundError, PermissionError):
            return None
        found = json.loads(content)
        return found if isinstance(found, dict) else None
