"""Reliability: orphans reaped as PID 1, restarts without a leak, and kill -9 on random members for minutes.

`python -m benchmarks.soak [orphans=10000] [restarts=1000] [minutes=10]`; not among the quick ones, for it takes long.
"""

import contextlib
import http.client
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Self

from benchmarks.sidebyside import RESULTS, pss

UNSHARE = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")
LONGEST_BACKOFF = 30.0
APP = """
import os
from fastapi import FastAPI
app = FastAPI()

@app.get("/")
def root():
    return {"pid": os.getpid()}

@app.get("/orphans/{count}")
def orphans(count: int):
    for _ in range(count // 50):
        # The shell forks fifty times and ends at once: its children are PID 1's from then on.
        os.waitpid(os.posix_spawn("/bin/sh", ["sh", "-c", "i=0; while [ $i -lt 50 ]; do (exec true) & i=$((i+1)); done"], os.environ), 0)
    return {}

@app.get("/zombies")
def zombies():
    found = 0
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat") as file:
                found += ") Z " in file.read()
        except OSError:
            pass
    return {"zombies": found}
"""
SPEC = """
version: 1
service: soak
launch:
  app: main:app
  host: 127.0.0.1
  port: 0
  workers: %d
  options: {log_level: warning, access_log: false}
  restart: {policy: always, attempts: 1024, within: 1s}
health: {ready: /}
"""

COMMAND = """
version: 1
service: soak
launch:
  command: [sleep, "600"]
  restart: {policy: always, attempts: 1024, within: 50ms}
"""


class Service:
    """One start of `orchestrator run` in a directory of its own."""

    def __init__(self, folder: str, spec: str, prefix: tuple[str, ...] = ()) -> None:
        self.folder = Path(folder)
        (self.folder / "main.py").write_text(APP)
        (self.folder / "startup.yaml").write_text(spec)
        state = self.folder / "state"
        state.mkdir(mode=0o700)
        environ = {**os.environ, "ORCHESTRATOR_STATE_DIR": str(state)}
        script = str(Path(sys.executable).with_name("orchestrator"))
        self.log = open(self.folder / "log", "wb")  # noqa: SIM115 -- closed with the service
        self.process = subprocess.Popen(
            [*prefix, script, "run"], cwd=folder, env=environ, stdout=self.log, stderr=self.log
        )
        self.prefix = bool(prefix)
        self.probe = state / "probe"
        self.port = self._port() if "app:" in spec else 0
        wait(lambda: self.ready() and b"supervisor.py" in Path(f"/proc/{self.main}/cmdline").read_bytes())
        time.sleep(0.2)

    @property
    def main(self) -> int:
        return below(self.process.pid)[0] if self.prefix else self.process.pid

    def _port(self) -> int:
        def known() -> int:
            for line in self.probe.read_text().splitlines() if self.probe.exists() else []:
                if line.startswith("endpoint ready http"):
                    return int(line.split()[4])
            return 0

        return wait(lambda: self.process.poll() is None and known())

    def get(self, path: str = "/", timeout: float = 5.0) -> dict:
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)) as asked:
            asked.request("GET", path, headers={"Connection": "close"})
            return json.loads(asked.getresponse().read())

    def answers(self) -> bool:
        try:
            return bool(self.get(timeout=2.0))
        except (OSError, http.client.HTTPException, ValueError):
            return False

    def ready(self) -> bool:
        return self.probe.exists() and self.probe.read_text().startswith("status ready")

    def settled(self) -> bool:
        return self.ready() and self.answers()

    def end(self) -> int:
        os.kill(self.main, signal.SIGTERM)
        return self.process.wait(30)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            sys.stderr.write((self.folder / "log").read_text()[-4000:])
            self.process.kill()
            self.process.wait()
        self.log.close()


def wait(check, within: float = 120.0):
    end = time.monotonic() + within
    while not (found := check()):
        if time.monotonic() > end:
            raise SystemExit(f"nothing within {within:g} s")
        time.sleep(0.01)
    return found


