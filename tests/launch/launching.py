"""What the tests of the launch share: a service written to disk, the driver in a process, and what it said."""

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
DRIVER = os.path.join(HERE, "driver.py")

APP = """
import os
from tiny_asgi import App
app = App()

@app.get("/")
def root():
    return {"pid": os.getpid(), "word": os.environ.get("WORD", ""), "last": os.environ.get("LAST", "")}

@app.get("/health")
def health():
    return {}

@app.get("/descriptors")
def descriptors():
    found = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            found[name] = os.readlink("/proc/self/fd/" + name)
        except OSError:
            pass
    return found
"""


def content(path):
    with open(path, "rb") as file:
        return file.read()


def eventually(check, within=10.0, what="it"):
    """Polls until `check` gives something true; gives that."""
    end = time.monotonic() + within
    while True:
        found = check()
        if found:
            return found
        assert time.monotonic() < end, f"{what} did not happen within {within} s"
        time.sleep(0.02)


class Launched:
    """The driver at work in a directory of its own."""

    def __init__(self, directory, plan, prefix=()):
        self.directory = directory
        self.prefix = prefix
        shutil.copy(os.path.join(HERE, "..", "tiny_asgi.py"), directory)
        path = directory / "plan.json"
        path.write_text(
            json.dumps({"service": "test", "host": "127.0.0.1", "port": 0, "cwd": str(directory), **plan})
        )
        self.out = open(directory / "out", "wb+")  # noqa: SIM115 -- closed by `end`
        self.err = open(directory / "err", "wb+")  # noqa: SIM115 -- the same
        self.process = subprocess.Popen(
            [*prefix, sys.executable, DRIVER, str(path)],
            stdout=self.out,
            stderr=self.err,
            cwd=directory,
            stdin=subprocess.DEVNULL,
        )

    @property
    def main(self):
        """The engine, and later the supervisor: behind a prefix, the first below it."""
        if not self.prefix:
            return self.process.pid
        return eventually(lambda: family(self.process.pid), what="the process behind the prefix")[0]

    def events(self):
        text = (self.directory / "out").read_text()
        return [json.loads(line) for line in text.splitlines() if line.startswith('{"event"')]

    def errors(self):
        return (self.directory / "err").read_text()

    def event(self, kind, within=20.0):
        def find():
            return next((each for each in self.events() if each["event"] == kind), None)

        def check():
            return find() or self.process.poll() is not None

        eventually(check, within, f"`{kind}`")
        found = find()
        assert found is not None, f"ended without `{kind}`: {self.events()} {self.errors()}"
        return found

    @property
    def port(self):
        return self.event("bound")["port"]

    def get(self, path="/", timeout=5.0):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        with contextlib.closing(connection):
            connection.request("GET", path, headers={"Connection": "close"})
            answer = connection.getresponse()
            return answer.status, answer.read()

    def json(self, path="/"):
        return json.loads(self.get(path)[1])

    def answers(self):
        try:
            return self.json("/")
        except (OSError, http.client.HTTPException, ValueError):
            return None

    def supervised(self):
        """Waits until the supervisor has taken over."""
        self.event("becoming")
        main = self.main
        eventually(lambda: b"supervisor.py" in content(f"/proc/{main}/cmdline"), what="the exec")
        # The exec leaves no signal handlers: the take-over is complete when they are there again.
        eventually(lambda: caught(main, signal.SIGTERM), what="the take-over")
        return self

    def signal(self, number):
        os.kill(self.main, number)

    def wait(self, within=20.0):
        return self.process.wait(within)

    def end(self):
        everyone = family(self.process.pid)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for pid in everyone:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.out.close()
        self.err.close()


def caught(pid, number):
    with open(f"/proc/{pid}/status") as file:
        mask = next(line.split()[1] for line in file if line.startswith("SigCgt"))
    return int(mask, 16) & (1 << (number - 1))


def cmdline(pid):
    try:
        return content(f"/proc/{pid}/cmdline")
    except OSError:
        return b""


def parents():
    found = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                words = file.read().rpartition(b")")[2].split()
        except OSError:
            continue
        if words[0] != b"Z":
            found[int(name)] = int(words[1])
    return found


def family(pid):
    """Everything below a process."""
    known = parents()
    found = [pid]
    for each in found:
        found += [child for child, parent in known.items() if parent == each]
    return found[1:]


def alive(pid):
    return pid in parents()


def refused(port, host="127.0.0.1"):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as caller:
        caller.settimeout(2)
        try:
            caller.connect((host, port))
        except ConnectionRefusedError:
            return True
    return False


def answering(service, count):
    """The workers that answer, once so many were seen."""
    seen = set()

    def ask():
        found = service.answers()
        if found:
            seen.add(found["pid"])
        return len(seen) == count and seen

    return eventually(ask, 20, f"{count} workers")
