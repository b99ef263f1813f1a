"""What the state directory says, as Prometheus reads it (text format 0.0.4). Pure: data in, text out."""

from __future__ import annotations

from orchestrator.system.files import STATUSES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    Labels = Mapping[str, str]
    Sample = tuple[Labels, float]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def text(state: Mapping[str, Any], report: Mapping[str, Any], features: Iterable[str] = ()) -> str:
    """All metrics. `features` are those that the spec declares: one that is on is told as well."""
    items = report.get("items", ())
    off = list(state.get("degraded", ()))
    parts = [
        _gauge("info", "Which service this is.", [(_who(state), 1)]),
        _gauge(
            "service_status",
            "1 for the state the service is in.",
            [({"status": each}, state.get("status") == each) for each in STATUSES],
        ),
        _gauge(
            "feature_degraded",
            "1 while a feature is off.",
            [({"feature": each}, each in off) for each in dict.fromkeys([*features, *off])],
        ),
        _gauge(
            "state_updated_timestamp_seconds",
            "When the state last changed.",
            [({}, each) for each in [state.get("updated")] if each],
        ),
        _gauge(
            "start_duration_seconds",
            "How long the last start took to its verdict.",
            [({}, each / 1000) for each in [report.get("duration_ms")] if each is not None],
        ),
        _gauge(
            "item_status",
            "1 for the state of each item of the last start.",
            [({**_item(each), "status": each["status"]}, 1) for each in items],
        ),
        _gauge(
            "item_attempts",
            "How often each item was tried.",
            [(_item(each), each["attempts"]) for each in items],
        ),
        _gauge(
            "item_duration_seconds",
            "How long each item took.",
            [(_item(each), each["duration_ms"] / 1000) for each in items],
        ),
        _gauge(
            "item_fallbacks",
            "How many fallback actions were applied for each item.",
            [(_item(each), len(each["fallbacks"])) for each in items if each["fallbacks"]],
        ),
    ]
    return "".join(parts)


def _who(state: Mapping[str, Any]) -> Labels:
    return {key: str(state.get(key, "")) for key in ("service", "environment", "role")}


def _item(item: Mapping[str, Any]) -> Labels:
    return {"item": item["id"], "kind": item["kind"]}


def _gauge(name: str, what: str, samples: Iterable[Sample]) -> str:
    full = f"orchestrator_{name}"
    lines = [f"{full}{_labels(labels)} {float(value):.15g}" for labels, value in samples]
    return "\n".join([f"# HELP {full} {what}", f"# TYPE {full} gauge", *lines]) + "\n" if lines else ""


def _labels(labels: Labels) -> str:
    inner = ",".join([f'{name}="{_escaped(value)}"' for name, value in labels.items()])
    return f"{{{inner}}}" if inner else ""


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
