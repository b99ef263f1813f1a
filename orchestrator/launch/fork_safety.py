"""Whether a process may be forked after it has imported an app; knows nothing of apps and servers.

A library can run native threads that `threading` does not see, and a loop or a connection that two processes share
is broken for both. So the kernel is asked, not Python.
"""

from __future__ import annotations

import os
import sys

UNSAFE = {
    "grpc._cython.cygrpc": "gRPC",
    "jaxlib": "JAX",
    "ray": "Ray",
    "tensorflow": "TensorFlow",
}
"""Libraries that say themselves that they do not survive a fork, with or without threads by now."""
SHARED = ("socket:", "anon_inode:")
HARMLESS = ("anon_inode:[pidfd]",)


def descriptors() -> dict[int, str]:
    """Sockets, epoll and event descriptors of this process, by number, with what they are."""
    found = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{name}")
        except OSError:
            continue  # the one that listed them
        if target.startswith(SHARED) and target not in HARMLESS:
            found[int(name)] = target
    return found


def why_not(before: dict[int, str]) -> str:
    """Why this process cannot be forked safely, or nothing; `before` is what `descriptors` said before the import."""
    threads = len(os.listdir("/proc/self/task"))
    if threads > 1:
        more = "another thread runs" if threads == 2 else f"{threads - 1} more threads run"
        return f"{more} after the import, and a fork takes none of them along but all of their locks"
    new = sorted(set(descriptors().items()) - set(before.items()))
    if new:
        kinds = sorted({_kind(target) for _, target in new})
        return f"the import left {', '.join(kinds)} open, which workers cannot share"
    loaded = [name for module, name in UNSAFE.items() if module in sys.modules]
    return f"{loaded[0]} does not survive a fork" if loaded else ""


def _kind(target: str) -> str:
    word = target.partition(":")[0] if target.startswith("socket:") else target.partition(":")[2].strip("[]")
    return f"an {word}" if word[0] in "aeiou" else f"a {word}"
