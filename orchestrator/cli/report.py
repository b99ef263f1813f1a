"""Print the last start: every item, every attempt, the timeline, the slowest imports."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

from orchestrator.diagnostics.printable import printable
from orchestrator.status import state

if TYPE_CHECKING:
    import argparse

SLOWEST = 5


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--format", choices=("text", "json", "junit"), default="text", help="how it is written"
    )


def run(options: argparse.Namespace) -> int:
    directory = state.opened(os.environ)
    report = state.StateDirectory(directory).read_report() if directory else None
    if report is None:
        print(
            "orchestrator: there is no report of a start here: set ORCHESTRATOR_STATE_DIR to where the engine keeps it",
            file=sys.stderr,
        )
        return 1
    if options.format == "json":
        print(json.dumps(report, indent=2))
    elif options.format == "junit":
        from orchestrator.cli._junit import junit

        print(junit(report))
    else:
        print(text(report))
    return 0


def text(report: dict[str, Any]) -> str:
    lines = [
        *_head(report),
        "",
        *_items(report["items"]),
        *_imports(report["imports"]),
        *_phases(report["phases"]),
    ]
    return "\n".join(lines)


def _head(report: dict[str, Any]) -> list[str]:
    code = "" if report["exit_code"] is None else f", exit {report['exit_code']}"
    where = ", ".join(each for each in (report["environment"], report["role"]) if each)
    took = f"{report['duration_ms'] / 1000:.1f} s"
    when = f"; its start took {took}" if report["status"] == "stopped" else f" after {took}"
    lines = [
        f"{report['service']}: {report['status']}{code}{when}, started {report['started_at']}"
        + (f" ({where})" if where else "")
    ]
    if report["degraded"]:
        lines.append(f"degraded: {', '.join(report['degraded'])}")
    notes = [each for each in report.get("notes", []) if each["code"]]
    return lines + [f"note[{note['code']}]: {printable(note['message'])}" for note in notes]


def _items(items: list[dict[str, Any]]) -> list[str]:
    width = max((len(each["id"]) for each in items), default=0)
    lines = []
    for each in items:
        tries = f", {each['attempts']} attempts" if each["attempts"] > 1 else ""
        lines.append(
            f"  {each['status']:<9} {each['id']:<{width}}  {printable(each['summary'])} ({each['start_ms']:.0f} ms + {each['duration_ms']:.0f} ms{tries})"
        )
        lines += [
            f"  {'':<9} {'':<{width}}  tried {done['action']}: {printable(done['result'])}"
            for done in each["fallbacks"]
        ]
        if each["hint"]:
            lines.append(f"  {'':<9} {'':<{width}}  hint: {printable(each['hint'])}")
    return lines


def _imports(imports: list[dict[str, Any]]) -> list[str]:
    last = {each["module"]: each for each in imports}  # what was imported again is told once
    slowest = sorted(last.values(), key=lambda each: -each["total_ms"])[:SLOWEST]
    return (
        ["", "slowest imports:", *(f"  {each['total_ms']:>7.0f} ms  {each['module']}" for each in slowest)]
        if slowest
        else []
    )


def _phases(phases: list[dict[str, Any]]) -> list[str]:
    return (
        [
            "",
            "timeline:",
            *(
                f"  {each['start_ms']:>7.0f} ms  {each['name']} ({each['duration_ms']:.0f} ms)"
                for each in phases
            ),
        ]
        if phases
        else []
    )
