"""What is mounted where, from /proc/self/mountinfo. `root` is another place for `/`, for recorded trees."""

from __future__ import annotations

import os
from typing import NamedTuple

from orchestrator.diagnostics.patterns import pattern

_ESCAPE = pattern(r"\\([0-7]{3})")


class Mount(NamedTuple):
    """One line of mountinfo."""

    root: str
    """Which directory of the file system is mounted."""
    point: str
    options: frozenset[str]
    kind: str
    super_options: frozenset[str]


def mounts(root: str = "/") -> list[Mount]:
    """All mounts in their order; none where there is no /proc."""
    try:
        with open(os.path.join(root, "proc/self/mountinfo"), encoding="utf-8", errors="replace") as file:
            lines = file.readlines()
    except OSError:
        return []
    return [mount for line in lines if (mount := _parsed(line)) is not None]


def _parsed(line: str) -> Mount | None:
    before, dash, after = line.rstrip("\n").partition(" - ")
    fields, rest = before.split(" "), after.split(" ")
    if not dash or len(fields) < 6 or len(rest) < 3:
        return None
    options = frozenset(fields[5].split(","))
    return Mount(_plain(fields[3]), _plain(fields[4]), options, rest[0], frozenset(rest[2].split(",")))


def _plain(text: str) -> str:
    """Spaces, tabs and backslashes are written in octal there."""
    return _ESCAPE.sub(lambda found: chr(int(found.group(1), 8)), text)


def mount_of(path: str, found: list[Mount] | None = None) -> Mount | None:
    """The mount that a path is on: the longest point above it, the last one where several are stacked."""
    best: Mount | None = None
    for each in mounts() if found is None else found:
        if _below(path, each.point) and (best is None or len(each.point) >= len(best.point)):
            best = each
    return best


def _below(path: str, point: str) -> bool:
    return path == point or path.startswith(point.rstrip("/") + "/")
