"""What is asked of a server that runs, in rounds, and what the answers add up to."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from orchestrator.core.state import Watch

    Health = dict[str, Any]
    Endpoint = dict[str, Any]

UNWATCHED_INTERVAL = 30.0
"""With the watch off, how often commands are run: only their last verdict can be asked for."""
FAILURES, SUCCESSES = 3, 1


def interval(health: Health) -> float:
    """Seconds between rounds; 0 is off."""
    return float(health.get("interval", 0))


def endpoints(health: Health) -> dict[str, Endpoint]:
    """What is asked in a round: everything where it is watched, else what nobody else can judge."""
    named = {"live": health.get("live"), "ready": health.get("ready"), **health.get("more", {})}
    return {name: each for name, each in named.items() if each and (interval(health) or _is_command(each))}


def plan_round(watch: Watch, health: Health, now: float, *, first: bool = True) -> None:
    """A command is run at once: there is no other answer. Everything else the engine has just asked."""
    asked = endpoints(health)
    at_once = first and any(_is_command(each) for each in asked.values())
    pause = 0.0 if at_once else interval(health) or UNWATCHED_INTERVAL
    watch.due = now + pause if asked else None


def begin_round(watch: Watch, health: Health, *, booting: bool) -> str:
    """Begins a round; what is asked first. A server that boots is asked for `ready` alone."""
    watch.due = None  # planned again when the round is over
    watch.round = ["ready"] if booting else list(endpoints(health))
    return watch.round.pop(0)


def restart(watch: Watch, health: Health, now: float) -> None:
    """Begins to count anew, for another server."""
    watch.failures, watch.successes, watch.tolerated = {}, {}, []
    plan_round(watch, health, now)


def count(watch: Watch, name: str, *, ok: bool) -> None:
    watch.failures[name] = 0 if ok else watch.failures.get(name, 0) + 1
    watch.successes[name] = watch.successes.get(name, 0) + 1 if ok else 0


def verdict_for(health: Health, name: str) -> float | None:
    """Seconds that a verdict holds for the container's probe, which can only ask for a status; None: that is enough."""
    endpoint = endpoints(health).get(name)
    if endpoint is None or not (_is_command(endpoint) or endpoint.get("asked")):
        return None
    return float(3 * (interval(health) or UNWATCHED_INTERVAL) + endpoint["timeout"])


def has_failed(watch: Watch, health: Health, name: str) -> bool:
    """Whether it has failed so often in a row that it counts."""
    return bool(watch.failures.get(name, 0) >= health.get("failures", FAILURES))


def is_healthy(watch: Watch, health: Health, name: str) -> bool:
    """Whether it has been healthy so often in a row that it counts."""
    return bool(watch.successes.get(name, 0) >= health.get("successes", SUCCESSES))


def tolerate_no_more(watch: Watch, name: str) -> None:
    if name in watch.tolerated:
        watch.tolerated.remove(name)


def _is_command(endpoint: Endpoint) -> bool:
    return endpoint.get("kind") == "command"
