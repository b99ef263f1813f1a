"""Other process managers around the same uvicorn: time to the first 200, memory of what stays, time to stop."""

import os
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from benchmarks.first_200 import free_port, wait_for_200
from benchmarks.sidebyside import Command, finish, pss, row, time_to_end

TURNS = 7
APP = """
from fastapi import FastAPI
app = FastAPI()

@app.get("/ready")
def ready():
    return {}
"""
GOALS = {name: {"first 200": 1.0, "pss": 0.5} for name in ("supervisor", "circus")}
"""honcho starts what is named and stays beside it: it neither restarts nor reaps."""
SPEC = """
version: 1
service: shop
launch: {{app: main:app, host: 127.0.0.1, port: {port}, options: {{log_level: warning, access_log: false}}}}
"""
SUPERVISORD = """
[supervisord]
nodaemon=true
logfile=/dev/null
logfile_maxbytes=0
pidfile={folder}/supervisord.pid
[program:app]
command={uvicorn}
directory={folder}
stdout_logfile=/dev/null
stderr_logfile=/dev/null
"""
CIRCUS = """
[circus]
endpoint = ipc://{folder}/endpoint
pubsub_endpoint = ipc://{folder}/pubsub
[watcher:app]
cmd = {uvicorn}
working_dir = {folder}
copy_env = True
"""


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        environ = {**os.environ, "PORT": str(port), "ORCHESTRATOR_STATE_DIR": f"{folder}/state"}
        scripts = Path(sys.executable).parent
        uvicorn = f"{scripts / 'uvicorn'} main:app --port {port} --log-level warning --no-access-log"
        write(folder, port, uvicorn)
        ours = Command("orchestrator run", [str(scripts / "orchestrator"), "run"], environ)
        rows = []
        for name, argv in rivals(folder, scripts).items():
            if find_spec(name) is None:
                print(f"left out: {name} is not installed")
                continue
            rows += measured(folder, Command(name, argv, environ), ours)
        return finish("supervisors", rows)


def rivals(folder: str, scripts: Path) -> dict[str, list[str]]:
    return {
        "supervisor": [str(scripts / "supervisord"), "-c", f"{folder}/supervisord.conf"],
        "circus": [str(scripts / "circusd"), "--log-output", "/dev/null", f"{folder}/circus.ini"],
        "honcho": [str(scripts / "honcho"), "-f", f"{folder}/Procfile", "start"],
    }


def write(folder: str, port: int, uvicorn: str) -> None:
    files = {
        "main.py": APP,
        "startup.yaml": SPEC.format(port=port),
        "supervisord.conf": SUPERVISORD.format(folder=folder, uvicorn=uvicorn),
        "circus.ini": CIRCUS.format(folder=folder, uvicorn=uvicorn),
        "Procfile": f"app: {uvicorn}\n",
    }
    for name, text in files.items():
        (Path(folder) / name).write_text(text)


def measured(folder: str, rival: Command, ours: Command):
    once(rival, folder)
    once(ours, folder)
    runs = []
    for turn in range(TURNS):
        pair = (rival, ours) if turn % 2 else (ours, rival)
        found = {command.name: once(command, folder) for command in pair}
        runs.append((found[rival.name], found[ours.name]))
    goals = GOALS.get(rival.name, {})
    return [row(rival, ours, name, runs, goals.get(name)) for name in runs[0][0]]


def once(command: Command, folder: str) -> dict[str, float]:
    """Milliseconds to the first 200, memory of what stays beside the server, milliseconds from TERM to the end."""
    import subprocess
    import time

    started = time.perf_counter()
    process = subprocess.Popen(
        command.argv, cwd=folder, env=command.environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        took = wait_for_200(int((command.environ or {})["PORT"]), process, started)
        time.sleep(
            1.5
        )  # supervisord counts a second before it calls a program started; ours has become small
        memory = pss(process.pid)
        return {"first 200": took, "pss": memory, "stop": time_to_end(process, 30)}
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
