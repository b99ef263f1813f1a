"""The failures that are rehearsed. Each kind of requirement and wait names its own; the stages of a start stand here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestrator.engine.item import Work

EXPLAINED = {
    "missing": "it is not there",
    "invalid": "its value does not keep the contract",
    "outside": "its value is of the right type, and not one that the contract allows",
    "version": "another version is there",
    "import": "it raises when it is imported",
    "unwritable": "nothing can be written to it",
    "full": "there is no room in it",
    "content": "it holds something else",
    "limit": "the limit is not met",
    "in_use": "another process has it",
    "refused": "connections are refused",
    "timeout": "it does not answer in time",
    "dropped": "connections are accepted and closed",
    "protocol": "it answers nonsense",
    "auth": "it refuses the password",
    "dns": "its name cannot be found",
    "unexpected": "it says no",
    "exit": "it ends with 1",
    "boot": "it ends before it serves",
    "ended": "it is killed after it was ready",
    "stale": "it is too old",
    "failed": "it fails",
}
"""Each failure in words."""


def failures(work: Work) -> tuple[str, ...]:
    """The failures of an item; none for one that cannot fail."""
    stage = _STAGES.get(work.kind)
    return stage(work.item) if stage is not None else tuple(work.item.failures())


def _step(step: Any) -> tuple[str, ...]:
    return ("exit", "timeout") if step.deadline is not None else ("exit",)


def _launch(launch: Any) -> tuple[str, ...]:
    first = "import" if launch.app is not None else "boot"
    return (first, "ended") if launch.mode == "supervise" else (first,)


def _health(endpoint: Any) -> tuple[str, ...]:
    return ("stale",) if endpoint.heartbeat is not None else ("unexpected", "timeout")


_STAGES: dict[str, Callable[[Any], tuple[str, ...]]] = {
    "step": _step, "launch": _launch, "health": _health, "port": lambda _: ("in_use",),
}  # fmt: skip
"""By the first word of an id."""
