"""What is still to be tried for a server that has failed: restarts and actions, until they are spent."""

from __future__ import annotations

from orchestrator.core.backoff import RESTARTS, delay
from orchestrator.core.words import REMEDY, RESTART, SERVE, STOP, needs_the_server

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestrator.core.state import Plan, Purpose, Restarts
    from orchestrator.core.words import Lowered

AFTER_READY = "after ready"
"""The name of the list of actions for a server that fails once the service was ready."""
STABLE = 60.0
"""Seconds of service after which a failure counts as a new one."""


def forgive(restarts: Restarts, plan: Plan, now: float, served_since: float | None) -> None:
    """After a long stable period, what was spent counts no more."""
    if served_since is not None and now - served_since >= plan["restart"].get("within", STABLE):
        restarts.streak = restarts.action = restarts.used = restarts.rounds = 0
        restarts.since = None
        restarts.tried = []


def after_exit(restarts: Restarts, plan: Plan, now: float, code: int) -> Purpose | None:
    """A restart by the policy; None where it wants none, or has none left."""
    if not wants_restart(plan, code) or not has_restart(restarts, plan, now):
        return None
    restarts.recent.append(now)
    return _spawn(restarts)


def wants_restart(plan: Plan, code: int) -> bool:
    """Whether the policy is to start it again after an end with this code."""
    policy = plan["restart"].get("policy", "never")
    return bool(policy == "always" or (policy == "on-failure" and code))


def has_restart(restarts: Restarts, plan: Plan, now: float) -> bool:
    """Whether the policy has a restart left."""
    within = plan["restart"].get("within", STABLE)
    restarts.recent = [each for each in restarts.recent if now - each < within]
    attempts = plan["restart"].get("attempts")
    return attempts is None or len(restarts.recent) < attempts


def next_action(restarts: Restarts, plan: Plan, code: int) -> Purpose:
    """The next of the actions that is not spent; behind the last one, the end with this code."""
    actions = plan["on_failure"]
    while restarts.action < len(actions):
        action = actions[restarts.action]
        if action["do"] == RESTART and restarts.used < action["times"]:
            restarts.used += 1
            return _spawn(restarts)
        at = restarts.action
        restarts.action, restarts.used = at + 1, 0
        purpose = _purpose_of(action, at, code, restarts, engine=plan.get("engine", False))
        if purpose is not None:
            return purpose
    return ("exit", code)


def beside(restarts: Restarts, plan: Plan) -> Lowered | None:
    """The next action, where an engine beside the running server can apply it."""
    actions = plan["on_failure"]
    if not plan.get("engine") or restarts.action >= len(actions):
        return None
    action: Lowered = actions[restarts.action]
    return None if needs_the_server(action) else action


def passed(restarts: Restarts, tried: int) -> None:
    """An engine has gone through so many of the actions."""
    restarts.action = max(restarts.action, tried)


def _spawn(restarts: Restarts) -> Purpose:
    restarts.streak += 1
    restarts.tried.append("restart")
    return ("spawn", delay(RESTARTS, restarts.streak, 1.0))


def _purpose_of(action: Lowered, at: int, code: int, restarts: Restarts, *, engine: bool) -> Purpose | None:
    """What an action means once there is no server; None where it means nothing."""
    word = action["do"]
    if word == STOP:
        return ("exit", code if action["code"] is None else action["code"])
    if word == SERVE and engine:
        return ("engine", at, True, action["for"])
    if word == SERVE and action["app"] == "maintenance":
        restarts.tried.append("serve: maintenance")
        return ("maintain", action["for"])
    if word == REMEDY and engine:
        return ("engine", at, False, None)
    return None
