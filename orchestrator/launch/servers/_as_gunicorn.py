"""What stands in for `python -m gunicorn`: the same program, in which a worker shows where it hangs before it is killed."""

from __future__ import annotations

import os
import signal
import sys
from importlib import import_module
from typing import Any

if __name__ == "__main__":
    if not sys.flags.safe_path:
        sys.path[0] = os.getcwd()  # not our own folder: a server has the name of its file there
    # Found without the installation, too; behind everything else, so that nothing of the user's is shadowed.
    sys.path.append(os.path.abspath(os.path.join(os.path.dirname(__file__), *[os.pardir] * 3)))

from orchestrator.launch import dumps
from orchestrator.launch.dumping import ask


def ask_before_a_kill(arbiter: type[Any]) -> None:
    """It aborts, then kills who does not answer in time or does not end: both are too late for a word."""
    kill_worker = arbiter.kill_worker

    def asked(self: Any, pid: int, number: int) -> Any:
        if number in (signal.SIGABRT, signal.SIGKILL):
            ask(pid)
        return kill_worker(self, pid, number)

    arbiter.kill_worker = asked


if __name__ == "__main__":
    dumps.offer_when_asked()

    ask_before_a_kill(import_module("gunicorn.arbiter").Arbiter)
    dumps.main(["-m", "gunicorn", *sys.argv[1:]])
