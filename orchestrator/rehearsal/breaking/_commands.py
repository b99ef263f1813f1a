"""What takes the place of a command: it fails until a remedy of its item has run, then it is the real one."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from orchestrator.rehearsal.sandbox_filesystem import TOOLS, actions_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.rehearsal.sandbox_filesystem import Place

_FAILS = """import os, sys, time
if os.path.exists({mended!r}) and len(sys.argv) > 1:
    os.execvp(sys.argv[1], sys.argv[1:])
print("made to fail by the rehearsal", flush=True)
{how}
"""
_MENDS = """import subprocess, sys
code = subprocess.call(sys.argv[1:])
if code == 0:
    open({mended!r}, "w").close()
sys.exit(code)
"""
HOW = {"timeout": "time.sleep(3600)"}


def failing(place: Place, item: dict[str, Any], reason: str, argv: Sequence[str] = ()) -> list[str]:
    """A command that fails; where a `run` stands among the item's fallbacks, until that has succeeded."""
    mended = place.path(os.path.join(TOOLS, "mended"))
    if argv:
        _mend(place, item, mended)
    script = place.tool("fails.py", _FAILS.format(mended=mended, how=HOW.get(reason, "sys.exit(1)")))
    return [sys.executable, script, *argv]


def _mend(place: Place, item: dict[str, Any], mended: str) -> None:
    """Whatever may be run as a remedy leaves a mark when it has succeeded."""
    script = place.tool("mends.py", _MENDS.format(mended=mended))
    given = item.get("on_failure", place.data.get("on_failure"))
    for action in actions_of({"on_failure": given, "fallbacks": place.data.get("fallbacks")}):
        if isinstance(action.get("run"), list):
            action["run"] = [sys.executable, script, *action["run"]]
