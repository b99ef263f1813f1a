"""`telemetry.listen`: the operations listener, a process of its own beside the service.

It reads the state directory and nothing else, so it knows no secrets. Standard library only.

    /live     200 while the engine works              /metrics  for Prometheus
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
from orchestrator.status.http_server import Server, message, request_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

ENDED = ("stopped", "failed")
SERVING = ("ready", "degraded")
TEXT, JSON = "text/plain; charset=utf-8", "application/json"


def command(fd: int, control: int, directory: str, features: Sequence[str], *, counted: bool) -> list[str]:
    """The argv that answers on the socket `fd`, which must be inherited as must `control`, the end of a pipe.

    `features` are the names of all that can be degraded, `counted` whether there are metrics.
    """
    words = json.dumps({"directory": directory, "features": list(features), "counted": counted})
    return [sys.executable, "-I", "-S", os.path.abspath(__file__), str(fd), str(control), words]


class Operations(Server):
    """Answers from the current files of the state directory."""

    def __init__(self, listener: socket.socket, control: int, given: dict[str, Any]) -> None:
        super().__init__(listener, control)
        self.directory: str = given["directory"]
        self.features: list[str] = given["features"]
        self.counted: bool = given["counted"]

    def respond(self, head: bytes) -> bytes:
        method, path = request_line(head)
        if not method:
            return message(400, TEXT, "This is not an HTTP request.\n", "GET")
        if method not in ("GET", "HEAD"):
            return message(405, TEXT, "Only GET and HEAD.\n", method, "Allow: GET, HEAD")
        return message(*self.page(path), method)

    def page(self, path: str) -> tuple[int, str, str]:
        """Status, type and body."""
        state = self.read("state.json")
        status = str(state.get("status", "unknown"))
        if path == "/live":
            return 503 if status in ENDED else 200, TEXT, f"{status}\n"
        if path == "/ready":
            return 200 if status in SERVING else 503, TEXT, f"{status}\n"
        if path == "/status":
            return 200, JSON, json.dumps(state) + "\n"
        if path == "/report":
            return 200, JSON, json.dumps(self.read("report.json")) + "\n"
        if path == "/metrics" and self.counted:
            text = metrics.text(state, self.read("report.json"), self.features)
            return 200, metrics.CONTENT_TYPE, text
        return 404, TEXT, "Not found. The paths are /live, /ready, /status, /report and /metrics.\n"

    def read(self, name: str) -> dict[str, Any]:
        try:
            with open(f"{self.directory}/{name}", encoding="utf-8") as file:
                found = json.load(file)
        except (OSError, ValueError):
            return {}  # not written yet, or not readable
        return found if isinstance(found, dict) else {}


def main(argv: list[str]) -> int:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; the engine decides
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    listener = socket.socket(fileno=int(argv[0]))
    Operations(listener, int(argv[1]), json.loads(argv[2])).serve()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
