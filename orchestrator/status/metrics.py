"""The state directory as metrics in the text format of Prometheus (0.0.4). Pure."""

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
    """All metrics. `features` are those that the spec declares, whether degraded or not."""
    items = report.get("items", ())
    degraded = list(state.get("degraded", ()))
    updated, duration = state.get("updated"), report.get("duration_ms")
    names = dict.fromkeys([*features, *degraded])
    families: list[tuple[str, str, list[Sample]]] = [
        ("info", "Which service this is.", [(_service(state), 1)]),
        ("service_status", "1 for the state the service is in.",
         [({"status": status}, state.get("status") == status) for status in STATUSES]),
        ("feature_degraded", "1 while a feature is off.", [({"feature": name}, name in degraded) for name in names]),
        ("state_updated_timestamp_seconds", "When the state last changed.", [({}, updated)] if updated else []),
        ("start_duration_seconds", "How long the last start took to its verdict.",
         [({}, duration / 1000)] if duration is not None else []),
        ("item_status", "1 for the state of each item of the last start.",
         [({**_item(item), "status": item["status"]}, 1) for item in items]),
        ("item_attempts", "How often each item was tried.", [(_item(item), item["attempts"]) for item in items]),
        ("item_duration_seconds", "How long each item took.",
         [(_item(item), item["duration_ms"] / 1000) for item in items]),
        ("item_fallbacks", "How many fallback actions were applied for each item.",
         [(_item(item), len(item["fallbacks"])) for item in items if item["fallbacks"]]),
    ]  # fmt: skip
    return "".join([_gauge(*family) for family in families])


def _service(state: Mapping[str, Any]) -> Labels:
    return {key: str(state.get(key, "")) for key in ("service", "environment", "role")}


def _item(item: Mapping[str, Any]) -> Labels:
    return {"item": item["id"], "kind": item["kind"]}


def _gauge(name: str, description: str, samples: Iterable[Sample]) -> str:
    full = f"orchestrator_{name}"
    lines = [f"{full}{_labels(labels)} {float(value):.15g}" for labels, value in samples]
    return "\n".join([f"# HELP {full} {description}", f"# TYPE {full} gauge", *lines]) + "\n" if lines else ""


def _labels(labels: Labels) -> str:
    inner = ",".join([f'{name}="{_escaped(value)}"' for name, value in labels.items()])
    return f"{{{inner}}}" if inner else ""


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
