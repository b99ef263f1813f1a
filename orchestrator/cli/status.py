"""Print what the running engine knows."""

from __future__ import annotations

import json
import os
import sys
import time
from typing import TYPE_CHECKING, Any

from orchestrator.cli.progress import spoken
from orchestrator.diagnostics.printable import printable
from orchestrator.status import state

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

NONE = 1


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--format", choices=("text", "json"), default="text", help="how it is written")
    parser.add_argument("--watch", action="store_true", help="print it again whenever it changes")


def run(options: argparse.Namespace) -> int:
    directory = state.opened(os.environ)
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
    off = list(found.get("degraded") or ())
    if found.get("reason") and found["reason"] != ", ".join(off):
        lines.append(f"  reason:   {printable(found['reason'])}")
    lines += [f"  degraded: {_off(name, found.get('features') or ())}" for name in off]
    if found.get("pid"):
        alive = os.path.exists(f"/proc/{found['pid']}")
        lines.append(f"  engine:   pid {found['pid']}" + ("" if alive else ", which is gone"))
    if found.get("started_at"):
        lines.append(f"  started:  {found['started_at']}")
    return "\n".join(lines)


def _off(name: str, features: Sequence[dict[str, Any]]) -> str:
    """A feature, since when, why, and whether it may come back by itself."""
    told = [each for each in features if each["name"] == name]
    if not told:
        return name
    since = max(time.time() - min(each["since"] for each in told), 0)
    again = [each["recheck"] for each in told if each["recheck"]]
    why = "; ".join(f"{each['item']}: {printable(each['summary'])}" for each in told)
    tried = f", tried again every {spoken(min(again))}" if again else ""
    return f"{name} for {spoken(float(round(since)))}{tried} ({why})"
