"""What is still to be tried for a server that has failed: restarts and actions, until they are spent.

No I/O, no clock, builtins alone. Knows nothing of signals, of states, and of how anything is done.
"""

from __future__ import annotations

from orchestrator.core.words import REMEDY, RESTART, SERVE, STOP, needs_the_server

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Purpose = tuple[Any, ...]
    """What comes when nothing of the last server is left: `spawn`, `maintain`, `engine` or `exit`, and its details."""

INITIAL_DELAY, LONGEST_DELAY = 0.5, 30.0
STABLE = 60.0
REMEMBERED = ("restarts", "streak", "action", "used", "rounds", "since")


class Budget:
    """The policy under `launch.restart`, the actions under `on_failure`, and how far they have been gone through."""

    __slots__ = ("actions", "engine", "restart", "tried", *REMEMBERED)

    def __init__(self, plan: dict[str, Any]) -> None:
        before = plan.get("budget") or {}
        self.restart: dict[str, Any] = plan["restart"]
        self.actions: list[dict[str, Any]] = plan["on_failure"]
        self.engine: bool = plan.get("engine", False)
        """Whether the engine can be started again, for what is more than can be done here."""
        self.tried: list[str] = []
        """What was done about it so far, in words."""
        self.restarts: list[float] = list(before.get("restarts", ()))
        self.streak: int = before.get("streak", 0)
        self.action: int = before.get("action", 0)
        self.used: int = before.get("used", 0)
        self.rounds: int = before.get("rounds", 0)
        """How often the engine has checked again since the service was last stable."""
        self.since: float | None = before.get("since")
        """When something was served instead for the first time since then."""

    def remembered(self) -> dict[str, Any]:
        """For an engine that comes back, and for the supervisor after it."""
        return {name: getattr(self, name) for name in REMEMBERED}

    def forgive(self, now: float, served_since: float | None) -> None:
        """Who has served for long failed of something new: what was spent counts no more."""
        if served_since is not None and now - served_since >= self.restart.get("within", STABLE):
            self.streak = self.action = self.used = self.rounds = 0
            self.since = None
            self.tried = []

    def wants_restart(self, code: int) -> bool:
        """Whether the policy is to start it again after such an end."""
        policy = self.restart.get("policy", "never")
        return bool(policy == "always" or (policy == "on-failure" and code))

    def has_restart(self, now: float) -> bool:
        """Whether the policy has one left."""
        within = self.restart.get("within", STABLE)
        self.restarts = [each for each in self.restarts if now - each < within]
        attempts = self.restart.get("attempts")
        return attempts is None or len(self.restarts) < attempts

    def again(self, now: float) -> Purpose:
        """Takes one of the policy's restarts."""
        self.restarts.append(now)
        return self._spawn()

    def _spawn(self) -> Purpose:
        # The exponent is bounded, for a service may fail for years.
        delay = min(INITIAL_DELAY * 2 ** min(self.streak, 10), LONGEST_DELAY)
        self.streak += 1
        self.tried.append("restart")
        return ("spawn", delay)

    def next(self, code: int) -> Purpose:
        """The next of the actions that is not spent; none is left: the end, with this code."""
        while self.action < len(self.actions):
            action = self.actions[self.action]
            if action["do"] == RESTART and self.used < action["times"]:
                self.used += 1
                return self._spawn()
            at = self.action
            self.action, self.used = at + 1, 0
            purpose = self._purpose_of(action, at, code)
            if purpose is not None:
                return purpose
        return ("exit", code)

    def _purpose_of(self, action: dict[str, Any], at: int, code: int) -> Purpose | None:
        """What an action means once there is no server; None where it means nothing."""
        word = action["do"]
        if word == STOP:
            return ("exit", code if action["code"] is None else action["code"])
        if word == SERVE and self.engine:
            return ("engine", at, True, action["for"])
        if word == SERVE and action["app"] == "maintenance":
            self.tried.append("serve: maintenance")
            return ("maintain", action["for"])
        if word == REMEDY and self.engine:
            return ("engine", at, False, None)
        return None

    def beside(self) -> dict[str, Any] | None:
        """The next action, where it keeps the server: an engine beside it does that."""
        if not self.engine or self.action >= len(self.actions):
            return None
        action = self.actions[self.action]
        return None if needs_the_server(action) else action

    def passed(self, tried: int) -> None:
        """So many actions were gone through by somebody else."""
        self.action = max(self.action, tried)
