"""From the start of the process to the first 200: the sample's start under its contract against bare uvicorn."""

import http.client
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.sidebyside import Command, Goal, finish, pss, row, time_to_end

ROOT = Path(__file__).parent.parent
TURNS = 12
PATIENCE = 30.0
SUPERVISOR_MB = 12.0


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(ROOT / "app", Path(folder) / "app")
        shutil.copy(ROOT / "startup.yaml", folder)
        (Path(folder) / "data").mkdir()
        without_step(Path(folder))
        environ = {
            **os.environ,
            "PORT": str(free_port()),
            "ORCHESTRATOR_STATE_DIR": f"{folder}/run",
            "LOG_LEVEL": "warning",
        }
        subprocess.run(
            [sys.executable, "-m", "app.migrate"], cwd=folder, env=environ, check=True, capture_output=True
        )
        bin_dir = Path(sys.executable).parent
        bare = Command(
            "uvicorn",
            [str(bin_dir / "uvicorn"), "app.main:app", "--port", environ["PORT"], "--log-level", "warning"],
            environ,
        )
        ours = Command(
            "orchestrator run", [str(bin_dir / "orchestrator"), "-f", "light.yaml", "run"], environ
        )
        whole = Command(
            "orchestrator run, with its migration step", [str(bin_dir / "orchestrator"), "run"], environ
        )
        return finish(
            "first_200", [*in_turns(bare, ours, folder, 1.25), *in_turns(bare, whole, folder, None)]
        )


def without_step(folder: Path) -> None:
    """The same contract without the step that bare uvicorn does not run either."""
    import yaml

    spec = yaml.safe_load((folder / "startup.yaml").read_text())
    del spec["steps"]
    (folder / "light.yaml").write_text(yaml.safe_dump(spec))


def in_turns(rival: Command, ours: Command, folder: str, goal: float | None):
    first_200(rival, folder), first_200(ours, folder)
    runs = []
    for turn in range(TURNS):
        pair = (rival, ours) if turn % 2 else (ours, rival)
        found = {command.name: first_200(command, folder) for command in pair}
        runs.append((found[rival.name], found[ours.name]))
    wanted = {"first 200": Goal("first 200", goal).ratio} if goal else {}
    rows = [row(rival, ours, name, runs, wanted.get(name)) for name in ("first 200", "stop")]
    memory = [own["pss"] for _, own in runs]
    print(
        f"PSS of the supervisor after ready: {min(memory):.1f} to {max(memory):.1f} MB (at most {SUPERVISOR_MB:g})"
    )
    return rows


def first_200(command: Command, folder: str) -> dict[str, float]:
    """Milliseconds to the first 200, memory of the first process then, milliseconds from TERM to the end."""
    port = int((command.environ or {})["PORT"])
    started = time.perf_counter()
    process = subprocess.Popen(
        command.argv, cwd=folder, env=command.environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        took = wait_for_200(port, process, started)
        wait_until_small(process.pid)
        memory = pss(process.pid)
        return {"first 200": took, "pss": memory, "stop": time_to_end(process, PATIENCE)}
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def wait_for_200(port: int, process: subprocess.Popen, started: float) -> float:
    while time.perf_counter() - started < PATIENCE:
        if process.poll() is not None:
            raise SystemExit(f"{process.args} ended with {process.returncode}")
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
            connection.request("GET", "/ready")
            if connection.getresponse().status == 200:
                return 1000 * (time.perf_counter() - started)
        except OSError:
            time.sleep(0.002)
        finally:
            connection.close()
    raise SystemExit(f"{process.args} did not answer within {PATIENCE:g} s")


def wait_until_small(pid: int) -> None:
    """Our first process becomes the supervisor a moment after the first answer."""
    end = time.perf_counter() + 1.5
    while time.perf_counter() < end:
        with open(f"/proc/{pid}/cmdline") as file:
            words = file.read().split("\0")
        if any(word.endswith("supervisor.py") for word in words):
            time.sleep(0.1)
            return
        if "uvicorn" in " ".join(words):
            time.sleep(0.1)
            return
        time.sleep(0.01)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
