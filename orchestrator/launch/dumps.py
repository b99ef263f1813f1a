"""Stack dumps of a Python server, on stderr: at SIGQUIT, of which it then ends, and when it hangs."""

from __future__ import annotations

import faulthandler

from orchestrator.launch.signals import DUMP

QUIT = 3
SS_DISABLE = 2


def offer(stop_signal: int) -> None:
    """Written by a handler in C, so that a blocked loop, a lock or a long call does not keep it from speaking."""
    for number in (DUMP, QUIT):
        faulthandler.unregister(number)  # it may stand there from before a fork, with nothing behind it
    faulthandler.register(DUMP, all_threads=True)
    if stop_signal != QUIT:
        faulthandler.register(QUIT, all_threads=True, chain=True)
    if not faulthandler.is_enabled():
        _use_the_usual_stack()


def _use_the_usual_stack() -> None:
    """Every handler of Python's runs on the stack that faulthandler has brought, and that is small.

    A few signals at the same moment are more than it holds: the process would die of SIGSEGV.
    """
    try:
        import ctypes
    except ImportError:
        return

    class Stack(ctypes.Structure):
        _fields_ = (("start", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t))

    ctypes.CDLL(None).sigaltstack(ctypes.byref(Stack(None, SS_DISABLE, 0)), None)
