"""How long to pause between attempts: arithmetic alone. Knows no clock, no randomness and no waits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from orchestrator.spec.retry import Retry

NOTICE = 0.1
"""Within so many seconds something that happens in the first second is noticed."""
_STEPS = 64
"""After so many steps any growth has reached its cap; more of them would only overflow."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How attempts follow one another. The first attempt is made at once; this is about what follows."""

    initial: float = 0.05
    factor: float = 2.0
    max: float = 5.0
    jitter: Literal["full", "none"] = "full"
    times: int | None = None
    """At most so many attempts; None: only the deadline ends them."""


def policy(retry: Retry | None, defaults: Retry | None = None) -> Policy:
    """What an item says, where it says nothing what the spec's `defaults` say, else the built-in numbers."""
    given: dict[str, object] = {}
    for each in (defaults, retry):
        if each is not None:
            said = ((name, getattr(each, name)) for name in Policy.__slots__)
            given |= {name: value for name, value in said if value is not None}
    return Policy(**given)  # type: ignore[arg-type]


def delay(policy: Policy, attempt: int, draw: float) -> float:
    """Seconds after attempt number `attempt` (from 1); `draw` is a random number from 0 to 1.

    Full jitter, because a thousand replicas that start together must not come back together.
    """
    return _jittered(policy, _longest(policy, attempt), draw)


def pause(policy: Policy, attempt: int, elapsed: float, draw: float) -> float:
    """The delay that a wait takes: not longer than it has waited already, or 100 ms in its first second.

    Attempts are cheap and short at first, so their number alone would reach the longest delay within two
    seconds. Who writes an `initial` of more than 100 ms gets it.
    """
    patience = max(NOTICE, policy.initial, elapsed if elapsed >= 1 else 0.0)
    return _jittered(policy, min(_longest(policy, attempt), patience), draw)


def _longest(policy: Policy, attempt: int) -> float:
    steps = min(max(attempt - 1, 0), _STEPS)
    return max(0.0, min(policy.max, policy.initial * policy.factor**steps))


def _jittered(policy: Policy, seconds: float, draw: float) -> float:
    return seconds * min(max(draw, 0.0), 1.0) if policy.jitter == "full" else seconds
