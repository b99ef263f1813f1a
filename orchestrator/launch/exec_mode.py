"""`mode: exec`: the server in the engine's place, under its pid, with nothing left over."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NoReturn

from orchestrator.launch import spawn
from orchestrator.launch.app_process import become_command

if TYPE_CHECKING:
    import socket

    from orchestrator.launch.plan import LaunchPlan


def exec_server(plan: LaunchPlan, listener: socket.socket | None) -> NoReturn:
    """Replaces this process by the server, which imports and serves at once, or by the command.

    Raises OSError when the user, the directory or the command is not to be had; this may be the server's user by
    then, who can only end. Given up: restarts, the watch, the drain, maintenance, the state after the start, and
    the reaping of orphans.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    if plan.command:
        spawn.assume(plan.data())
        os.environ.clear()
        os.environ.update(plan.environ)
        become_command(plan.command)
    descriptor = listener.fileno() if listener is not None else -1
    spawn.execute(plan.data(), descriptor, control=-1, reports=-1, at_once=True)
