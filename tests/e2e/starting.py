"""What these tests share: a spec and an app on disk, the engine as a real process, and what it left behind."""

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import textwrap
import time

from ports import free_port

APP = """
import json, os
from orchestrator import startup
AT_IMPORT = os.environ.get("ORCHESTRATOR_DEGRADED", "")

async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    path = scope["path"]
    broken = os.path.exists("broken" + path.replace("/", "-"))
    body = {"path": path, "pid": os.getpid(), "at_import": AT_IMPORT, "degraded": list(startup.degraded_features()),
            "environ": {k: v for k, v in os.environ.items() if k.startswith(("APP_", "ORCHESTRATOR_"))}}
    await send({"type": "http.response.start", "status": 500 if broken else 200,
                "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})
"""


def eventually(check, within=20.0, what="it"):
    """Polls until `check` gives something true; gives that."""
    end = time.monotonic() + within
    while not (found := check()):
        said = what() if callable(what) else what
        assert time.monotonic() < end, f"not within {within} s: {said}"
        time.sleep(0.02)
    return found


class Engine:
    """A directory with a spec and an app, and the command in it."""

    def __init__(self, root):
        self.root = root / "service"
        self.root.mkdir()
        self.state = root / "engine-state"
        self.port = free_port()
        self.process = None
        self.err = root / "stderr.txt"
        self.out = root / "stdout.txt"
        self.started = []
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("ORCHESTRATOR_", "PYTEST_"))
        }
        self.environ = inherited | {
            "ORCHESTRATOR_STATE_DIR": str(self.state),
            "ORCHESTRATOR_IN_CONTAINER": "0",
            "PATH": os.path.dirname(sys.executable) + os.pathsep + inherited["PATH"],
            "PORT": str(self.port),
            "NO_COLOR": "1",
        }  # fmt: skip
        self.write("main.py", APP)

    def write(self, name, text="", mode=None):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
        if mode is not None:
            path.chmod(mode)
        return path

    def spec(self, text="", *, launch="{app: main:app, host: 127.0.0.1, port: PORT}", name="startup.yaml"):
        """A spec with this launch, unless it is empty; PORT in the text is this test's port."""
        whole = "version: 1\nservice: shop\n" + textwrap.dedent(text)
        if launch:
            whole += f"\nlaunch: {launch}\n"
        self.write(name, whole.replace("PORT", str(self.port)))
        return self

    def command(self, *words, env=None, timeout=40):
        """A command to its end."""
        return subprocess.run(
            [sys.executable, "-m", "orchestrator", *words], cwd=self.root, env=self.environ | (env or {}), capture_output=True,
            text=True, timeout=timeout, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def run(self, *words, env=None, timeout=40):
        """A start to its end; its output stands in `stderr` as well."""
        done = self.command(*words, "run", env=env, timeout=timeout)
        self.err.write_text(done.stderr)
        assert "Traceback" not in done.stderr or "internal" not in done.stderr, done.stderr
        return done

    def start_with(self, python):
        return self.start(python=python)

    def start(self, *words, env=None, prefix=(), python=sys.executable):
        with self.err.open("w") as err, self.out.open("w") as out:
            self.process = subprocess.Popen(
                [*prefix, python, "-m", "orchestrator", *words, "run"], cwd=self.root, env=self.environ | (env or {}),
                stdin=subprocess.DEVNULL, stdout=out, stderr=err,
            )  # fmt: skip
        self.started.append(self.process)
        return self

    @property
    def stderr(self):
        return self.err.read_text()

    def until(self, check, within=20.0):
        def checked():
            found = check()
            assert found or self.process.poll() is None, (
                f"ended with {self.process.returncode}:\n{self.stderr}"
            )
            return found

        return eventually(checked, within, lambda: self.stderr)

    def says(self, text, within=20.0):
        self.until(lambda: text in self.stderr, within)
        return self

    def status(self):
        with contextlib.suppress(OSError, ValueError):
            return json.loads((self.state / "state.json").read_text())["status"]

    def serving(self, within=25.0):
        """Waits until the supervisor has taken over a service that is ready or degraded."""
        self.until(lambda: b"supervisor.py" in cmdline(self.process.pid), within)
        self.until(lambda: caught(self.process.pid, signal.SIGTERM), 5)
        return self

    def get(self, path="/", timeout=5.0):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        with contextlib.closing(connection):
            connection.request("GET", path, headers={"Connection": "close"})
            answer = connection.getresponse()
            body = answer.read()
            return answer.status, json.loads(body) if body[:1] in b"{[" and body else body

    def tries(self, path="/"):
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.get(path)

    def stop(self, number=signal.SIGTERM, within=20.0):
        self.process.send_signal(number)
        return self.wait(within)

    def wait(self, within=20.0):
        try:
            return self.process.wait(within)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {within} s:\n{self.stderr}") from None

    def report(self):
        return json.loads((self.state / "report.json").read_text())

    def item(self, name):
        return next(each for each in self.report()["items"] if each["id"] == name)

    def statuses(self):
        return {each["id"]: each["status"] for each in self.report()["items"]}

    def events(self):
        return [json.loads(line) for line in (self.state / "events.jsonl").read_text().splitlines()]

    def end(self):
        for process in self.started:
            below = family(process.pid)
            if process.poll() is None:
                process.kill()
                process.wait()
            for pid in below:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def cmdline(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read()
    except OSError:
        return b""


def caught(pid, number):
    with contextlib.suppress(OSError), open(f"/proc/{pid}/status") as file:
        mask = next(line.split()[1] for line in file if line.startswith("SigCgt"))
        return int(mask, 16) & (1 << (number - 1))


def parents():
    found = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:
            words = file.read().rpartition(b")")[2].split()
            if words[0] not in b"ZX":
                found[int(name)] = int(words[1])
    return found


def family(pid):
    """Everything that lives below a process."""
    known, found = parents(), [pid]
    for each in found:
        found += [child for child, parent in known.items() if parent == each]
    return found[1:]


def alive(pid):
    return pid in parents()
