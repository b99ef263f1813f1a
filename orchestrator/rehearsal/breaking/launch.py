"""A server that cannot import its app, that ends before it serves, or that is killed once it was ready."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.rehearsal.breaking._commands import failing
from orchestrator.rehearsal.breaking.module import RAISES

if TYPE_CHECKING:
    from orchestrator.engine.item import Work
    from orchestrator.rehearsal.sandbox_filesystem import Place


def make(place: Place, work: Work, reason: str) -> None:
    del work
    launch = place.section("launch", "app")
    if reason == "ended":
        place.after.append("kill")
    elif reason == "boot":
        launch["command"] = failing(place, {}, reason)
    else:
        launch["app"] = place.module("orchestrator_rehearsal_app", RAISES) + ":app"
