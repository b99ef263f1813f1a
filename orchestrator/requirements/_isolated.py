"""Imports a module in a process of its own, as the service's user: a crash or a hang there is an event like any other."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

from orchestrator.system import import_module
from orchestrator.system.processes import capture

if TYPE_CHECKING:
    from orchestrator.core.context import Context
    from orchestrator.requirements.modules import Module
    from orchestrator.system.processes import Result

_LIMIT = 60.0
"""Seconds, where nothing says how long the import may take."""


def tried(module: Module, context: Context) -> dict[str, Any]:
    """What the importing process would have reported."""
    token = f"orchestrator-{os.urandom(8).hex()}:"
    script = os.path.abspath(import_module.__file__)
    argv = [sys.executable, "-P", script, token, module.module, module.attribute or "", *module.asked]
    result = capture(argv, context, module.limit or _LIMIT)
    _, found, answer = result.output.rpartition(f"\n{token}")
    if not found:
        return {"event": "failed", "module": module.module, **_ended(result)}
    event: dict[str, Any] = json.loads(answer.splitlines()[0])
    return event


def _ended(result: Result) -> dict[str, Any]:
    """Why there is no answer."""
    facts = {"at": "", "traceback": result.output[-8000:]}
    if result.timed_out:
        return {"reason": "hang", "message": result.output[-2000:], **facts}
    if result.problem:
        return {"reason": "exception", "type": "OSError", "message": result.problem, **facts}
    if result.code < 0:
        return {"reason": "crash", "message": f"its import crashed the process: it {result.ended}", **facts}
    return {"reason": "exit", "message": f"the process that imports it {result.ended}", **facts}
