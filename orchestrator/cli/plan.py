"""Print what a start would do: the order, what runs side by side, the worst-case time and what decides it.

Nothing is checked, asked or started: the plan is computed from the spec and the deadlines in it.
"""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

from orchestrator.cli import _spec
from orchestrator.core.exceptions import Usage
from orchestrator.diagnostics.printable import printable
from orchestrator.engine.estimate import planned
from orchestrator.engine.plan import PHASE_NAMES
from orchestrator.spec.role_selection import choose

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from orchestrator.engine.plan import Plan, Timed


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("role", nargs="?", default="", metavar="ROLE", help="which of the spec's roles")
    parser.add_argument(
        "--format", choices=("text", "json", "mermaid"), default="text", help="how it is written"
    )


def run(options: argparse.Namespace) -> int:
    try:
        loaded = choose(_spec.read(options), options.role, options.words).loaded
    except Usage as error:
        return _spec.usage(error)
    if loaded.failed:
        _spec.show(loaded.diagnostics, loaded.sources, options)
        return _spec.INVALID
    plan = planned(loaded, os.environ)
    if options.format == "json":
        assert loaded.spec is not None
        print(
            json.dumps(
                {"schema": 1, "service": loaded.spec.service, "role": loaded.role, **plan.record()}, indent=2
            )
        )
    else:
        sys.stdout.write(text(plan) if options.format == "text" else mermaid(plan))
    return 0


def text(plan: Plan) -> str:
    if not plan.items:
        return "nothing is checked, waited for or launched\n"
    width = max((len(printable(each.id)) for each in plan.items), default=0)
    lines = [
        line
        for phase in dict.fromkeys(each.phase for each in plan.items)
        for line in _phase(plan, phase, width)
    ]
    lines.append("")
    if plan.unbounded:
        names = ", ".join(map(printable, plan.unbounded))
        lines.append(
            f"worst case: without a bound, because of {names}: give a `deadline` that is known before a start"
        )
    else:
        lines.append(f"worst case: {duration(plan.worst)}")
    if plan.critical:
        lines.append(f"critical path: {' → '.join(map(printable, plan.critical))}")
    return "\n".join(lines) + "\n"


def _phase(plan: Plan, phase: int, width: int) -> list[str]:
    lines = [PHASE_NAMES[phase]]
    for each in plan.items:
        if each.phase == phase:
            said = "  ".join(word for word in _said(each) if word)
            lines.append(f"  {printable(each.id):<{width}}  {said}".rstrip() + _needs(each))
    return lines


def _said(item: Timed) -> Iterator[str]:
    if item.when == "skipped":
        yield "skipped: its `when` does not hold for this role and environment"
        return
    yield f"after {duration(item.start)}" if item.start else ""
    yield "without a bound" if item.worst is None else f"at most {duration(item.worst)}" if item.worst else ""
    yield "if its `when` holds" if item.when else ""


def _needs(item: Timed) -> str:
    if item.when == "skipped" or not 0 < len(item.before) <= 3:
        return ""
    return f"  (behind {', '.join(map(printable, item.before))})"


def duration(seconds: float | None) -> str:
    """`1 m 30 s`, `2.5 s`."""
    if seconds is None:
        return "?"
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(seconds, 60)
    return f"{minutes:.0f} m {rest:.0f} s" if rest else f"{minutes:.0f} m"


def mermaid(plan: Plan) -> str:
    """A flow chart, as GitHub and many editors draw it; the critical path is thick."""
    names = {each.id: f"n{at}" for at, each in enumerate(plan.items)}
    lines = ["flowchart LR"]
    for phase in dict.fromkeys(each.phase for each in plan.items):
        lines.append(f"  subgraph {PHASE_NAMES[phase]}")
        lines += [f'    {names[each.id]}["{_label(each)}"]' for each in plan.items if each.phase == phase]
        lines.append("  end")
    critical = set(zip(plan.critical, plan.critical[1:], strict=False))
    for each in plan.items:
        lines += [
            f"  {names[before]} {'==>' if (before, each.id) in critical else '-->'} {names[each.id]}"
            for before in each.before
        ]
    return "\n".join(lines) + "\n"


def _label(item: Timed) -> str:
    took = "unbounded" if item.worst is None else duration(item.worst) if item.worst else ""
    when = {"skipped": "skipped", "maybe": "if its when holds"}.get(item.when, "")
    return "<br/>".join(each for each in (_as_text(item.id), took, when) if each)


def _as_text(word: str) -> str:
    """No markup of its own: mermaid takes the codes of characters between `#` and `;`."""
    return "".join(f"#{ord(each)};" if each in '#&<>"`' else each for each in printable(word))
