"""`telemetry.listen`: the operations listener, a process of its own beside the service.

It reads the state directory and nothing else: what may not be known does not stand there. Standard library only.

    /live     200 while the engine is at work         /metrics  for Prometheus
    /ready    200 while the service takes traffic     /status   the state as JSON      /report  the last start as JSON
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys

if __name__ == "__main__":
    # The interpreter runs without site-packages. Last, so that nothing of Python's is shadowed.
    sys.path.append(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from orchestrator.status import metrics
from orchestrator.status.maintenance import Config, Server, path_of, request_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

OVER = ("stopping", "stopped", "failed")
SERVING = ("ready", "degraded")


def command(fd: int, control: int, directory: str, features: Sequence[str], *, counted: bool) -> list[str]:
    """The argv that answers on the socket `fd`, which must be inherited as must `control`, the end of a pipe.

    `features` are the names of those that can be off, `counted` is whether there are metrics.
    """
    words = json.dumps({"directory": directory, "features": list(features), "counted": counted})
    return [sys.executable, "-I", "-S", os.path.abspath(__file__), str(fd), str(control), words]


class Operations(Server):
    """Answers from the files of the state directory as they are at this moment."""

    def __init__(self, listener: socket.socket, control: int, given: dict[str, Any]) -> None:
        super().__init__(listener, control, Config())
        self.directory: str = given["directory"]
        self.features: list[str] = given["features"]
        self.counted: bool = given["counted"]

    def respond(self, head: bytes) -> bytes:
        method, target = request_line(head)
        if not method:
            return _response(400, "This is not an HTTP request.\n")
        if method not in ("GET", "HEAD"):
            return _response(405, "Only GET and HEAD.\n")
        made = self.page(path_of(target))
        return made if method == "GET" else made.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"

    def page(self, path: str) -> bytes:
        state = self.read("state.json")
        status = str(state.get("status", "unknown"))
        if path == "/live":
            return _response(503 if status in OVER[1:] else 200, f"{status}\n")
        if path == "/ready":
            return _response(200 if status in SERVING else 503, f"{status}\n")
        if path == "/status":
            return _response(200, json.dumps(state) + "\n", "application/json")
        if path == "/report":
            return _response(200, json.dumps(self.read("report.json")) + "\n", "application/json")
        if path == "/metrics" and self.counted:
            told = metrics.text(state, self.read("report.json"), self.features)
            return _response(200, told, metrics.CONTENT_TYPE)
        return _response(404, "There are /live, /ready, /status, /report and /metrics.\n")

    def read(self, name: str) -> dict[str, Any]:
        try:
            with open(f"{self.directory}/{name}", encoding="utf-8") as file:
                found = json.load(file)
        except (OSError, ValueError):
            return {}  # not written yet, or not for us: nothing is known
        return found if isinstance(found, dict) else {}


PHRASES = {200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed", 503: "Service Unavailable"}  # fmt: skip


def _response(status: int, body: str, kind: str = "text/plain; charset=utf-8") -> bytes:
    content = body.encode("utf-8", "replace")
    lines = [
        f"HTTP/1.1 {status} {PHRASES[status]}",
        f"Content-Type: {kind}",
        f"Content-Length: {len(content)}",
        "Cache-Control: no-store",
        "X-Content-Type-Options: nosniff",
        "Connection: close",
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + content


def main(argv: list[str]) -> int:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; the engine decides
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    listener = socket.socket(fileno=int(argv[0]))
    Operations(listener, int(argv[1]), json.loads(argv[2])).serve()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
