"""How a forked process lets go of what it inherited, and how it ends; knows nothing of what it did in between."""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import threading
from typing import NoReturn


def close_all_but(kept: set[int]) -> None:
    for name in os.listdir("/proc/self/fd"):
        if int(name) not in kept:
            with contextlib.suppress(OSError):  # the one that listed them
                os.close(int(name))


def leave(code: int) -> NoReturn:
    """As the interpreter leaves, without unwinding the frames of the process it was forked from."""
    try:
        threading._shutdown()  # type: ignore[attr-defined] # noqa: SLF001 -- waits for the app's threads
        atexit._run_exitfuncs()  # noqa: SLF001
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)
