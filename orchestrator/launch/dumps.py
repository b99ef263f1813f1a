"""Stack dumps of a Python server, on stderr: at SIGQUIT, of which it then ends, and when it hangs.

Run as a script it is what stands between the interpreter and a server that is executed: `dumps.py -m gunicorn …` or
`dumps.py SCRIPT …`. It then stands alone: that server may live in an environment without this package.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import sys

DUMP = int(signal.SIGRTMAX) - 1
QUIT = 3
SS_DISABLE = 2


def offer(stop_signal: int) -> None:
    """Written by a handler in C, so that a blocked loop, a lock or a long call does not keep it from speaking."""
    for number in (DUMP, QUIT):
        faulthandler.unregister(number)  # it may stand there from before a fork, with nothing behind it
    faulthandler.register(DUMP, all_threads=True)
    if stop_signal != QUIT:
        faulthandler.register(QUIT, all_threads=True, chain=True)
    _keep_the_stack()


def offer_when_asked() -> None:
    """For a server that has its own SIGQUIT; its forked workers inherit this, for it is a handler in C."""
    faulthandler.register(DUMP, all_threads=True)
    _keep_the_stack()


def _keep_the_stack() -> None:
    """Every handler of Python's runs on the stack that faulthandler has brought, and that is small.

    A few signals at the same moment are more than it holds: the process would die of SIGSEGV.
    """
    if faulthandler.is_enabled():
        return
    try:
        import ctypes
    except ImportError:
        return

    class Stack(ctypes.Structure):
        _fields_ = (("start", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t))

    ctypes.CDLL(None).sigaltstack(ctypes.byref(Stack(None, SS_DISABLE, 0)), None)


def main(words: list[str]) -> None:
    """Runs a module or a script as the interpreter would have: same arguments, path and `__main__`."""
    folder = sys.path[:1] if not sys.flags.safe_path else []
    del sys.path[: len(folder)]  # ours: nothing of the user's may be shadowed
    import pkgutil
    import runpy

    if words[0] == "-m":
        sys.path[:0] = [os.getcwd() for _ in folder]
        sys.argv[:] = words[1:]
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
        return
    sys.argv[:] = words
    if pkgutil.get_importer(words[0]) is None:
        sys.path[:0] = [os.path.dirname(os.path.realpath(words[0])) for _ in folder]
        runpy.run_path(words[0], run_name="__main__")
    else:  # a folder or an archive, which comes first by itself
        runpy.run_path(os.path.abspath(words[0]), run_name="__main__")


if __name__ == "__main__":
    offer_when_asked()
    main(sys.argv[1:])
