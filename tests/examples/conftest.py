import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

import pytest
import yaml
from ports import free_port

ROOT = Path(__file__).parents[2]
_direct = build_opener(ProxyHandler({}))


class Service:
    """A copy of an example with a port and a state directory of its own, and the engine as a real process."""

    def __init__(self, source, place, *parts):
        self.root = place / "service"
        self.root.mkdir(parents=True)
        for part in parts:
            copy(source / part, self.root / part)
        self.port = free_port()
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
            # What steps call `python` is the one that runs the tests.
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{inherited['PATH']}",
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

    def start(self, *options, words=()):
        with self.output.open("a") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "orchestrator", *options, "run", *words],
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
        self.until(lambda: self.status() in ("ready", "degraded") and self.command("health").returncode == 0)

    def status(self):
        with contextlib.suppress(OSError, ValueError):
            return json.loads((self.state / "state.json").read_text())["status"]

    def ends(self, seconds=40):
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {seconds} s:\n{self.stderr}") from None

    def end(self):
        """Whatever state it is in; for the end of a test."""
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.ends()

    def report(self):
        return json.loads((self.state / "report.json").read_text())

    def status_of(self, item):
        return next(each for each in self.report()["items"] if each["id"] == item)["status"]


def copy(source, target):
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "logs", "state"))
    else:
        shutil.copy(source, target)


@contextlib.contextmanager
def copies(place):
    """Copies examples under names of their own, with the engine as it will be started there."""
    services = []

    def copied(name, source, *parts):
        services.append(Service(ROOT / source, place / name, *parts))
        return services[-1]

    try:
        yield copied
    finally:
        for service in reversed(services):
            service.end()


@pytest.fixture
def copied(tmp_path):
    with copies(tmp_path) as copied:
        yield copied


@pytest.fixture(scope="module")
def copied_for_all(tmp_path_factory):
    """As `copied`, for services that all tests of a module ask."""
    with copies(tmp_path_factory.mktemp("copies")) as copied:
        yield copied


@pytest.fixture
def arkalia(tmp_path):
    service = Service(ROOT / "examples/arkalia", tmp_path, "helloria", "modules", "startup.yaml")
    yield service
    service.end()


@pytest.fixture
def bookmarks(tmp_path):
    service = Service(ROOT, tmp_path / "bookmarks", "app", "startup.yaml", "startup.production.yaml")
    yield service
    service.end()


@pytest.fixture
def digest(tmp_path, bookmarks):
    service = Service(ROOT, tmp_path / "digest", "app", "digest.yaml")
    service.environment["API_URL"] = f"http://127.0.0.1:{bookmarks.port}"
    yield service
    service.end()
