"""The exit code of a start that failed."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

FAILED, NOT_BOOTED, LATE_EXIT = 3, 5, 75

LATE = frozenset({"refused", "timeout", "dns", "unreachable"})
"""Reasons that waiting can fix: a start that failed for these alone ends with 75."""


def blame(kind: str, reason: str, *, final: bool) -> tuple[str, str]:
    """An item's kind and why it failed. A wait whose time is up is late, whatever it heard last."""
    return kind, reason if final or kind != "wait" else "timeout"


def exit_code(failures: Sequence[tuple[str, str]]) -> int:
    """The exit code of a start that failed: `(kind, reason)` of every item that failed for good.

    75 when nothing but lateness is to blame: trying again may help. 5 when only the app itself did not boot.
    """
    if not failures:
        return 0
    late = [
        reason in LATE and (kind in ("wait", "check") or (kind == "step" and reason != "timeout"))
        for kind, reason in failures
    ]
    if all(late):
        return LATE_EXIT
    if all(kind in ("launch", "health") for kind, _ in failures):
        return NOT_BOOTED
    if all(kind in ("launch", "health") or (reason in LATE and kind == "wait") for kind, reason in failures):
        return LATE_EXIT
    return FAILED
