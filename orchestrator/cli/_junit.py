"""A start's report as JUnit XML: a test case for each item."""

from __future__ import annotations

from typing import Any
from xml.sax.saxutils import escape, quoteattr

from orchestrator.diagnostics.printable import printable

NOT_WELL = ("failed", "blocked", "waiting")


def junit(report: dict[str, Any]) -> str:
    items = report["items"]
    failed = sum(each["status"] in NOT_WELL for each in items)
    skipped = sum(each["status"] == "skipped" for each in items)
    head = f'<testsuite name={quoteattr(report["service"])} tests="{len(items)}" failures="{failed}" skipped="{skipped}" time="{report["duration_ms"] / 1000:.3f}">'
    cases = "\n".join(_case(each) for each in items)
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n{head}\n{cases}\n</testsuite>\n</testsuites>'
    )


def _case(item: dict[str, Any]) -> str:
    name, kind = quoteattr(item["id"]), quoteattr(item["kind"])
    head = f'  <testcase classname={kind} name={name} time="{item["duration_ms"] / 1000:.3f}"'
    summary = printable(item["summary"])
    if item["status"] in NOT_WELL:
        body = "\n".join(
            each
            for each in (summary, f"hint: {item['hint']}" if item["hint"] else "", item["details"])
            if each
        )
        return f"{head}><failure type={quoteattr(item['code'] or item['status'])} message={quoteattr(summary)}>{escape(body)}</failure></testcase>"
    if item["status"] == "skipped":
        return f"{head}><skipped message={quoteattr(summary)}/></testcase>"
    if item["status"] == "ok":
        return f"{head}/>"
    return f"{head}><system-out>{escape(_not_as_planned(item))}</system-out></testcase>"


def _not_as_planned(item: dict[str, Any]) -> str:
    """What passed all the same: healed, degraded, warned, and what was done for it."""
    tried = [f"tried {each['action']}: {printable(each['result'])}" for each in item["fallbacks"]]
    return "\n".join([f"{item['status']}: {printable(item['summary'])}", *tried])
