"""The self-explaining end of a start: what failed, what was tried, what to do, where. For people, logs and the platform.

Knows the report alone; who writes it where is for others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestrator.cli import cells
from orchestrator.diagnostics.printable import printable, printable_lines
from orchestrator.supervisor.exit_report import MEANINGS
from orchestrator.system import log_output

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.diagnostics import Diagnostic
    from orchestrator.engine.report import Report

NOT_STARTED, NOT_BACK = "did not start", "did not come back"
"""What is said of a start that came to nothing: of the first one, and of one after the service had been ready."""
DETAILS = 12
"""How many lines of an item's details are shown: the last ones tell most."""
A_WHILE = 0.1
"""Seconds; less is no trying again that anybody would have noticed."""
PLATFORM_LIMIT = 4000
"""Kubernetes keeps 4,096 bytes of last words, and the end of what is longer."""
ROOM_FOR_THE_END = 600
"""Bytes of a first line that is too long by itself."""


def columns() -> int:
    """The width of the terminal on stderr; 0 for a log."""
    return log_output.columns(2)


def folded(head: str, text: str, width: int) -> list[str]:
    return log_output.folded(head, text, width, cells.width)


# The screen


def screen(report: Report, code: int, verdict: str = NOT_STARTED, width: int = 0) -> str:
    """When it stops: what failed, what was tried, what to do, where in the spec."""
    service = report.service or "the service"
    if not report.failed:
        lines = ["", *folded("orchestrator: ", f"{service} {report.reason or verdict} (exit {code})", width)]
        for item, said in report.waiting.items():
            lines += folded("  ", f"{item} was not well yet: {printable(said)}", width)
        for item, (doing, since) in report.under_way.items():
            if item not in report.waiting:
                seconds = (report.duration_ms - since) / 1000
                lines += folded("  ", f"{item} was still {doing} after {seconds:.1f} s", width)
        return "\n".join(lines)
    ended = report.reason or verdict  # somebody may have ended it while it was in maintenance
    head = folded("orchestrator: ", f"{service} {ended} (exit {code}): {_count(report)}", width)
    lines = ["", *head, *_failures(report, width)]
    if code in MEANINGS:
        lines += folded(f"  exit {code}: ", MEANINGS[code], width)
    return "\n".join(lines)


def maintenance(report: Report, width: int = 0) -> str:
    """What is served instead, and until when."""
    head = folded("orchestrator: ", f"{report.service} is in maintenance until this holds:", width)
    return "\n".join([*head, *_failures(report, width)])


def _count(report: Report) -> str:
    failed = len(report.failed)
    return f"{failed} {'thing' if failed == 1 else 'things'} failed"


def _failures(report: Report, width: int) -> list[str]:
    lines = [line for item in report.failed for line in _failure(item, width)]
    lines += [""]
    blocked, off = not_tried(report), _off(report)
    lines += folded("  not tried: ", ", ".join(blocked), width) if blocked else []
    lines += folded("  degraded: ", ", ".join(off), width) if off else []
    codes = list(dict.fromkeys(item["code"] for item in report.failed if item["code"]))
    others = f" (or {', '.join(codes[1:])})" if codes[1:] else ""
    return lines + (folded("  more: ", f"orchestrator explain {codes[0]}{others}", width) if codes else [])


def _failure(item: Mapping[str, Any], width: int) -> list[str]:
    code = f" [{item['code']}]" if item["code"] else ""
    where = f" ({place(item)})" if item["file"] else ""
    lines = [
        "",
        *folded("  ", f"{item['id']}{where}{code}", width),
        *folded("    ", printable(item["summary"]), width),
    ]
    if item["why"] and item["why"] not in item["summary"]:
        lines += folded("    needed: ", printable(item["why"]), width)
    for each in tried(item):
        lines += folded("    tried:  ", printable(each), width)
    if item["hint"]:
        lines += folded("    do:     ", printable(item["hint"]), width)
    return lines + _details(item["details"])


