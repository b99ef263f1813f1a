"""Events to the report, the verdict and the exit code. Pure."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from orchestrator.core.outcome import Status

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.engine import events

FORCED = 137

IMPORTING = "importing"
"""The word for what the importing process is at."""
WELL = frozenset({Status.OK, Status.HEALED, Status.DEGRADED, Status.WARNED, Status.SKIPPED})


class Report:
    """Listens to events and knows at any time what the start has come to."""

    def __init__(self) -> None:
        self.service = self.environment = self.role = ""
        self.status = "starting"
        self.exit_code: int | None = None
        self.started_at = ""
        self.duration_ms = 0.0
        self.items: dict[str, dict[str, Any]] = {}
        self.imports: list[dict[str, Any]] = []
        self.phases: list[dict[str, Any]] = []
        self.degraded: list[str] = []
        self.features: dict[str, dict[str, Any]] = {}
        """Item → the feature that is off because of it, since when, why, and how often it is tried again."""
        self.notes: list[dict[str, Any]] = []
        self.fallbacks: dict[str, list[dict[str, Any]]] = {}
        self.reason = ""
        """Why it ended, where no item says so."""
        self.waiting: dict[str, str] = {}
        """Items that were tried and not well yet, with what the last attempt came to."""
        self.attempts: dict[str, int] = {}
        """How often they were tried so far."""
        self.under_way: dict[str, tuple[str, float]] = {}
        """Items about which something is done: a word for what, and since when (milliseconds of the start)."""

    def __call__(self, event: events.Event) -> None:
        self.duration_ms = event.at
        handler = getattr(self, f"_on_{event.name}", None)
        if handler is not None:
            handler(event)

    def _on_started(self, event: events.Event) -> None:
        self.started_at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self.service, self.environment = event.data["service"], event.data["environment"]
        self.role = event.data["role"]

    def _on_phase(self, event: events.Event) -> None:
        self._close_phase(event.at)
        self.phases.append({"name": event.data["phase"], "start_ms": round(event.at, 1), "duration_ms": 0.0})

    def _close_phase(self, at: float) -> None:
        if self.phases:
            self.phases[-1]["duration_ms"] = round(at - self.phases[-1]["start_ms"], 1)

    def _on_begun(self, event: events.Event) -> None:
        self.under_way[event.item] = (event.data["doing"], event.at)

    def _on_importing(self, event: events.Event) -> None:
        others = {item: known for item, known in self.under_way.items() if known[0] != IMPORTING}
        self.under_way = {**others, event.item: (IMPORTING, event.at)} if event.item else others

    def _on_waiting(self, event: events.Event) -> None:
        self.waiting[event.item] = event.message
        self.attempts[event.item] = event.data["attempt"]

    def _on_item(self, event: events.Event) -> None:
        data = event.data
        self.waiting.pop(event.item, None)
        self.under_way.pop(event.item, None)
        self.items[event.item] = self._item(event.item, data["status"], event.message, event.at, data)
        self._note_feature(event)

    def _item(
        self, name: str, status: str, summary: str, at: float, data: Mapping[str, Any]
    ) -> dict[str, Any]:
        return {
            "id": name,
            "kind": name.partition(":")[0],
            "status": status,
            "summary": summary,
            "reason": data.get("reason", ""),
            "hint": data.get("hint", ""),
            "code": data.get("code", ""),
            "why": data.get("why", ""),
            "details": data.get("details", ""),
            "attempts": data.get("attempts", 1),
            "start_ms": round(data.get("start_ms", at), 1),
            "duration_ms": round(data.get("duration_ms", 0.0), 1),
            "fallbacks": self.fallbacks.get(name, []),
            "file": data.get("file", ""),
            "line": data.get("line", 0),
        }

    @property
    def unsettled(self) -> list[dict[str, Any]]:
        """What something was done about, and what came to no state before the end."""
        return [
            self._item(
                name,
                Status.WAITING.value,
                self.waiting.get(name, f"still {doing}"),
                since,
                {"duration_ms": self.duration_ms - since, "attempts": self.attempts.get(name, 1)},
            )
            for name, (doing, since) in self.under_way.items()
            if name not in self.items
        ]

    def _note_feature(self, event: events.Event) -> None:
        feature, known = event.data.get("feature"), self.features.pop(event.item, {})
        if feature and feature not in self.degraded:
            self.degraded.append(feature)
        if feature and event.data["status"] == Status.DEGRADED:
            self.features[event.item] = {
                "name": feature,
                "item": event.item,
                "summary": event.message,
                "since": known.get("since", int(time.time())),
                "recheck": event.data.get("recheck"),
            }

    def _on_fallback(self, event: events.Event) -> None:
        entries = self.fallbacks.setdefault(event.item, [])
        if event.data.get("helped") is False and entries:
            entries[-1]["result"] += ", but it did not help"
        else:
            entry = {"action": event.data["action"], "result": event.message}
            changed = {name: value for name, value in event.data.get("changed", {}).items() if value}
            entries.append(entry | ({"changed": changed} if changed else {}))

    def _on_feature(self, event: events.Event) -> None:
        name = event.data["feature"]
        if event.data["on"] and name in self.degraded:
            self.degraded.remove(name)
        elif not event.data["on"] and name not in self.degraded:
            self.degraded.append(name)

    def _on_imported(self, event: events.Event) -> None:
        ms = round(event.data["total_ms"], 1)
        self.imports.append(
            {
                "module": event.data["module"],
                "self_ms": round(event.data.get("self_ms", ms), 1),
                "total_ms": ms,
            }
        )

    def _on_note(self, event: events.Event) -> None:
        self.notes.append(
            {"code": event.data.get("code", ""), "message": event.message, "hint": event.data.get("hint", "")}
        )

    def _on_service(self, event: events.Event) -> None:
        self.status = event.data["status"]

    def _on_finished(self, event: events.Event) -> None:
        self.exit_code, self.reason = event.data["exit_code"], event.message
        self._close_phase(event.at)

    @property
    def failed(self) -> list[dict[str, Any]]:
        """The items that failed for good, in the order they came to it."""
        return [each for each in self.items.values() if each["status"] == Status.FAILED]

    def record(self) -> dict[str, Any]:
        """`report.json`, and what `check` and `report` print as JSON."""
        return {
            "schema": 1,
            "service": self.service,
            "environment": self.environment,
            "role": self.role,
            "status": self.status,
            "exit_code": self.exit_code,
            "started_at": self.started_at,
            "duration_ms": round(self.duration_ms, 1),
            "degraded": list(self.degraded),
            "items": [*self.items.values(), *self.unsettled],
            "imports": self.imports,
            "phases": self.phases,
            "notes": self.notes,
        }
