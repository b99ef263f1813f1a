"""What a process is born with, and how it gets rid of it: session, signal mask, ignored signals, descriptors.

Builtins alone: the supervisor, too, starts children.
"""

from __future__ import annotations

import os
import sys

from orchestrator.system import signals

OWN = 3
"""The first descriptor that is none of the standard streams."""


def shed() -> None:
    """At the start of an engine: whatever its parent ignored, or left open, is no business of what it starts.

    Descriptors stay open here, for a spec may be read from one; no program that is run gets them.
    """
    signals.reset()
    for name in os.listdir("/proc/self/fd"):
        if int(name) >= OWN:
            try:
                os.set_inheritable(int(name), False)
            except OSError:
                continue  # the one that listed them


def begin_child() -> None:
    """The first thing in every forked child: default handlers, an empty mask, and a session of its own.

    Without a session of its own it shares the terminal of whoever started the engine, and could type into it.
    """
    signals.reset()
    signals.release()
    try:
        os.setsid()
    except PermissionError:
        return  # it leads a group: it was started with a session of its own


def trust_no_path() -> list[str]:
    """As root: takes out of `sys.path` what others can write, but for where this package is; gives the path as it was."""
    before = list(sys.path)
    here = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    sys.path[:] = [each for each in before if each == here or _roots_alone(each)]
    return before


def _roots_alone(path: str) -> bool:
    try:
        found = os.stat(path or ".")
    except OSError:
        return True  # nothing is there to be imported
    return found.st_uid == 0 and not found.st_mode & 0o022
