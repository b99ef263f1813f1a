"""The end of a start: what failed, what was tried, how to fix it, where. For people, logs and the platform.

Pure: a report goes in, text comes out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestrator.cli.console import folded
from orchestrator.diagnostics.printable import printable, printable_lines
from orchestrator.supervisor.exit_report import MEANINGS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.diagnostics import Diagnostic
    from orchestrator.engine.report import Report

NOT_STARTED, NOT_RESUMED = "did not start", "did not come back"
"""The verdict of a failed start: the first one, or one after the service had been ready."""
DETAILS = 12
"""Lines of an item's details that are shown: the last ones."""
NOTICEABLE = 0.1
"""Seconds; shorter retries are not worth mentioning."""
PLATFORM_LIMIT = 4000
"""Bytes; Kubernetes keeps the last 4,096 of the termination message."""
TAIL = 600
"""Bytes kept of the end of a first line that is too long by itself."""


# The screen


def screen(report: Report, code: int, verdict: str = NOT_STARTED, width: int = 0) -> str:
    """The last screen of a start: what failed, what was tried, how to fix it, where in the spec."""
    service = report.service or "the service"
    ended = f"{service} {report.reason or verdict} (exit {code})"
    if report.failed:
        lines = folded("orchestrator: ", f"{ended}: {_count(report)}", width) + _failures(report, width)
        if code in MEANINGS:
            lines += folded(f"  exit {code}: ", MEANINGS[code], width)
        return "\n".join(["", *lines])
    lines = folded("orchestrator: ", ended, width)
    for item, answer in report.waiting.items():
        lines += folded("  ", f"{item} was not ready yet: {printable(answer)}", width)
    for item, (doing, since) in report.under_way.items():
        if item not in report.waiting:
            seconds = (report.duration_ms - since) / 1000
            lines += folded("  ", f"{item} was still {doing} after {seconds:.1f} s", width)
    return "\n".join(["", *lines])


def maintenance(report: Report, width: int = 0) -> str:
    """Why maintenance is served."""
    head = folded("orchestrator: ", f"{report.service} is in maintenance until this is resolved:", width)
    return "\n".join([*head, *_failures(report, width)])


def _count(report: Report) -> str:
    failed = len(report.failed)
    return f"{failed} {'thing' if failed == 1 else 'things'} failed"


def _failures(report: Report, width: int) -> list[str]:
    lines = [line for item in report.failed for line in _failure(item, width)] + [""]
    codes = list(dict.fromkeys(item["code"] for item in report.failed if item["code"]))
    others = f" (or {', '.join(codes[1:])})" if codes[1:] else ""
    off = [f"{feature['name']} ({feature['item']})" for feature in report.features.values()]
    for label, text in (
        ("not tried", ", ".join(not_tried(report))),
        ("degraded", ", ".join(off)),
        ("more", f"orchestrator explain {codes[0]}{others}" if codes else ""),
    ):
        lines += folded(f"  {label}: ", text, width) if text else []
    return lines


def _failure(item: Mapping[str, Any], width: int) -> list[str]:
    code = f" [{item['code']}]" if item["code"] else ""
    lines = ["", *folded("  ", f"{_located(item)}{code}", width)]
    lines += folded("    ", printable(item["summary"]), width)
    if item["why"] and item["why"] not in item["summary"]:
        lines += folded("    needed: ", printable(item["why"]), width)
    for attempt in tried(item):
        lines += folded("    tried:  ", printable(attempt), width)
    if item["hint"]:
        lines += folded("    hint:   ", printable(item["hint"]), width)
    return lines + _details(item["details"])


def _details(text: str) -> list[str]:
    lines = printable_lines(text.rstrip()) if text else []
    if len(lines) > DETAILS + 1:
        lines = [f"… {len(lines) - DETAILS + 1} lines before these", *lines[1 - DETAILS :]]
    return [f"    | {line}" for line in lines]


# Its parts


def _located(item: Mapping[str, Any]) -> str:
    return f"{item['id']} ({item['file']}:{item['line']})" if item["file"] else str(item["id"])


def tried(item: Mapping[str, Any]) -> list[str]:
    """What was done about a failure: the attempts, if the actions do not explain them, and the actions."""
    attempts, seconds = item["attempts"], item["duration_ms"] / 1000
    retried = attempts > 1 + len(item["fallbacks"]) and seconds >= NOTICEABLE
    lines = [f"{attempts} times in {seconds:.1f} s"] if retried else []
    done = [f"{action['action']}: {action['result']}" for action in item["fallbacks"]]
    for text in dict.fromkeys(done):
        count = done.count(text)
        lines.append(text if count == 1 else f"{text} ({count} times)")
    return lines


def not_tried(report: Report) -> list[str]:
    return [item["id"] for item in report.items.values() if item["status"] == "blocked"]


# The last words


def record(report: Report, code: int) -> dict[str, Any]:
    """The same as fields of the log's last line of JSON."""
    names = ("item", "summary", "why", "tried", "hint", "code", "file", "line")
    facts = [{**item, "item": item["id"], "tried": tried(item)} for item in report.failed]
    return {
        "meaning": MEANINGS.get(code, ""),
        "failures": [{name: fact[name] for name in names} for fact in facts],
        "not_tried": not_tried(report),
        "degraded": list(report.degraded),
    }


def last_words(first: str, report: Report) -> str:
    """For the platform, within its limit: the first failure, then one line for each other one."""
    first = shortened(first)
    lines, left = [first], PLATFORM_LIMIT - len(first.encode())
    others = [_line(item) for item in report.failed[1:]]
    for index, line in enumerate(others):
        left -= len(line.encode()) + 1
        if left < 0:
            return "\n".join([*lines, f"and {len(others) - index} more"])
        lines.append(line)
    return "\n".join(lines)


def shortened(text: str) -> str:
    """Within the platform's limit: the beginning says what failed, the end how to fix it."""
    whole = text.encode("utf-8", "backslashreplace")
    if len(whole) <= PLATFORM_LIMIT:
        return text
    head, tail = whole[: PLATFORM_LIMIT - TAIL - 8], whole[-TAIL:]
    return f"{head.decode('utf-8', 'ignore')} ... {tail.decode('utf-8', 'ignore')}"


def _line(item: Mapping[str, Any]) -> str:
    return f"{_located(item)}: {item['summary']}" + (f"; hint: {item['hint']}" if item["hint"] else "")


def cause(report: Report) -> tuple[str, str]:
    """Cause and hint of the first failure, or why it ended."""
    if not report.failed:
        return report.reason or report.status, ""
    first = report.failed[0]
    return f"{_located(first)}: {first['summary']}", first["hint"]


def invalid(diagnostics: list[Diagnostic]) -> tuple[str, str]:
    """The same for an invalid spec: its first error, and how many more there are."""
    errors = [found for found in diagnostics if found.severity == "error"]
    if not errors:
        return "the spec is invalid", ""
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return f"{errors[0].place}: {errors[0].message}{more}", errors[0].hint
