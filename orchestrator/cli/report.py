"""Print the last start: every item, every attempt, the timeline, the slowest imports."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

from orchestrator.cli import _spec
from orchestrator.diagnostics.printable import printable
from orchestrator.status import state

if TYPE_CHECKING:
    import argparse

    from orchestrator.diagnostics.formats.junit import Case

SLOWEST = 5
"""Imports that are listed."""


def add(parser: argparse.ArgumentParser) -> None:
    _spec.add_format(parser, "text", "json", "junit")


def run(options: argparse.Namespace) -> int:
    directory = state.opened(os.environ)
    report = state.StateDirectory(directory).read_report() if directory else None
    if report is None:
        print(
            "orchestrator: no report of a start found; set ORCHESTRATOR_STATE_DIR to the engine's state directory",
            file=sys.stderr,
        )
        return 1
    if options.format == "json":
        print(json.dumps(report, indent=2))
    else:
        print((text if options.format == "text" else junit)(report).rstrip("\n"))
    return 0


def text(report: dict[str, Any]) -> str:
    lines = [*_head(report), "", *_items(report["items"])]
    lines += _section("slowest imports", [f"  {module['total_ms']:>7.0f} ms  {module['module']}" for module in _slowest(report)])  # fmt: skip
    phases = [
        f"  {phase['start_ms']:>7.0f} ms  {phase['name']} ({phase['duration_ms']:.0f} ms)"
        for phase in report["phases"]
    ]
    return "\n".join(lines + _section("timeline", phases))


def _head(report: dict[str, Any]) -> list[str]:
    code = "" if report["exit_code"] is None else f", exit {report['exit_code']}"
    where = ", ".join(filter(None, (report["environment"], report["role"])))
    took = f"{report['duration_ms'] / 1000:.1f} s"
    when = f"; its start took {took}" if report["status"] == "stopped" else f" after {took}"
    head = f"{report['service']}: {report['status']}{code}{when}, started {report['started_at']}"
    lines = [head + (f" ({where})" if where else "")]
    if report["degraded"]:
        lines.append(f"degraded: {', '.join(report['degraded'])}")
    notes = [note for note in report.get("notes", []) if note["code"]]
    return lines + [f"note[{note['code']}]: {printable(note['message'])}" for note in notes]


def _items(items: list[dict[str, Any]]) -> list[str]:
    width = max((len(item["id"]) for item in items), default=0)
    lines = []
    for item in items:
        attempts = f", {item['attempts']} attempts" if item["attempts"] > 1 else ""
        times = f"({item['start_ms']:.0f} ms + {item['duration_ms']:.0f} ms{attempts})"
        lines.append(f"  {item['status']:<9} {item['id']:<{width}}  {printable(item['summary'])} {times}")
        below = [f"tried {done['action']}: {printable(done['result'])}" for done in item["fallbacks"]]
        below += [f"hint: {printable(item['hint'])}"] if item["hint"] else []
        lines += [f"  {'':<9} {'':<{width}}  {line}" for line in below]
    return lines


def _slowest(report: dict[str, Any]) -> list[dict[str, Any]]:
    last = {module["module"]: module for module in report["imports"]}  # a repeated import counts once
    return sorted(last.values(), key=lambda module: -module["total_ms"])[:SLOWEST]


def _section(title: str, lines: list[str]) -> list[str]:
    return ["", f"{title}:", *lines] if lines else []


def junit(report: dict[str, Any]) -> str:
    """A test case for each item."""
    from orchestrator.diagnostics.formats.junit import document

    return document([(report["service"], [_case(item) for item in report["items"]])])


def _case(item: dict[str, Any]) -> Case:
    from orchestrator.diagnostics.formats.junit import Case

    status, summary = item["status"], item["summary"]
    failed = status in ("failed", "blocked", "waiting")
    if failed:
        text = [summary, f"hint: {item['hint']}" if item["hint"] else "", item["details"]]
    elif status == "ok":
        text = []
    else:
        text = [f"{status}: {summary}"]
        text += [f"tried {done['action']}: {done['result']}" for done in item["fallbacks"]]
    return Case(
        item["kind"], item["id"], summary, "\n".join(filter(None, text)), (item["code"] or status) if failed else "",
        skipped=status == "skipped", seconds=item["duration_ms"] / 1000,
    )  # fmt: skip
