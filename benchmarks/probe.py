"""The health probe against `curl -f`, asking the same server: it runs every few seconds for years."""

import os
import shutil
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import orchestrator
from benchmarks.sidebyside import Command, Goal, compare, finish
from orchestrator.status.state import Endpoint, Probe, StateDirectory


class Well(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_):
        """Nothing: the terminal is for the table."""


def main() -> int:
    curl = shutil.which("curl")
    script = Path(sys.executable).with_name("orchestrator")
    if not curl or not script.exists():
        print(f"skipped: needs curl and {script}")
        return 0
    server = ThreadingHTTPServer(("127.0.0.1", 0), Well)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with tempfile.TemporaryDirectory() as state:
            return finish("probe", measured(curl, str(script), server.server_port, state))
    finally:
        server.shutdown()
        server.server_close()


def measured(curl: str, script: str, port: int, state: str):
    endpoint = Endpoint("ready", host="0.0.0.0", port=port, path="/ready")
    StateDirectory(state).write_probe(Probe("ready", os.getpid(), (endpoint,)))
    environ = {"PATH": os.environ["PATH"], "ORCHESTRATOR_STATE_DIR": state}
    rival = Command("curl -f", [curl, "-fsS", f"http://127.0.0.1:{port}/ready"], environ)
    file = str(Path(orchestrator.__file__).parent / "health" / "probe.py")
    installed = Command("orchestrator health", [script, "health"], environ)
    alone = Command("python -I -S probe.py", [sys.executable, "-I", "-S", file], environ)
    return [
        *compare(rival, installed, [Goal("cpu", 3)]),
        *compare(rival, alone, [Goal("cpu", 1.5)]),
    ]
