"""A check that says no, or that does not answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.rehearsal.breaking._commands import failing
from orchestrator.rehearsal.sandbox_filesystem import TOOLS, CannotBreak, milliseconds

if TYPE_CHECKING:
    from orchestrator.engine.item import Work
    from orchestrator.rehearsal.sandbox_filesystem import Place

SOON = 2.0
_FAILS = """import time
def fails():
    {how}
"""


def make(place: Place, work: Work, reason: str) -> None:
    item = place.item(work)
    if "run" in item:
        item["run"] = failing(place, item, reason, work.item.run)
    elif "holds" in item:
        item["holds"] = {"exists": f"{TOOLS}/not-there"}
    elif "python" in item:
        item["python"] = _module(place, reason) + ":fails"
    else:
        raise CannotBreak("it is a plug-in's")
    for key in ("deadline", "timeout"):
        if getattr(work.item, key) is not None:
            item[key] = milliseconds(min(getattr(work.item, key), SOON))


def _module(place: Place, reason: str) -> str:
    how = "time.sleep(3600)" if reason == "timeout" else 'return "made to fail by the rehearsal"'
    return place.module("orchestrator_rehearsal_check", _FAILS.format(how=how))
