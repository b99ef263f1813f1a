"""The state directory: where it is, and what is written there for `health`, `status`, `report` and the app.

Knows the files' form, not what leads to their content. `orchestrator.system.files` is the part of it for
processes that must stay small.
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
KEPT = frozenset({"probe", "state.json", "report.json", "events.jsonl", "events.jsonl.1"})
"""The names of all that is kept in it."""
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


def opened(environ: Mapping[str, str]) -> str | None:
    """The same, for a command: where it is root, it is the directory's owner from now on."""
    directory = find(environ)
    return directory if directory is not None and files.become_owner(directory) else None


def _prepare(path: str, *, named: bool) -> str:
    """Makes the directory ours alone; says why that cannot be."""
    try:
        if named or (path.endswith(files.GIVEN) and os.geteuid() == 0):
            os.makedirs(os.path.dirname(path) or ".", mode=0o755, exist_ok=True)
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
    if named:
        # It may be anything, /tmp even: whose directory it is decides who may look in.
        better = f"{path.rstrip('/')}/orchestrator"
        return f"its mode is {mode:04o}, expected 0700: name a directory for this alone, such as {better}"
    try:
        os.fchmod(descriptor, 0o700)
    except OSError as error:
        return f"its mode is {mode:04o} and cannot be changed: {error.strerror}"
    return ""


def provide(environ: Mapping[str, str], uid: int, gid: int) -> str:
    """As root, before that is given up: makes the directory that `locate` finds as this user; says why that cannot be.

    Below a parent of root's, so that nobody else can put another one there. Follows no link.
    """
    explicit = environ.get(VARIABLE) or None
    why = ""
    places = [each for each in files.candidates(explicit) if explicit or each.endswith(files.GIVEN)]
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
    """A descriptor of the directory, made where it is missing; its components are no links."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    here = os.dup(start) if start is not None else os.open("/", flags)
    for part in (each for each in path.split("/") if each):
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
    ours = stat.S_IMODE(found.st_mode) == 0o700 and found.st_uid == os.geteuid() and KEPT.issuperset(inside)
    if named and not ours:
        return  # it may be anything, /root even: the user is told whose it is
    for name in inside:  # of an earlier start, as root or as another user
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
