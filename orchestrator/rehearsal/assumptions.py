"""What is not under test and cannot be real in a private place: supposed well. And the times that a rehearsal need not wait."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from orchestrator.rehearsal.fake_servers import serving, well
from orchestrator.rehearsal.sandbox_filesystem import actions_of
from orchestrator.spec.item import Item

if TYPE_CHECKING:
    from orchestrator.engine.item import Work
    from orchestrator.rehearsal.sandbox_filesystem import Place

_ALWAYS_THERE = "/"
_DONE = "import os\nfor name in {names!r}:\n    open(os.environ['ORCHESTRATOR_OUTPUT'], 'a').write(name + '=rehearsal\\n')\n"


def suppose(place: Place, broken: str) -> None:
    """Waits that are not under test, and the steps, checks and endpoints that do not work here at all."""
    for work in place.start.works:
        if work.id == broken:
            continue
        if work.kind == "wait":
            _wait(place, work)
        elif work.id in place.job.supposed:
            {"step": _step, "check": _check}[work.kind](place, work)
    for name in place.job.supposed:
        if name.startswith("health:") and name != broken:
            _health(place, name.partition(":")[2])


def shorten(place: Place) -> None:
    """A server is restarted once at most: the pauses between restarts grow."""
    for action in actions_of(place.data):
        if isinstance(action.get("restart"), dict):
            action["restart"]["times"] = 1


def _kept(item: dict[str, Any]) -> dict[str, Any]:
    """What every item has, without what its kind asks for."""
    return {name: value for name, value in item.items() if name in (*Item.keys(), "name")}


def _wait(place: Place, work: Work) -> None:
    item = place.item(work)
    kept = _kept(item)
    item.clear()
    item.update(kept, file=_ALWAYS_THERE)
    for step in place.data.get("steps", ()):
        if isinstance(step, dict) and step.get("lock") in (work.id, work.id.partition(":")[2]):
            del step["lock"]


def _step(place: Place, work: Work) -> None:
    item = place.item(work)
    names = work.item.output_names
    kept = _kept(item)
    item.clear()
    item.update(kept, run=[sys.executable, "-c", _DONE.format(names=list(names))])
    if names:
        item["outputs"] = list(names)


def _health(place: Place, name: str) -> None:
    """An endpoint that asks what cannot be real here: a server of ours is asked in its place."""
    health = place.data["health"]
    among = health if name in ("live", "ready") else health["endpoints"]
    given = among[name] if isinstance(among[name], dict) else {"path": among[name]}
    if "command" in given:
        among[name] = {"command": [sys.executable, "-c", ""]}
    elif "path" in given:
        port = place.held.enter_context(serving("127.0.0.1", 0, well))
        among[name] = {"path": given["path"], "port": port}


def _check(place: Place, work: Work) -> None:
    item = place.item(work)
    kept = _kept(item)
    item.clear()
    item.update(kept, run=[sys.executable, "-c", ""])