def below(pid: int) -> list[int]:
    """Every living process below one."""
    parents = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            words = Path(f"/proc/{name}/stat").read_bytes().rpartition(b")")[2].split()
            if words[0] != b"Z":
                parents[int(name)] = int(words[1])
    found = [pid]
    for each in found:
        found += [child for child, parent in parents.items() if parent == each]
    return found[1:]


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def reap(count: int) -> dict:
    """Orphans as PID 1 of a namespace."""
    with tempfile.TemporaryDirectory() as folder, Service(folder, SPEC % 1, UNSHARE) as service:
        began = time.monotonic()
        for _ in range(count // 500):
            service.get("/orphans/500", timeout=120)
        wait(lambda: service.get("/zombies")["zombies"] == 0, 30)
        took = time.monotonic() - began
        return {"orphans": count, "zombies": 0, "seconds": round(took, 1), "exit": service.end()}


def restart(count: int) -> dict:
    """Kills a command again and again; the supervisor's descriptors, memory and children stay what they were."""
    with tempfile.TemporaryDirectory() as folder, Service(folder, COMMAND) as service:
        before = (descriptors(service.main), round(pss(service.main), 1))
        times = []
        for _ in range(count):
            victim = wait(lambda: below(service.main))[0]
            began = time.monotonic()
            os.kill(victim, signal.SIGKILL)
            wait(lambda victim=victim: victim not in below(service.main) and service.ready())
            times.append(time.monotonic() - began)
            time.sleep(0.06)  # served for `within`: the back-off begins anew
        after = (descriptors(service.main), round(pss(service.main), 1))
        return {"restarts": count, "descriptors": [before[0], after[0]], "pss_mb": [before[1], after[1]],
                "children": len(below(service.main)), "median_s": round(statistics.median(times), 2),
                "longest_s": round(max(times), 2), "exit": service.end()}  # fmt: skip


def soak(minutes: float) -> dict:
    """kill -9 on random members below the supervisor; each time it must answer again within its back-off."""
    with tempfile.TemporaryDirectory() as folder, Service(folder, SPEC % 2) as service:
        before = (descriptors(service.main), round(pss(service.main), 1))
        end, times, rng = time.monotonic() + 60 * minutes, [], random.Random(7)
        kinds = {"parent": 0, "worker": 0}
        while time.monotonic() < end:
            members = wait(lambda: below(service.main))  # none for a moment, between two servers
            victim = rng.choice(members)
            kinds["parent" if victim == members[0] else "worker"] += 1
            began = time.monotonic()
            with contextlib.suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
            wait(lambda: len(below(service.main)) == 3 and service.settled(), LONGEST_BACKOFF + 30)
            times.append(time.monotonic() - began)
            time.sleep(rng.uniform(0.1, 2.0))
        after = (descriptors(service.main), round(pss(service.main), 1))
        return {"minutes": minutes, "killed": kinds, "descriptors": [before[0], after[0]], "pss_mb": [before[1], after[1]],
                "whole_again_median_s": round(statistics.median(times), 2), "longest_s": round(max(times), 2),
                "exit": service.end()}  # fmt: skip


def run(orphans: int, restarts: int, minutes: float) -> dict:
    parts = {"orphans": (reap, orphans), "restarts": (restart, restarts), "soak": (soak, minutes)}
    found = {}
    for name, (measure, size) in parts.items():
        if size:
            found[name] = measure(size)
            print(name, json.dumps(found[name]), flush=True)
    return found


if __name__ == "__main__":
    given = dict(word.split("=") for word in sys.argv[1:])
    whole = run(
        int(given.get("orphans", 10000)), int(given.get("restarts", 1000)), float(given.get("minutes", 10))
    )
    RESULTS.mkdir(exist_ok=True)
    kept = RESULTS / "soak.json"
    before = json.loads(kept.read_text()) if kept.exists() else {}  # what was left out keeps its figures
    kept.write_text(json.dumps(before | whole, indent=2) + "\n")
