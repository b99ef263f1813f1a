"""Hand-overs from maintenance to the app under load: what is refused, reset or answered by half; how fast maintenance answers.

`python -m benchmarks.handover [seconds=30] [server=uvicorn] [workers=1] [write=yes]`: a start every three seconds whose file comes after
the first; a client comes every 5 ms, another every 5 ms on a connection that is kept, and a third with a body.
"""

import asyncio
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.first_200 import free_port
from benchmarks.sidebyside import RESULTS

EVERY = 0.005
TURN = 3.0
DECISION = 300.0
"""Milliseconds from the decision to the first answer of maintenance, at most."""
LOST = ("refused", "reset", "closed", "half", "unanswered")
BODY = b"x" * 20_000
APP = """
from fastapi import FastAPI, Request
app = FastAPI()

@app.api_route("/{path:path}", methods=["GET", "POST"])
async def anything(request: Request):
    return {"got": len(await request.body()), "some": "x" * 3000}
"""
SPEC = """
version: 1
service: shop
files: [{{path: flag, on_failure: {{serve: maintenance}}}}]
launch: {{app: main:app, host: 127.0.0.1, port: {port}, server: {server}, workers: {workers}}}
health: {{ready: /ready}}
"""


@dataclass
class Tally:
    """What the clients have met."""

    found: Counter = field(default_factory=Counter)
    slowest: float = 0.0
    first: dict[str, float] = field(default_factory=dict)
    """Status → the time of its first answer."""

    def answered(self, status: str, began: float) -> None:
        now = time.time()
        self.found[status] += 1
        self.slowest = max(self.slowest, (now - began) * 1000)
        self.first.setdefault(status, now)


class Client:
    """One connection after the other, or one that is kept for as long as the server keeps it."""

    def __init__(self, port: int, tally: Tally, *, keep: bool, body: bytes = b"") -> None:
        self.port, self.tally, self.keep = port, tally, keep
        method = "POST" if body else "GET"
        asked = "keep-alive" if keep else "close"
        self.request = f"{method} /x HTTP/1.1\r\nHost: a\r\nConnection: {asked}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body  # fmt: skip
        self.streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self) -> None:
        began = time.time()
        try:
            async with asyncio.timeout(10):
                self.tally.answered(await self._exchange(), began)
        except ConnectionRefusedError:
            self._lost("refused")
        except (ConnectionResetError, BrokenPipeError):
            self._lost("reset")
        except asyncio.IncompleteReadError as error:
            self._lost("half" if error.partial else "closed")
        except TimeoutError:
            self._lost("unanswered")

    async def _exchange(self) -> str:
        if self.streams is None:
            self.streams = await asyncio.open_connection("127.0.0.1", self.port)
        reader, writer = self.streams
        writer.write(self.request)
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("content-length:")[2].split()[0])
        await reader.readexactly(length)
        if not self.keep or "connection: close" in head:
            self.close()
        return head.split()[1]

    def _lost(self, how: str) -> None:
        self.tally.found[how] += 1
        self.close()

    def close(self) -> None:
        if self.streams is not None:
            self.streams[1].close()
            self.streams = None


async def load(port: int, tally: Tally, over: asyncio.Event) -> None:
    """Every 5 ms a client of each sort, whether or not those before have their answer."""
    running: set[asyncio.Task[None]] = set()
    kept: list[Client] = []
    due = time.monotonic()
    while not over.is_set():
        idle = kept.pop() if kept else Client(port, tally, keep=True)
        fresh = [Client(port, tally, keep=False), Client(port, tally, keep=False, body=BODY)]
        running |= {asyncio.create_task(each.ask()) for each in fresh}
        running.add(asyncio.create_task(_and_back(idle, kept)))
        running = {each for each in running if not each.done()}
        due = max(due + EVERY, time.monotonic() - 1.0)
        await asyncio.sleep(max(0.0, due - time.monotonic()))
    await asyncio.gather(*running)
    for each in kept:
        each.close()


