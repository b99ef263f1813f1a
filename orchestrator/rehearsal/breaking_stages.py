"""How the engine's own stages are made to fail: a step, the port, the launch, a health endpoint."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Any

from orchestrator.rehearsal import fake_servers
from orchestrator.rehearsal.sandbox_filesystem import milliseconds
from orchestrator.spec.breaking import RAISES

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestrator.rehearsal.breaking import Breaking
    from orchestrator.rehearsal.sandbox_filesystem import Place

_SOON = 2.0
"""Seconds after which a step that does not end has failed."""


def step(broken: Breaking, place: Place, failure: str) -> None:
    """It ends with 1 or does not end; what would have it skipped is taken out."""
    del place
    item, given = broken.item, broken.work.item
    for key in ("shell", "unless", "creates", "lock"):
        item.pop(key, None)
    item["run"] = broken.command(failure, given.run or ("sh", "-c", given.shell))
    if failure == "timeout":
        item["deadline"], item["grace"] = milliseconds(min(given.deadline, _SOON)), "500ms"


def port(broken: Breaking, place: Place, failure: str) -> None:
    """Another process listens there."""
    del broken, failure
    launch = place.start.spec.launch
    assert launch is not None
    if launch.unix is not None:
        listener = place.held.enter_context(socket.socket(socket.AF_UNIX))
        listener.bind(place.path(launch.unix))
        listener.listen()
    else:
        talk = fake_servers.silent
        place.held.enter_context(fake_servers.serving(launch.host, launch.listening_port or 0, talk))


def launch(broken: Breaking, place: Place, failure: str) -> None:
    """The app cannot be imported, ends before it serves, or is killed once it was ready."""
    section = place.section("launch", "app")
    if failure == "ended":
        place.after.append("kill")
    elif failure == "boot":
        section["command"] = broken.command(failure)
    else:
        section["app"] = place.module("orchestrator_rehearsal_app", RAISES) + ":app"


def health(broken: Breaking, place: Place, failure: str) -> None:
    """The endpoint refuses or does not answer: a server of ours is asked in the app's place."""
    section = place.data["health"]
    name = broken.name
    endpoints = section if name in ("live", "ready") else section["endpoints"]
    if not isinstance(endpoints[name], dict):
        endpoints[name] = {"path": endpoints[name]}
    endpoint: dict[str, Any] = endpoints[name]
    section["deadline"] = milliseconds(_time_to_boot(place))
    if "command" in endpoint:
        endpoint["command"] = broken.command(failure)
    elif "heartbeat" in endpoint:
        endpoint["heartbeat"]["file"] = file = place.tool("heartbeat", "")
        os.utime(file, (0, 0))
    else:
        talk = fake_servers.BEHAVIOURS[failure]
        number = place.held.enter_context(fake_servers.serving("127.0.0.1", 0, talk))
        endpoint.update(port=number, scheme="http", timeout="1s")


def _time_to_boot(place: Place) -> float:
    """Seconds, and no more than that: what is broken stays so."""
    given = place.start.spec.health.deadline if place.start.spec.health is not None else None
    return float(min(given if given is not None else 60.0, max(8.0, 4 * place.job.ready)))


STAGES: dict[str, Callable[[Breaking, Place, str], None]] = {
    "step": step, "port": port, "launch": launch, "health": health,
}  # fmt: skip
"""By the first word of an id. Each kind of requirement and wait brings its failures itself."""
