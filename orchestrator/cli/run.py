"""Check, wait, run the steps, launch, and keep the service well: the container's command."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("role", nargs="?", default="", metavar="ROLE", help="which of the spec's roles")
    parser.usage = "orchestrator run [options] [ROLE] [-- ARG ...]"
    parser.epilog = "Words behind `--` are arguments of the command that the role launches."


def run(options: argparse.Namespace) -> int:
    """Light on purpose: the framework is imported by another process while this one imports the engine."""
    from orchestrator.launch import preimport, reexec
    from orchestrator.system import inherited, signals
    from orchestrator.system.signals import Notes

    orders = reexec.taken()
    if orders is None:
        inherited.shed()
    # As early as can be: a PID 1 without handlers ignores TERM, and a request to stop may come at any time.
    notes = Notes()
    notes.install()
    # What was held back arrives now: by who started this process, or while the supervisor became it.
    signals.release()
    preloaded, path = None, None
    if (
        os.geteuid() == 0
    ):  # it imports nothing ahead, and nothing of others, before it is known who the service is
        path = inherited.trust_no_path()
    elif orders is None:
        preloaded = preimport.begin(options.file or ["startup.yaml"])
    if orders is not None:
        notes.recall(signals.arrived(orders["noted"], orders["wakeup"]) if "wakeup" in orders else [])
    from orchestrator.cli import _main_job

    return _main_job.run(options, notes, preloaded, orders, path)
