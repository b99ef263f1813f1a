"""Which features are off after the launch, and when what they need is tried again."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from orchestrator.core.state import Features

    Entry = dict[str, Any]
    Answer = dict[str, Any]

AGAIN = 30.0
"""Seconds after which the end of an item's time is considered again, where applying the next action went wrong."""


def names(features: Features) -> list[str]:
    """The features that are off, in the order in which they went."""
    return list(dict.fromkeys([name for entry in features.entries for name in entry["features"]]))


def deadline(features: Features) -> float | None:
    """When an item is to be tried at the latest; None while one is, or none will ever be."""
    if features.running:
        return None
    return min((due for entry in features.entries if (due := _due(entry)) is not None), default=None)


def begin_due(features: Features, now: float) -> Entry | None:
    """The item that is to be tried now. `features.last` says whether its time is over: its next action follows."""
    due = [entry for entry in features.entries if (at := _due(entry)) is not None and now >= at]
    if features.running or not due:
        return None
    entry = min(due, key=_sooner)
    features.running, features.last = entry["item"], entry["over"] is not None and now >= entry["over"]
    return entry


def put_off(features: Features, item: str, now: float, answer: Answer) -> bool:
    """The item still fails; whether it fails differently from the last time."""
    entry = _of(features, item)
    if entry is None:
        return False
    news = bool(answer.get("summary")) and answer["summary"] != entry["summary"]
    entry["summary"] = answer.get("summary") or entry["summary"]
    if entry["recheck"] is not None:
        entry["due"] = now + entry["recheck"]
    if features.last:
        entry["over"] = now + AGAIN
    return news


def came_back(features: Features, item: str, now: float) -> tuple[list[tuple[str, float]], bool]:
    """The item is ok: the features that are on again, each with the seconds it was off, and whether to restart."""
    entry = _of(features, item)
    if entry is None:
        return [], False
    features.entries.remove(entry)
    still = names(features)
    return [(name, now - entry["since"]) for name in entry["features"] if name not in still], entry["restart"]


def settled(features: Features, item: str, answer: Answer) -> list[str]:
    """Another verdict holds from now on; the features that went off with it. What was off stays off."""
    before, known = names(features), _of(features, item)
    fresh = answer.get("entry")
    if known is not None:
        features.entries.remove(known)
        fresh = fresh or known | {"recheck": None, "due": None, "over": None, "features": []}
        both = dict.fromkeys([*known["features"], *fresh["features"]])
        fresh = fresh | {"features": list(both), "since": known["since"]}
    if fresh is not None:
        features.entries.append(fresh | {"summary": answer["summary"]})
    return [name for name in names(features) if name not in before]


def _of(features: Features, item: str) -> Entry | None:
    return next((entry for entry in features.entries if entry["item"] == item), None)


def _due(entry: Entry) -> float | None:
    """When it is tried again, or its time is over: whichever is sooner."""
    return min((each for each in (entry["due"], entry["over"]) if each is not None), default=None)


def _sooner(entry: Entry) -> float:
    return _due(entry) or 0.0
