"""Print what a start would do: the order, what runs side by side, the worst-case time and what decides it.

Nothing is checked or started: the plan is computed from the spec and its deadlines.
"""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

from orchestrator.cli import _spec
from orchestrator.diagnostics.printable import printable
from orchestrator.engine.estimate import planned
from orchestrator.engine.plan import PHASE_NAMES

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping

    from orchestrator.engine.plan import Drop, Plan, Timed


def add(parser: argparse.ArgumentParser) -> None:
    _spec.add_role(parser)
    _spec.add_format(parser, "text", "json", "mermaid")


def run(options: argparse.Namespace) -> int:
    loaded = _spec.read_role(options)
    if loaded.failed:
        return _spec.show_errors(loaded, options)
    plan = planned(loaded, os.environ)
    if options.format == "json":
        assert loaded.spec is not None
        record = {"schema": 1, "service": loaded.spec.service, "role": loaded.role, **plan.record()}
        print(json.dumps(record, indent=2))
    else:
        sys.stdout.write(text(plan) if options.format == "text" else mermaid(plan))
    return 0


def text(plan: Plan) -> str:
    if not plan.items:
        return "nothing is checked, waited for or launched\n"
    width = max(len(printable(item.id)) for item in plan.items)
    lines = [line for phase in _phases(plan) for line in _phase(plan, phase, width)]
    worst = duration(plan.worst)
    if plan.unbounded:
        names = ", ".join(map(printable, plan.unbounded))
        worst = f"no limit, because of {names}: set a `deadline` that is known before the start"
    lines += ["", f"worst case: {worst}"]
    if plan.critical:
        lines.append(f"critical path: {' → '.join(map(printable, plan.critical))}")
    if plan.drop is not None:
        lines.append(f"rights of root: {_given_up(plan.drop)}")
    return "\n".join(lines) + "\n"


def _given_up(drop: Drop) -> str:
    """How long an engine that was started as root stays root."""
    rest = f"the rest runs as {printable(drop.user)}"
    if not drop.after:
        return f"given up before anything is done; {rest}"
    when = "no limit" if drop.at is None else f"at most {duration(drop.at)}" if drop.at else "at once"
    return f"given up after {', '.join(map(printable, drop.after))} ({when}); {rest}"


def _phases(plan: Plan) -> list[int]:
    return list(dict.fromkeys(item.phase for item in plan.items))


def _phase(plan: Plan, phase: int, width: int) -> list[str]:
    lines = [PHASE_NAMES[phase]]
    for item in plan.items:
        if item.phase == phase:
            timing = "  ".join(filter(None, _timing(item)))
            lines.append(f"  {printable(item.id):<{width}}  {timing}".rstrip() + _predecessors(item))
    return lines


def _timing(item: Timed) -> Iterator[str]:
    if item.when == "skipped":
        yield "skipped: its `when` does not hold for this role and environment"
        return
    yield f"from {duration(item.start)}" if item.start else ""
    yield "no limit" if item.worst is None else f"at most {duration(item.worst)}" if item.worst else ""
    yield "if its `when` holds" if item.when else ""


def _predecessors(item: Timed) -> str:
    if item.when == "skipped" or not 0 < len(item.before) <= 3:
        return ""
    return f"  (after {', '.join(map(printable, item.before))})"


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
    names = {item.id: f"n{number}" for number, item in enumerate(plan.items)}
    lines = ["flowchart LR"]
    for phase in _phases(plan):
        lines.append(f"  subgraph {PHASE_NAMES[phase]}")
        lines += [f'    {names[item.id]}["{_label(item)}"]' for item in plan.items if item.phase == phase]
        lines.append("  end")
    critical = set(zip(plan.critical, plan.critical[1:], strict=False))
    for item in plan.items:
        lines += [
            f"  {names[before]} {'==>' if (before, item.id) in critical else '-->'} {names[item.id]}"
            for before in item.before
        ]
    if plan.drop is not None:
        lines += _drop(plan.drop, names)
    return "\n".join(lines) + "\n"


def _drop(drop: Drop, names: Mapping[str, str]) -> Iterator[str]:
    """The rights of root end between the items that are root's and the first that are not."""
    yield f'  root{{{{"rights of root given up for {_escaped(drop.user)}"}}}}'
    yield from (f"  {names[each]} --> root" for each in drop.after)
    yield from (f"  root --> {names[each]}" for each in drop.then)


def _label(item: Timed) -> str:
    worst = "no limit" if item.worst is None else duration(item.worst) if item.worst else ""
    when = {"skipped": "skipped", "maybe": "if its when holds"}.get(item.when, "")
    return "<br/>".join(filter(None, (_escaped(item.id), worst, when)))


def _escaped(word: str) -> str:
    """Without markup: mermaid takes character codes between `#` and `;`."""
    return "".join(f"#{ord(char)};" if char in '#&<>"`' else char for char in printable(word))
