"""Facts about the machine or container, one function each."""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING

from orchestrator.requirements import _cgroup
from orchestrator.system.accounts import other_than

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from orchestrator.core.context import User

CAPABILITIES = (
    "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
    "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER",
    "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE",
    "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP",
    "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF",
    "CHECKPOINT_RESTORE",
)  # fmt: skip
"""By their bits in the kernel's sets."""
_UTC = ("UTC", "UTC0", "Etc/UTC", "Etc/UCT", "UCT", "Zulu", "Etc/Zulu", "Universal", "Etc/Universal")
_ZONES = ("/usr/share/zoneinfo", "/usr/lib/zoneinfo", "/usr/share/lib/zoneinfo", "/etc/zoneinfo")


def memory(root: str = "/") -> tuple[int, str]:
    """Bytes that can be used, and what limits them."""
    total = _total(root)
    limit = _cgroup.memory_limit(root)
    if limit is not None and (not total or limit < total):
        return limit, f"the container's limit (cgroup v{_cgroup.version(root)})"
    return total, "the machine's memory"


def _total(root: str) -> int:
    with open(os.path.join(root, "proc/meminfo"), encoding="ascii") as file:
        found = re.search(r"^MemTotal:\s+(\d+) kB", file.read(), re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def cpus(root: str = "/") -> tuple[float, str]:
    """CPUs that can be used, and what limits them."""
    usable, quota = _cgroup.cpus(root)
    return usable, "the container's quota" if usable == quota else "the processors this process may use"


def open_files() -> tuple[int, int]:
    """How many files may be open, and how far that can be raised; -1 is no limit."""
    import resource

    return resource.getrlimit(resource.RLIMIT_NOFILE)


def timezone(environ: Mapping[str, str]) -> tuple[str, str]:
    """The time zone of the service, and what says so."""
    given = environ.get("TZ", "").removeprefix(":")
    if given:
        return given, "TZ"
    try:
        target = os.path.realpath("/etc/localtime", strict=True)
    except OSError:
        return "UTC", "the default"
    found = re.search(r"/zoneinfo/(?:posix/|right/)?(.+)\Z", target)
    if found is not None:
        return found[1], "/etc/localtime"
    return _first_line("/etc/timezone") or "unknown", "/etc/timezone"


def has_zone(name: str) -> bool:
    """Whether the system has the rules of a zone: without them every time is taken to be UTC, silently."""
    if name in (*_UTC, "GMT", "GMT0"):
        return True
    return any(os.path.isfile(os.path.join(place, name)) for place in _ZONES)


def same_zone(one: str, other: str) -> bool:
    """Whether two names are of the same zone; UTC has several."""
    return one == other or (one in _UTC and other in _UTC)


def capabilities(user: User) -> frozenset[str]:
    """What the service will be allowed to: switching from root to another user leaves the ambient ones."""
    field = "CapAmb" if other_than(user) else "CapEff"
    with open("/proc/self/status", encoding="ascii", errors="replace") as file:
        found = re.search(rf"^{field}:\s+([0-9a-f]+)", file.read(), re.MULTILINE)
    bits = int(found[1], 16) if found else 0
    return frozenset(name for bit, name in enumerate(CAPABILITIES) if bits >> bit & 1)


def root_is_read_only() -> bool:
    return bool(os.statvfs("/").f_flag & os.ST_RDONLY)


def not_compiled(path: list[str] | None = None) -> tuple[list[str], str]:
    """The packages whose byte code is missing, and the directory they are in: one look at each."""
    for place in sys.path if path is None else path:
        if os.path.basename(place) in ("site-packages", "dist-packages") and os.path.isdir(place):
            names = sorted(_raw(place))
            if names:
                return names, place
    return [], ""


def _raw(place: str) -> Iterator[str]:
    tag = sys.implementation.cache_tag
    with os.scandir(place) as entries:
        for entry in entries:
            if entry.name.endswith(".py") and entry.is_file():
                folder, stem = place, entry.name[:-3]
            elif os.path.isfile(os.path.join(entry.path, "__init__.py")):
                folder, stem = entry.path, "__init__"
            else:
                continue
            if not os.path.isfile(os.path.join(folder, "__pycache__", f"{stem}.{tag}.pyc")):
                yield entry.name


def _first_line(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.readline().strip()
    except OSError:
        return ""
