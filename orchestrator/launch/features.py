"""Which features are off after the launch, and when what they need is tried again. No I/O, no clock, builtins alone.

An entry is an item that was degraded: `item`, `features` (what is off for it), `since`, `due` (when it is tried again)
and `over` (when its time is over), times or None, `recheck` (seconds, or None), `restart` (whether the server has to
start again for it), `tried` (how many of its actions were), `summary` (what it came to last), `limit` (seconds that
one try may take, or None).
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Entry = dict[str, Any]
    Answer = dict[str, Any]

AGAIN = 30.0
"""Seconds after which the end of its time is thought of again, where trying the next action went wrong."""


class Features:
    """What is off. One item is tried at a time."""

    __slots__ = ("entries", "last", "running")

    def __init__(self, entries: list[Entry]) -> None:
        self.entries: list[Entry] = list(entries)
        self.running = ""
        """The item that is tried now."""
        self.last = False
        """Whether its next action follows if it fails again."""

    def names(self) -> list[str]:
        """The features that are off, in the order in which they went."""
        return list(dict.fromkeys([name for entry in self.entries for name in entry["features"]]))

    def deadline(self) -> float | None:
        """When one is to be tried at the latest; None while one is, or none will ever be."""
        if self.running:
            return None
        dues = [due for entry in self.entries if (due := _due(entry)) is not None]
        return min(dues) if dues else None

    def next(self, now: float) -> Entry | None:
        """The item that is to be tried now. Its `last` says whether its time is over: its next action follows."""
        due = [entry for entry in self.entries if (at := _due(entry)) is not None and now >= at]
        if self.running or not due:
            return None
        entry = min(due, key=_sooner)
        self.running, self.last = entry["item"], _is_over(entry, now)
        return entry | {"last": self.last}

    def put_off(self, item: str, now: float, answer: Answer) -> bool:
        """It does not hold yet; whether it failed differently from the last time."""
        entry = self._of(item)
        if entry is None:
            return False
        news = bool(answer.get("summary")) and answer["summary"] != entry["summary"]
        entry["summary"] = answer.get("summary") or entry["summary"]
        if entry["recheck"] is not None:
            entry["due"] = now + entry["recheck"]
        if self.last:
            entry["over"] = now + AGAIN
        return news

    def came_back(self, item: str, now: float) -> tuple[list[tuple[str, float]], bool]:
        """The item holds: the features that are on again, each with the seconds it was off, and whether to restart."""
        entry = self._of(item)
        if entry is None:
            return [], False
        self.entries.remove(entry)
        still = self.names()
        since = entry["since"]
        return [(name, now - since) for name in entry["features"] if name not in still], entry["restart"]

    def settled(self, item: str, answer: Answer) -> list[str]:
        """Another verdict holds from now on; the features that went off with it. What was off stays off."""
        before, known = self.names(), self._of(item)
        fresh = answer.get("entry")
        if known is not None:
            self.entries.remove(known)
            fresh = fresh or known | {"recheck": None, "due": None, "over": None, "features": []}
            both = dict.fromkeys([*known["features"], *fresh["features"]])
            fresh = fresh | {"features": list(both), "since": known["since"]}
        if fresh is not None:
            self.entries.append(fresh | {"summary": answer["summary"]})
        return [name for name in self.names() if name not in before]

    def _of(self, item: str) -> Entry | None:
        return next((entry for entry in self.entries if entry["item"] == item), None)


def _due(entry: Entry) -> float | None:
    """When it is tried again, or its time is over: whichever is sooner."""
    dues = [each for each in (entry["due"], entry["over"]) if each is not None]
    return min(dues) if dues else None


def _sooner(entry: Entry) -> float:
    return _due(entry) or 0.0


def _is_over(entry: Entry, now: float) -> bool:
    return entry["over"] is not None and now >= entry["over"]
