"""All four workers answered: ours against bare uvicorn with one worker and with four, for a light and a slow import."""

import http.client
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.first_200 import free_port
from benchmarks.sidebyside import Command, finish, row, time_to_end

WORKERS = 4
TURNS = 7
PATIENCE = 60.0
APP = """
import os, time
begun = time.process_time()
while time.process_time() - begun < {slow}:  # work, as imports are: four of them share the processors
    pass
from fastapi import FastAPI
app = FastAPI()

@app.get("/")
def root():
    return {{"pid": os.getpid()}}
"""
SPEC = """
version: 1
service: many
launch: {{app: main:app, host: 127.0.0.1, port: {port}, workers: {workers}, options: {{log_level: warning, access_log: false}}}}
"""
AGAINST_ONE, AGAINST_MANY = 1.45, 0.35
"""The most of bare uvicorn's time with one worker, and with four where an import takes over a second."""


def main() -> int:
    rows = []
    for kind, slow in (("light", 0.0), ("import of 1.2 s", 1.2)):
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "main.py").write_text(APP.format(slow=slow))
            one, many, ours = commands(folder, kind)
            against_one = measured(folder, one, ours, 1, AGAINST_ONE)
            against_many = measured(folder, many, ours, WORKERS, AGAINST_MANY if slow > 1 else None)
            best = against_one[0].rival_median / against_many[0].rival_median
            print(
                f"{kind}: one import and nothing else would be {best:.2f} of uvicorn --workers {WORKERS} here"
            )
            rows += [*against_one, *against_many]
    return finish("workers", rows)


def commands(folder: str, kind: str) -> tuple[Command, Command, Command]:
    port = free_port()
    (Path(folder) / "startup.yaml").write_text(SPEC.format(port=port, workers=WORKERS))
    environ = {**os.environ, "PORT": str(port), "ORCHESTRATOR_STATE_DIR": f"{folder}/state"}
    scripts = Path(sys.executable).parent
    bare = [
        str(scripts / "uvicorn"),
        "main:app",
        "--port",
        str(port),
        "--log-level",
        "warning",
        "--no-access-log",
    ]
    return (
        Command(f"uvicorn, {kind}", bare, environ),
        Command(f"uvicorn --workers {WORKERS}, {kind}", [*bare, "--workers", str(WORKERS)], environ),
        Command(f"orchestrator, {WORKERS} workers, {kind}", [str(scripts / "orchestrator"), "run"], environ),
    )


def measured(folder: str, rival: Command, ours: Command, rivals_workers: int, goal: float | None):
    counts = {rival.name: rivals_workers, ours.name: WORKERS}
    for command in (rival, ours):
        all_answered(command, folder, counts[command.name])
    runs = []
    for turn in range(TURNS):
        pair = (rival, ours) if turn % 2 else (ours, rival)
        found = {command.name: all_answered(command, folder, counts[command.name]) for command in pair}
        runs.append((found[rival.name], found[ours.name]))
    return [row(rival, ours, "all answered", runs, goal), row(rival, ours, "stop", runs, None)]


def all_answered(command: Command, folder: str, count: int) -> dict[str, float]:
    """Milliseconds until so many processes have answered, and from TERM to the end."""
    port = int((command.environ or {})["PORT"])
    started = time.perf_counter()
    process = subprocess.Popen(
        command.argv, cwd=folder, env=command.environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        seen: set[bytes] = set()
        while len(seen) < count:
            if time.perf_counter() - started > PATIENCE or process.poll() is not None:
                raise SystemExit(f"{command.name}: {len(seen)} of {count} answered")
            seen |= answers(port, count)
        took = 1000 * (time.perf_counter() - started)
        time.sleep(0.3)
        return {"all answered": took, "stop": time_to_end(process, PATIENCE)}
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def answers(port: int, count: int) -> set[bytes]:
    """Who answers on several connections at once: one after another would all be the same worker's."""
    connections = [http.client.HTTPConnection("127.0.0.1", port, timeout=5) for _ in range(2 * count)]
    found = set()
    try:
        for each in connections:
            each.connect()
        for each in connections:
            each.request("GET", "/")
        for each in connections:
            found |= set(re.findall(rb"\d+", each.getresponse().read()))
    except (OSError, http.client.HTTPException):
        time.sleep(0.002)
    finally:
        for each in connections:
            each.close()
    return found
