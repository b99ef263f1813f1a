"""Check, wait, run the steps, launch, and keep the service healthy: the container's command."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("role", nargs="?", default="", metavar="ROLE", help="one of the spec's roles")
    parser.usage = "orchestrator run [options] [ROLE] [-- ARG ...]"
    parser.epilog = "Words after `--` are arguments of the command that the role launches."


def run(options: argparse.Namespace) -> int:
    """Light on purpose: another process imports the framework while this one imports the engine."""
    from orchestrator.launch import preimport, reexec
    from orchestrator.system import inherited, signals
    from orchestrator.system.signals import Notes

    orders = reexec.taken()
    if orders is None:
        inherited.shed()
    # As early as possible: PID 1 without handlers ignores SIGTERM, which may come at any time.
    notes = Notes()
    notes.install()
    # Delivers the signals that were blocked by the parent process, or across the exec by the supervisor.
    signals.release()
    preloaded, path = None, None
    if os.geteuid() == 0:  # root imports nothing ahead, and nothing of others, before the user is known
        path = inherited.trust_no_path()
    elif orders is None:
        preloaded = preimport.begin(options.file or ["startup.yaml"])
    if orders is not None:
        notes.recall(signals.arrived(orders["noted"], orders["wakeup"]) if "wakeup" in orders else [])
    from orchestrator.cli import _main_job

    return _main_job.run(options, notes, preloaded, orders, path)