def _details(text: str) -> list[str]:
    if not text:
        return []
    lines = printable_lines(text.rstrip())
    left_out = len(lines) - DETAILS
    if left_out > 1:
        shown = [f"… {left_out + 1} lines before these", *lines[1 - DETAILS :]]
    else:
        shown = lines[-DETAILS - 1 :]
    return [f"    | {each}" for each in shown]


# What it is made of


def place(item: Mapping[str, Any]) -> str:
    return f"{item['file']}:{item['line']}"


def tried(item: Mapping[str, Any]) -> list[str]:
    """What was done about a failure: attempts, where there were more than the actions explain, and the actions."""
    attempts, seconds = item["attempts"], item["duration_ms"] / 1000
    # What was tried again at once was tried for the engine's own reasons.
    tells = attempts > 1 + len(item["fallbacks"]) and seconds >= A_WHILE
    again = [f"{attempts} times in {seconds:.1f} s"] if tells else []
    done = [f"{each['action']}: {each['result']}" for each in item["fallbacks"]]
    often = [(each, done.count(each)) for each in dict.fromkeys(done)]
    return again + [each if count == 1 else f"{each} ({count} times)" for each, count in often]


def not_tried(report: Report) -> list[str]:
    return [item["id"] for item in report.items.values() if item["status"] == "blocked"]


def _off(report: Report) -> list[str]:
    return [f"{each['name']} ({each['item']})" for each in report.features.values()]


# The last words


def record(report: Report, code: int) -> dict[str, Any]:
    """The same for machines, all of it in one line of the log."""
    failures = [
        {
            "item": item["id"],
            "summary": item["summary"],
            "why": item["why"],
            "tried": tried(item),
            "hint": item["hint"],
            "code": item["code"],
            "file": item["file"],
            "line": item["line"],
        }
        for item in report.failed
    ]
    return {
        "meaning": MEANINGS.get(code, ""),
        "failures": failures,
        "not_tried": not_tried(report),
        "degraded": list(report.degraded),
    }


def words(first: str, report: Report) -> str:
    """For the platform, which keeps little: the first failure, then each other one in a line while there is room."""
    first = fitting(first)
    lines, left = [first], PLATFORM_LIMIT - len(first.encode())
    others = [_in_a_line(item) for item in report.failed[1:]]
    for index, line in enumerate(others):
        left -= len(line.encode()) + 1
        if left < 0:
            return "\n".join([*lines, f"and {len(others) - index} more"])
        lines.append(line)
    return "\n".join(lines)


def fitting(text: str) -> str:
    """What the platform has room for: the beginning says what failed, the end what to do."""
    whole = text.encode("utf-8", "backslashreplace")
    if len(whole) <= PLATFORM_LIMIT:
        return text
    begins, ends = whole[: PLATFORM_LIMIT - ROOM_FOR_THE_END - 8], whole[-ROOM_FOR_THE_END:]
    return f"{begins.decode('utf-8', 'ignore')} ... {ends.decode('utf-8', 'ignore')}"


def _in_a_line(item: Mapping[str, Any]) -> str:
    where = f" ({place(item)})" if item["file"] else ""
    return f"{item['id']}{where}: {item['summary']}" + (f"; hint: {item['hint']}" if item["hint"] else "")


def cause(report: Report) -> tuple[str, str]:
    """Why it ended, in a line, and what to do: of the first thing that failed."""
    if not report.failed:
        return report.reason or report.status, ""
    first = report.failed[0]
    where = f" ({place(first)})" if first["file"] else ""
    return f"{first['id']}{where}: {first['summary']}", first["hint"]


def invalid(diagnostics: list[Diagnostic]) -> tuple[str, str]:
    """The same of a spec that cannot be used: its first error, and how many there are."""
    errors = [each for each in diagnostics if each.severity == "error"]
    if not errors:
        return "the spec is invalid", ""
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return f"{errors[0].place}: {errors[0].message}{more}", errors[0].hint
