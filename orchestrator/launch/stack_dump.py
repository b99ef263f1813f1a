"""Stack dumps of a Python server, on stderr: at SIGQUIT, of which it then ends, and when it hangs.

Run as a script it is what stands between the interpreter and a server that is executed: `dumps.py -m gunicorn …` or
`dumps.py SCRIPT …`. It then stands alone: that server may live in an environment without this package.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

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
    """Runs a module or a script as the interpreter would have: same arguments, path, `__main__` and complaints."""
    folder = sys.path[:1] if not sys.flags.safe_path else []
    del sys.path[: len(folder)]  # ours: nothing of the user's may be shadowed
    fresh = sys.modules["__main__"] = type(sys)("__main__")
    fresh.__builtins__ = __builtins__  # type: ignore[attr-defined]
    try:
        _run_module(words, folder) if words[0] == "-m" else _run_script(words, folder)
    except Exception as error:  # as if nobody stood in between
        error.__traceback__ = _theirs(error)
        sys.excepthook(type(error), error, error.__traceback__)
        sys.exit(1)


def _run_module(words: list[str], folder: list[str]) -> None:
    import runpy

    sys.path[:0] = [os.getcwd() for _ in folder]
    sys.argv[:] = words[1:]
    # What `-m` itself calls: it is no public name, but it alone complains as `-m` does.
    as_main = getattr(runpy, "_run_module_as_main", None)
    if as_main is not None:
        as_main(words[1])
    else:
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)


def _run_script(words: list[str], folder: list[str]) -> None:
    import pkgutil
    import runpy

    script = os.path.abspath(words[0])
    sys.argv[:] = words
    if pkgutil.get_importer(script) is not None or script.endswith(".pyc"):
        runpy.run_path(script, run_name="__main__")  # a folder or an archive comes first by itself
        return
    sys.path[:0] = [os.path.dirname(os.path.realpath(script)) for _ in folder]
    _execute(script)


def _execute(script: str) -> None:
    from importlib.machinery import SourceFileLoader
    from io import open_code

    with open_code(script) as file:
        source = file.read()
    space = vars(sys.modules["__main__"])
    space |= {"__file__": script, "__cached__": None, "__loader__": SourceFileLoader("__main__", script)}
    exec(compile(source, script, "exec", dont_inherit=True), space)  # noqa: S102 -- what it was started for


def _theirs(error: BaseException) -> TracebackType | None:
    """Where it happened, without the frames that stand in between."""
    where = error.__traceback__
    while where and where.tb_frame.f_code.co_filename == __file__:
        where = where.tb_next
    return where


if __name__ == "__main__":
    offer_when_asked()
    main(sys.argv[1:])
