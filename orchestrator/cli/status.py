"""Print what the running engine knows."""

from __future__ import annotations

import json
import os
import sys
import time
from typing import TYPE_CHECKING, Any

from orchestrator.cli import _spec
from orchestrator.cli.progress import spoken
from orchestrator.diagnostics.printable import printable
from orchestrator.status import state

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

NOT_FOUND = 1
POLL = 0.2
"""Seconds between two looks of `--watch`."""


def add(parser: argparse.ArgumentParser) -> None:
    _spec.add_format(parser, "text", "json")
    parser.add_argument("--watch", action="store_true", help="print it again whenever it changes")


def run(options: argparse.Namespace) -> int:
    directory = state.opened(os.environ)
    if directory is None:
        print(
            "orchestrator: no running engine found; set ORCHESTRATOR_STATE_DIR to its state directory",
            file=sys.stderr,
        )
        return NOT_FOUND
    last = None
    while True:
        found = state.StateDirectory(directory).read_state()
        if found is not None and found != last:
            shown = json.dumps({"schema": 1, **found}) if options.format == "json" else _text(found)
            print(shown, flush=True)
            last = found
        if not options.watch:
            break
        time.sleep(POLL)
    if last is None:
        print(f"orchestrator: {directory} has no state.json", file=sys.stderr)
        return NOT_FOUND
    return 0


def _text(found: dict[str, Any]) -> str:
    where = ", ".join(filter(None, (found.get("environment"), found.get("role"))))
    status = "in maintenance" if found["status"] == "maintenance" else found["status"]
    lines = [f"{found.get('service', '?')} is {status}" + (f" ({where})" if where else "")]
    off = list(found.get("degraded") or ())
    if found.get("reason") and found["reason"] != ", ".join(off):
        lines.append(f"  reason:   {printable(found['reason'])}")
    lines += [f"  degraded: {_feature(name, found.get('features') or ())}" for name in off]
    if found.get("pid"):
        alive = os.path.exists(f"/proc/{found['pid']}")
        lines.append(f"  engine:   pid {found['pid']}" + ("" if alive else " (not running)"))
    if found.get("started_at"):
        lines.append(f"  started:  {found['started_at']}")
    return "\n".join(lines)


def _feature(name: str, features: Sequence[dict[str, Any]]) -> str:
    """A degraded feature: since when, why, and how often it is retried."""
    causes = [feature for feature in features if feature["name"] == name]
    if not causes:
        return name
    since = max(time.time() - min(cause["since"] for cause in causes), 0)
    rechecks = [cause["recheck"] for cause in causes if cause["recheck"]]
    why = "; ".join(f"{cause['item']}: {printable(cause['summary'])}" for cause in causes)
    retried = f", retried every {spoken(min(rechecks))}" if rechecks else ""
    return f"{name} for {spoken(float(round(since)))}{retried} ({why})"
