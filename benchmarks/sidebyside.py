"""Runs two commands in turns and compares them: machines differ and change, the ratio of medians holds."""

import contextlib
import json
import os
import platform
import select
import signal
import statistics
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Command:
    """What is run; its standard output goes nowhere, and it must end with 0."""

    name: str
    argv: list[str]
    environ: dict[str, str] | None = None


@dataclass(frozen=True)
class Goal:
    """The most that a measure of ours may be, as a multiple of the rival's."""

    measure: str
    ratio: float


@dataclass(frozen=True)
class Row:
    """One line of the table, and of the JSON."""

    rival: str
    ours: str
    measure: str
    unit: str
    rival_median: float
    ours_median: float
    ratio: float
    goal: float | None
    spread: float
    """Half the distance between the quartiles of the ratios of neighbouring turns: how sure the ratio is."""

    @property
    def met(self) -> bool:
        return self.goal is None or self.ratio <= self.goal


def measure(command: Command) -> dict[str, float]:
    """CPU time (the kernel's own account) and wall time of one run, children that it waited for included."""
    environ = dict(os.environ) if command.environ is None else command.environ
    actions = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    started = time.perf_counter()
    pid = os.posix_spawnp(command.argv[0], command.argv, environ, file_actions=actions)
    _, status, usage = os.wait4(pid, 0)
    wall = time.perf_counter() - started
    if status:
        code = os.waitstatus_to_exitcode(status)
        raise SystemExit(f"{command.name}: {' '.join(command.argv)} ended with {code}")
    return {"cpu": 1000 * (usage.ru_utime + usage.ru_stime), "wall": 1000 * wall}


def time_to_end(process: subprocess.Popen[bytes], seconds: float) -> float:
    """Milliseconds from TERM to the end. `Popen.wait` with a timeout looks every 50 ms; the kernel tells at once."""
    ended = os.pidfd_open(process.pid)
    try:
        poll = select.poll()
        poll.register(ended, select.POLLIN)
        asked = time.perf_counter()
        process.send_signal(signal.SIGTERM)
        if not poll.poll(1000 * seconds):
            raise SystemExit(f"{process.args!r} did not end within {seconds:g} s")
        took = 1000 * (time.perf_counter() - asked)
    finally:
        os.close(ended)
    process.wait()
    return took


def pss(pid: int) -> float:
    """Resident memory of a process in MB, shared pages divided by those who share them."""
    with open(f"/proc/{pid}/smaps_rollup") as file:
        return sum(int(line.split()[1]) for line in file if line.startswith("Pss:")) / 1024


def tree_pss(pid: int) -> float:
    """The same for a process and all its descendants."""
    total = pss(pid)
    for task in os.listdir(f"/proc/{pid}/task"):
        with contextlib.suppress(FileNotFoundError):
            children = Path(f"/proc/{pid}/task/{task}/children").read_text().split()
            total += sum(tree_pss(int(child)) for child in children)
    return total


def measure_pss(command: Command, settled) -> dict[str, float]:
    """Memory of a command that stays: `settled(pid)` returns when it is time to look; then it is ended."""
    environ = dict(os.environ) if command.environ is None else command.environ
    actions = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_WRONLY, 0) for fd in (1, 2)]
    pid = os.posix_spawnp(command.argv[0], command.argv, environ, file_actions=actions)
    try:
        settled(pid)
        return {"pss": pss(pid)}
    finally:
        os.kill(pid, 15)
        os.waitpid(pid, 0)


def compare(rival: Command, ours: Command, goals: list[Goal], *, turns: int = 40, settled=None) -> list[Row]:
    """Runs both in turns, once unmeasured first, and gives a row for each measure: CPU and wall, or PSS."""

    def once(command: Command) -> dict[str, float]:
        return measure_pss(command, settled) if settled else measure(command)

    once(rival), once(ours)
    runs = []
    for turn in range(turns):
        # Who begins changes with each turn: what follows a rival finds other caches than what leads.
        pair = (rival, ours) if turn % 2 else (ours, rival)
        found = {command.name: once(command) for command in pair}
        runs.append((found[rival.name], found[ours.name]))
    wanted = {goal.measure: goal.ratio for goal in goals}
    return [row(rival, ours, name, runs, wanted.get(name)) for name in runs[0][0]]


def row(rival: Command, ours: Command, name: str, runs, goal: float | None) -> Row:
    first = statistics.median(theirs[name] for theirs, _ in runs)
    second = statistics.median(own[name] for _, own in runs)
    quartiles = statistics.quantiles([own[name] / theirs[name] for theirs, own in runs], n=4)
    return Row(
        rival=rival.name,
        ours=ours.name,
        measure=name,
        unit="MB" if name == "pss" else "ms",
        rival_median=round(first, 3),
        ours_median=round(second, 3),
        ratio=round(second / first, 3),
        goal=goal,
        spread=round((quartiles[2] - quartiles[0]) / 2, 3),
    )


def table(rows: list[Row]) -> str:
    heading = ("rival", "ours", "measure", "rival", "ours", "ratio", "goal", "")
    lines = [heading] + [
        (
            each.rival,
            each.ours,
            each.measure,
            f"{each.rival_median:.1f} {each.unit}",
            f"{each.ours_median:.1f} {each.unit}",
            f"{each.ratio:.2f} ± {each.spread:.2f}",
            f"≤ {each.goal:g}" if each.goal else "",
            ("met" if each.met else "MISSED") if each.goal else "",
        )
        for each in rows
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heading))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def finish(name: str, rows: list[Row]) -> int:
    """Prints the table, writes `results/NAME.json`, and gives the number of goals that were missed."""
    print(table(rows))
    RESULTS.mkdir(exist_ok=True)
    document = {
        "schema": 1,
        "benchmark": name,
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors",
        "rows": [asdict(each) | {"met": each.met} for each in rows],
    }
    (RESULTS / f"{name}.json").write_text(json.dumps(document, indent=2) + "\n")
    return sum(not each.met for each in rows)
