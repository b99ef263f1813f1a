"""What is asked of a server that runs, in rounds, and what the answers add up to. No I/O, no clock, builtins alone.

Knows nothing of what follows from it: that a server that is not live is restarted is decided elsewhere.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Endpoint = dict[str, Any]
    Verdict = tuple[Any, ...]

JUDGED_EVERY = 30.0
"""With the watch off, how often commands are run: only their last verdict can be asked for."""
FAILURES, SUCCESSES = 3, 1


class Watch:
    """The endpoints, how often in a row each has failed or been well, and when the next round begins."""

    __slots__ = ("due", "failures", "health", "let_go", "round", "successes")

    def __init__(self, health: dict[str, Any], now: float) -> None:
        self.health = health
        self.due: float | None = None
        """When something is asked next."""
        self.round: list[str] = []
        """What is left of this round."""
        self.failures: dict[str, int] = {}
        self.successes: dict[str, int] = {}
        self.let_go: list[str] = []
        """Endpoints whose failure was settled by going on, until they are well again."""
        self.plan(now)

    @property
    def interval(self) -> float:
        """Seconds between rounds; 0 is off."""
        interval: float = self.health.get("interval", 0)
        return interval

    def begin_anew(self, now: float) -> None:
        """For another server."""
        self.failures, self.successes, self.let_go = {}, {}, []
        self.plan(now)

    # Rounds

    def endpoints(self) -> dict[str, Endpoint]:
        """What is asked in a round: everything where it is watched, else what nobody else can judge."""
        named = {
            "live": self.health.get("live"),
            "ready": self.health.get("ready"),
            **self.health.get("more", {}),
        }
        return {name: each for name, each in named.items() if each and (self.interval or _is_command(each))}

    def plan(self, now: float, *, first: bool = True) -> None:
        """A command is judged at once: there is no other answer. For the rest the engine has just asked."""
        endpoints = self.endpoints()
        at_once = first and any(_is_command(each) for each in endpoints.values())
        pause = 0.0 if at_once else self.interval or JUDGED_EVERY
        self.due = now + pause if endpoints else None

    def begin(self, *, booting: bool) -> str:
        """Begins a round; what is asked first. A server that boots is asked for `ready` alone."""
        self.due = None  # planned again when the round is over
        self.round = ["ready"] if booting else list(self.endpoints())
        return self.round.pop(0)

    # Answers

    def note(self, kind: str, *, ok: bool) -> None:
        self.failures[kind] = 0 if ok else self.failures.get(kind, 0) + 1
        self.successes[kind] = self.successes.get(kind, 0) + 1 if ok else 0

    def verdict(self, kind: str, ok: bool, why: str) -> Verdict | None:
        """For the probe of the container, which can only ask for a status; None where that is enough."""
        endpoint = self.endpoints().get(kind)
        if endpoint is None or not (_is_command(endpoint) or endpoint.get("asked")):
            return None
        fresh = 3 * (self.interval or JUDGED_EVERY) + endpoint["timeout"]
        return ("verdict", kind, ok, why, fresh)

    def has_failed(self, kind: str) -> bool:
        """Whether it has failed so often in a row that it counts."""
        limit: int = self.health.get("failures", FAILURES)
        return self.failures.get(kind, 0) >= limit

    def is_well(self, kind: str) -> bool:
        """Whether it has been well so often in a row that it counts."""
        limit: int = self.health.get("successes", SUCCESSES)
        return self.successes.get(kind, 0) >= limit

    # What was let go

    def judges_again(self, kind: str) -> None:
        if kind in self.let_go:
            self.let_go.remove(kind)


def _is_command(endpoint: Endpoint) -> bool:
    return endpoint.get("kind") == "command"
