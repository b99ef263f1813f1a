import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

import pytest
import yaml

EXAMPLES = Path(__file__).parents[2] / "examples"
_direct = build_opener(ProxyHandler({}))


class Service:
    """A copy of an example with a port and a state directory of its own, and the engine as a real process."""

    def __init__(self, source, place):
        self.root = place / "service"
        shutil.copytree(
            source, self.root, ignore=shutil.ignore_patterns("__pycache__", "logs", "state", "cache")
        )
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = listener.getsockname()[1]
        self.state = place / "engine-state"
        self.output = place / "stderr.txt"
        self.process = None
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith("ORCHESTRATOR_")
        }
        self.environment = inherited | {
            "PORT": str(self.port),
            "ORCHESTRATOR_STATE_DIR": str(self.state),
            "PYTHONDONTWRITEBYTECODE": "1",
            "NO_COLOR": "1",
        }

    @property
    def stderr(self):
        return self.output.read_text()

    def change_spec(self, change):
        path = self.root / "startup.yaml"
        spec = yaml.safe_load(path.read_text())
        change(spec)
        path.write_text(yaml.safe_dump(spec, sort_keys=False))

    def command(self, *words):
        """A command beside the running engine."""
        return subprocess.run(
            [sys.executable, "-m", "orchestrator", *words],
            cwd=self.root,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=30,
        )

    def start(self):
        with self.output.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "orchestrator", "run"],
                cwd=self.root,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=output,
            )

    def get(self, path):
        with _direct.open(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
            return json.load(answer)

    def until(self, condition, seconds=40):
        deadline = time.monotonic() + seconds
        while not condition():
            assert self.process.poll() is None, f"ended with {self.process.returncode}:\n{self.stderr}"
            assert time.monotonic() < deadline, f"not within {seconds} s:\n{self.stderr}"
            time.sleep(0.05)

    def until_healthy(self):
        """The engine's own word that the service is ready, which it gives after the endpoint's."""
        self.until(lambda: self.command("health").returncode == 0)

    def ends(self, seconds=40):
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {seconds} s:\n{self.stderr}") from None

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.ends()

    def report(self):
        return json.loads((self.state / "report.json").read_text())

    def status_of(self, item):
        return next(each for each in self.report()["items"] if each["id"] == item)["status"]


@pytest.fixture
def arkalia(tmp_path):
    service = Service(EXAMPLES / "arkalia", tmp_path)
    yield service
    if service.process and service.process.poll() is None:
        service.process.send_signal(signal.SIGTERM)
        try:
            service.process.wait(20)
        except subprocess.TimeoutExpired:
            service.process.kill()
            service.process.wait()
