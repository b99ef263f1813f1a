"""Stack dumps of a Python server, on stderr: at SIGQUIT, of which it then ends, and when it hangs."""

from __future__ import annotations

import faulthandler

from orchestrator.launch.signals import DUMP

QUIT = 3


def offer(stop_signal: int) -> None:
    """Written by a handler in C, so that a blocked loop, a lock or a long call does not keep it from speaking."""
    for number in (DUMP, QUIT):
        faulthandler.unregister(number)  # it may stand there from before a fork, with nothing behind it
    faulthandler.register(DUMP, all_threads=True)
    if stop_signal != QUIT:
        faulthandler.register(QUIT, all_threads=True, chain=True)