async def _and_back(client: Client, kept: list[Client]) -> None:
    await client.ask()
    kept.append(client)


async def turn(folder: Path, tally: Tally, server: str, workers: int) -> float:
    """One start from maintenance to the app; milliseconds from the decision to maintenance's first answer."""
    port = free_port()
    (folder / "main.py").write_text(APP)
    (folder / "startup.yaml").write_text(SPEC.format(port=port, server=server, workers=workers))
    environ = {**os.environ, "ORCHESTRATOR_STATE_DIR": str(folder / "state")}
    script = str(Path(sys.executable).with_name("orchestrator"))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([script, "run"], cwd=folder, env=environ, stdout=log, stderr=log)  # noqa: ASYNC220 -- before the load
    try:
        own = Tally()
        await _until_it_listens(port, own, process)
        decision = (own.first["503"] - _decided(folder)) * 1000
        over = asyncio.Event()
        calling = asyncio.create_task(load(port, own, over))
        await asyncio.sleep(TURN / 3)
        (folder / "flag").touch()
        await _until(lambda: own.found["200"], calling)
        await asyncio.sleep(TURN / 6)
        over.set()
        await calling
        tally.found += own.found
        tally.slowest = max(tally.slowest, own.slowest)
        return decision
    except AssertionError as error:
        raise AssertionError(f"{error}: {(folder / 'log').read_text()[-3000:]}") from None
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


async def _until_it_listens(port: int, tally: Tally, process: subprocess.Popen[bytes]) -> None:
    """Until maintenance answers, who comes is refused: nobody is there yet."""
    early, end = Tally(), time.monotonic() + 60
    while not early.found["503"]:
        assert process.poll() is None, f"it ended with {process.returncode}"
        assert time.monotonic() < end, "maintenance does not answer"
        await Client(port, early, keep=False).ask()
        await asyncio.sleep(0.002)
    tally.first["503"] = early.first["503"]


async def _until(check, calling: asyncio.Task) -> None:
    end = time.monotonic() + 60
    while not check():
        assert time.monotonic() < end, "the app does not serve"
        if calling.done():
            calling.result()
        await asyncio.sleep(0.01)


def _decided(folder: Path) -> float:
    """When the fallback was chosen."""
    lines = (folder / "state" / "events.jsonl").read_text().splitlines()
    chosen = next(each for each in map(json.loads, lines) if each["event"] == "fallback")
    return datetime.fromisoformat(chosen["time"]).timestamp()


def measured(seconds: float, server: str, workers: int) -> dict[str, Any]:
    tally, decisions = Tally(), []
    for _ in range(max(1, round(seconds / TURN))):
        with tempfile.TemporaryDirectory() as folder:
            decisions.append(asyncio.run(turn(Path(folder), tally, server, workers)))
    return {
        "server": server,
        "workers": workers,
        "handovers": len(decisions),
        "answers": {status: tally.found[status] for status in sorted(tally.found) if status not in LOST},
        "lost": {how: tally.found[how] for how in LOST},
        "slowest_ms": round(tally.slowest, 1),
        "first_answer_ms": {
            "median": round(statistics.median(decisions), 1),
            "longest": round(max(decisions), 1),
        },
    }


def main(argv: list[str] | None = None) -> int:
    """Prints and writes the figures; how many goals were missed."""
    given = {"seconds": "30", "server": "uvicorn", "workers": "1", "write": "yes"}
    given |= dict(each.split("=", 1) for each in argv or [])
    found = measured(float(given["seconds"]), given["server"], int(given["workers"]))
    print(json.dumps(found, indent=2))
    if given["write"] == "yes":
        _write(found)
    late = found["first_answer_ms"]["median"] > DECISION
    return late + sum(1 for count in found["lost"].values() if count)


def _write(found: dict[str, Any]) -> None:
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors"
    RESULTS.mkdir(exist_ok=True)
    document = {"schema": 1, "benchmark": "handover", "machine": machine, **found}
    (RESULTS / "handover.json").write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
