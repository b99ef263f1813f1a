"""Whether the kernel has killed something in this container for want of memory: it says so by counting, and no other way.

Builtins alone. Sources: the kernel's documentation of cgroup v2 (`memory.events`) and v1 (`memory.oom_control`).
"""

from __future__ import annotations

FILES = ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control")
KILL = 9


def kills() -> int:
    """How often so far; 0 where nobody counts."""
    for path in FILES:
        try:
            with open(path, encoding="ascii") as file:
                counts = [line.split() for line in file]
        except OSError:
            continue
        for words in counts:
            if len(words) == 2 and words[0] == "oom_kill":
                return int(words[1])
    return 0


class Kills:
    """Remembers the count, to tell a kill that it explains from one that somebody has sent."""

    def __init__(self) -> None:
        self.seen = kills()

    def why(self, code: int) -> str:
        """For a process that ended with `code` (negative: a signal): what to say of it, or nothing."""
        if code != -KILL:
            return ""
        before, self.seen = self.seen, kills()
        return ": the kernel killed it, the container's memory is used up" if self.seen > before else ""
