"""What the app asks of the start: `from orchestrator import startup`.

Works without an engine too, in tests and on a developer's machine: nothing is degraded, there is no report.

    if startup.degraded("assistant"):
        ...

`degradation` says since when and why, for logs and for operators: a visitor need not know the name of the database.

What a running engine says is live: a feature that came back is no longer degraded. Asking costs one `stat`;
the state is read again only when it has changed. Where it cannot be read, what the launch said holds.
There is no callback for a change: it would take a thread, and an app that has one while it is imported cannot be
forked into workers.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False  # importing `typing` for its constant would cost more than all the rest
if TYPE_CHECKING:
    from typing import Any

__all__ = ["Degradation", "degradation", "degraded", "degraded_features", "report", "status"]

_seen: dict[str, tuple[tuple[int, int, int], dict[str, Any]]] = {}
"""Path → what the file was when it was read (inode, time, size), and its content."""


class Degradation:
    """Since when and why a feature is off."""

    __slots__ = ("causes", "name", "recheck", "since")

    def __init__(
        self, name: str, since: int | None, recheck: float | None, causes: tuple[tuple[str, str], ...]
    ) -> None:
        self.name = name
        self.since = since
        """In seconds since 1970; None where only the launch said that it is off."""
        self.recheck = recheck
        """Every how many seconds it is tried whether it can be on again; None for never, or not known."""
        self.causes = causes
        """The items that it is off for, such as `wait:db`, each with what it came to, without secrets."""

    def __repr__(self) -> str:
        return f"Degradation({self.name!r}, since={self.since}, recheck={self.recheck}, causes={self.causes})"


def degraded(name: str) -> bool:
    """Whether the feature is off, because what it needs failed."""
    return name in degraded_features()


def degraded_features() -> tuple[str, ...]:
    """The features that are off, by name."""
    state = _content("state.json")
    # Until the first verdict the state is behind: what the app was launched with is what is off.
    if state is not None and state.get("status") != "starting":
        return tuple(sorted(str(name) for name in state.get("degraded", ())))
    at_launch = os.environ.get("ORCHESTRATOR_DEGRADED", "")
    return tuple(sorted(name.strip() for name in at_launch.split(",") if name.strip()))


def degradation(name: str) -> Degradation | None:
    """Since when and why the feature is off; None while it is on."""
    if not degraded(name):
        return None
    state = _content("state.json") or {}
    told = [each for each in state.get("features") or () if each.get("name") == name]
    return Degradation(
        name,
        min([int(each["since"]) for each in told], default=None),
        min([float(each["recheck"]) for each in told if each.get("recheck")], default=None),
        tuple([(str(each["item"]), str(each["summary"])) for each in told]),
    )


def status() -> str | None:
    """The service's status (`starting`, `ready`, `degraded` ...); None without an engine."""
    state = _content("state.json")
    return str(state["status"]) if state and "status" in state else None


def report() -> dict[str, Any] | None:
    """The last start: every item and how it went, as in `report.json`; None without an engine.

    The same object until the file changes: read it, do not change it.
    """
    return _content("report.json")


def _content(name: str) -> dict[str, Any] | None:
    # Only the directory that the engine handed to this app: another engine here is none of its business.
    directory = os.environ.get("ORCHESTRATOR_STATE_DIR")
    if not directory:
        return None
    path = f"{directory}/{name}"
    try:
        found = os.stat(path)
        mark = (found.st_ino, found.st_mtime_ns, found.st_size)
        known = _seen.get(path)
        if known is None or known[0] != mark:
            known = _seen[path] = (mark, _read(path))
    except (OSError, ValueError):
        # No engine, an engine of another user, or one that has cleaned up: what the launch said holds.
        return None
    return known[1]


def _read(path: str) -> dict[str, Any]:
    import json

    with open(path, encoding="utf-8") as file:
        content = json.load(file)
    if not isinstance(content, dict):
        raise ValueError(f"{path} is not a JSON object")  # noqa: TRY004 -- a broken file, not a broken call
    return content
