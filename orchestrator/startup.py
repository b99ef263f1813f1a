"""What the app can ask about its start: `from orchestrator import startup`.

Without an engine, as in tests and on a developer's machine, nothing is degraded and there is no report.

    if startup.degraded("assistant"):
        ...

`degradation` has since when and why, for logs and operators: visitors need not know the name of the database.

The answers are live: a feature that recovered is no longer degraded. Asking costs one `stat`; the state is read again
only when it has changed. Where it cannot be read, the state at launch holds. There is no callback for changes: it would
take a thread, and an app that has one while it is imported cannot be forked into workers.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False  # importing `typing` for its constant would cost more than all the rest
if TYPE_CHECKING:
    from typing import Any

__all__ = ["Degradation", "degradation", "degraded", "degraded_features", "report", "status"]

_seen: dict[str, tuple[tuple[int, int, int], dict[str, Any]]] = {}
"""Path → the file when it was read (inode, time, size), and its content."""


class Degradation:
    """Since when and why a feature is off."""

    __slots__ = ("causes", "name", "recheck", "since")

    def __init__(
        self, name: str, since: int | None, recheck: float | None, causes: tuple[tuple[str, str], ...]
    ) -> None:
        self.name = name
        self.since = since
        """Seconds since 1970; None if only the state at launch is known."""
        self.recheck = recheck
        """Seconds between rechecks; None for never or unknown."""
        self.causes = causes
        """The items that caused it, such as `wait:db`, each with its summary, without secrets."""

    def __repr__(self) -> str:
        return f"Degradation({self.name!r}, since={self.since}, recheck={self.recheck}, causes={self.causes})"


def degraded(name: str) -> bool:
    """Whether the feature is off, because something it needs failed."""
    return name in degraded_features()


def degraded_features() -> tuple[str, ...]:
    """The names of the features that are off."""
    state = _content("state.json")
    # Until the first verdict the state is out of date: the environment of the launch holds.
    if state is not None and state.get("status") != "starting":
        return tuple(sorted(str(name) for name in state.get("degraded", ())))
    at_launch = os.environ.get("ORCHESTRATOR_DEGRADED", "")
    return tuple(sorted(name.strip() for name in at_launch.split(",") if name.strip()))


def degradation(name: str) -> Degradation | None:
    """Since when and why the feature is off; None if it is on."""
    if not degraded(name):
        return None
    state = _content("state.json") or {}
    causes = [cause for cause in state.get("features") or () if cause.get("name") == name]
    return Degradation(
        name,
        min([int(cause["since"]) for cause in causes], default=None),
        min([float(cause["recheck"]) for cause in causes if cause.get("recheck")], default=None),
        tuple([(str(cause["item"]), str(cause["summary"])) for cause in causes]),
    )


def status() -> str | None:
    """The service's status (`starting`, `ready`, `degraded` ...); None without an engine."""
    state = _content("state.json")
    return str(state["status"]) if state and "status" in state else None


def report() -> dict[str, Any] | None:
    """The last start, every item with its result, as in `report.json`; None without an engine.

    The same object until the file changes: do not modify it.
    """
    return _content("report.json")


def _content(name: str) -> dict[str, Any] | None:
    # Only the directory that this app's engine gave it, not that of another engine.
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
        # No engine, one of another user, or one that has cleaned up.
        return None
    return known[1]


def _read(path: str) -> dict[str, Any]:
    import json

    with open(path, encoding="utf-8") as file:
        content = json.load(file)
    if not isinstance(content, dict):
        raise ValueError(f"{path} is not a JSON object")  # noqa: TRY004 -- a broken file, not a broken call
    return content
