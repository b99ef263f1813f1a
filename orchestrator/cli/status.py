"""Print what the running engine knows."""

from __future__ import annotations

import json
import os
import sys
import time
from typing import TYPE_CHECKING, Any

from orchestrator.status import state

if TYPE_CHECKING:
    import argparse

NONE = 1


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--format", choices=("text", "json"), default="text", help="how it is written")
    parser.add_argument("--watch", action="store_true", help="print it again whenever it changes")


def run(options: argparse.Namespace) -> int:
    directory = state.find(os.environ)
    if directory is None:
        print(
            "orchestrator: no engine runs here, or its state directory is elsewhere: set ORCHESTRATOR_STATE_DIR",
            file=sys.stderr,
        )
        return NONE
    kept = state.StateDirectory(directory)
    last = None
    while True:
        found = kept.read_state()
        if found is not None and found != last:
            print(
                json.dumps({"schema": 1, **found}) if options.format == "json" else _text(found), flush=True
            )
            last = found
        if not options.watch:
            break
        time.sleep(0.2)
    if last is None:
        print(f"orchestrator: {directory} has no state.json", file=sys.stderr)
        return NONE
    return 0


def _text(found: dict[str, Any]) -> str:
    service = found.get("service", "?")
    words = [each for each in (found.get("environment"), found.get("role")) if each]
    status = "in maintenance" if found["status"] == "maintenance" else found["status"]
    lines = [f"{service} is {status}" + (f" ({', '.join(words)})" if words else "")]
    if found.get("reason"):
        lines.append(f"  reason:   {found['reason']}")
    if found.get("degraded"):
        lines.append(f"  degraded: {', '.join(found['degraded'])}")
    if found.get("pid"):
        alive = os.path.exists(f"/proc/{found['pid']}")
        lines.append(f"  engine:   pid {found['pid']}" + ("" if alive else ", which is gone"))
    if found.get("started_at"):
        lines.append(f"  started:  {found['started_at']}")
    return "\n".join(lines)
