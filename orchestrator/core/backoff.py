"""How long to pause between attempts: arithmetic alone."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

NOTICE = 0.1
"""Within so many seconds something that happens in the first second is noticed."""
_STEPS = 64
"""After so many steps any growth has reached its cap; more of them would only overflow."""


class Policy:
    """How attempts follow one another. The first attempt is made at once; this is about what follows."""

    __slots__ = ("factor", "initial", "jitter", "max", "times")

    def __init__(
        self,
        initial: float = 0.05,
        factor: float = 2.0,
        max: float = 5.0,  # noqa: A002 - as users write it
        jitter: str = "full",
        times: int | None = None,
    ) -> None:
        self.initial, self.factor, self.max = initial, factor, max
        self.jitter = jitter
        """`full`: a random part of the pause; `none`: the whole."""
        self.times = times
        """At most so many attempts; None: only the deadline ends them."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Policy) and all(
            getattr(self, name) == getattr(other, name) for name in Policy.__slots__
        )

    __hash__ = None  # type: ignore[assignment]


RESTARTS = Policy(initial=0.5, factor=2.0, max=30.0, jitter="none")
"""Between restarts of a server."""
ROUNDS = Policy(initial=1.0, factor=2.0, max=30.0, jitter="none")
"""Between the rounds in which everything is checked again while something else is served."""


def policy(retry: Any, defaults: Any = None) -> Policy:
    """What an item says, where it says nothing what the spec's `defaults` say, else the built-in numbers."""
    given: dict[str, Any] = {}
    for each in (defaults, retry):
        if each is not None:
            values = ((name, getattr(each, name)) for name in Policy.__slots__)
            given |= {name: value for name, value in values if value is not None}
    return Policy(**given)


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
