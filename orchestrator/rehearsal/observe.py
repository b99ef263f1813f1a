"""What a start comes to, seen from outside: its exit code, what it wrote, and what answers on its port."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import subprocess

    from orchestrator.rehearsal.sandbox_filesystem import Place

_PAUSE = 0.02
_ANSWERS_WITHIN = 5.0
_LAST_LINES = 12


@dataclass(slots=True)
class Seen:
    """Facts, as they are handed to whoever judges them."""

    outcome: str = ""
    exit_code: int | None = None
    degraded: list[str] = field(default_factory=list)
    fallbacks: list[dict[str, str]] = field(default_factory=list)
    status: str = ""
    """The state of the item that was broken; empty where the engine told nothing of it."""
    reason: str = ""
    """What it failed for; empty where it is well again."""
    summary: str = ""
    answers: str = ""
    """What the port answers: a status, or the failure; empty where nobody was asked."""
    failed: list[tuple[str, str]] = field(default_factory=list)
    """Every item that failed, with what it came to."""
    seconds: float = 0.0
    log: str = ""
    cannot: str = ""
    """Why it could not be made to fail, or was not seen through."""

    def text(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def of(cls, text: str) -> Seen:
        return cls(**json.loads(text))


class Observer:
    """One start under observation."""

    def __init__(self, place: Place, process: subprocess.Popen[bytes], item: str) -> None:
        self.place = place
        self.process = process
        self.item = item
        self.began = time.monotonic()
        self.until = self.began + place.job.limit

    def see(self) -> Seen:
        """Waits for the verdict, does what is to be done after it, and takes down what there is to see."""
        verdict = self._verdict()
        seen = Seen(seconds=time.monotonic() - self.began)
        if verdict in ("ready", "degraded"):
            seen.answers = self._asked()
            verdict = "stopped" if self.process.poll() is not None else verdict
            if verdict != "stopped" and "kill" in self.place.after:
                verdict = self._after_the_end_of_the_server()
        elif verdict == "maintenance":
            seen.answers = self._asked()
        self._take_down(seen, verdict)
        return seen

    def _verdict(self) -> str:
        while True:
            ended = self.process.poll() is not None
            status = str(self._report().get("status", ""))
            if ended:
                return "stopped"
            if status in ("ready", "degraded", "maintenance"):
                return status
            if time.monotonic() > self.until:
                return ""
            time.sleep(_PAUSE)

    def _report(self) -> dict[str, Any]:
        return self._read("report.json")

    def _read(self, name: str) -> dict[str, Any]:
        with contextlib.suppress(FileNotFoundError), open(f"{self.place.state}/{name}", "rb") as file:
            found: dict[str, Any] = json.load(file)
            return found
        return {}

    def _take_down(self, seen: Seen, verdict: str) -> None:
        report = self._report()
        items: list[dict[str, Any]] = report.get("items", [])
        mine: dict[str, Any] = next((each for each in items if each["id"] == self.item), {})
        seen.degraded = report.get("degraded", [])
        seen.fallbacks = mine.get("fallbacks", [])
        seen.status, seen.reason, seen.summary = (
            mine.get(each, "") for each in ("status", "reason", "summary")
        )
        seen.failed = [(each["id"], each["summary"]) for each in items if each["status"] == "failed"]
        seen.log = "\n".join(self.place.log().splitlines()[-_LAST_LINES:])
        seen.outcome = verdict
        if verdict == "stopped":
            self._stopped(seen)
        elif not verdict:
            seen.cannot = f"it came to no verdict within {self.place.job.limit:.0f} s"

    def _stopped(self, seen: Seen) -> None:
        code = self.process.returncode
        seen.exit_code = code if code >= 0 else 128 - code
        if seen.exit_code == 0 and self.place.start.spec.launch is None:
            seen.outcome = "degraded" if seen.degraded else "ready"

    # The port

    def _asked(self) -> str:
        """The first answer; what a command serves may need a moment after the verdict."""
        launch, said = self.place.start.spec.launch, ""
        if launch is None or (launch.listening_port is None and launch.unix is None):
            return ""
        until = time.monotonic() + _ANSWERS_WITHIN
        while time.monotonic() < until and self.process.poll() is None:
            said = self._ask()
            if said.isdigit():
                break
            time.sleep(_PAUSE)
        return said

    def _ask(self) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", timeout=2)
        try:
            connection.sock = self._connected()
            connection.request("GET", self._path(), headers={"Connection": "close"})
            return str(connection.getresponse().status)
        except (OSError, http.client.HTTPException) as error:
            return str(error) or type(error).__name__
        finally:
            connection.close()

    def _connected(self) -> socket.socket:
        launch = self.place.start.spec.launch
        assert launch is not None
        if launch.unix is not None:
            local = socket.socket(socket.AF_UNIX)
            local.settimeout(2)
            local.connect(self.place.path(launch.unix))
            return local
        host = "::1" if launch.host == "::" else "127.0.0.1" if launch.host == "0.0.0.0" else launch.host
        return socket.create_connection((host, launch.listening_port or 0), timeout=2)

    def _path(self) -> str:
        health = self.place.start.spec.health
        paths = {name: one.path for name, one in health.named()} if health is not None else {}
        return paths.get("ready") or paths.get("live") or "/"

    # After the end of the server

    def _after_the_end_of_the_server(self) -> str:
        """Kills it once the supervisor is there; `healed` when another one answers, `stopped` when all is over."""
        self._until(lambda: b"supervisor" in _command_line(self.process.pid))
        killed = _children(self.process.pid)
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        self._until(lambda: self.process.poll() is not None or self._serves_again(killed))
        if self.process.poll() is not None:
            return "stopped"
        return "healed" if self._serves_again(killed) else ""

    def _serves_again(self, killed: set[int]) -> bool:
        well = self._read("state.json").get("status") in ("ready", "degraded")
        return well and bool(_children(self.process.pid) - killed) and self._ask().isdigit()

    def _until(self, holds: Any) -> None:
        while not holds() and time.monotonic() < self.until:
            time.sleep(_PAUSE)


def _command_line(pid: int) -> bytes:
    with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as file:
        return file.read()
    return b""


def _children(pid: int) -> set[int]:
    with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return {int(each) for each in file.read().split()}
    return set()
