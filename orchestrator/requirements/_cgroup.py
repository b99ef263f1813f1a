"""The limits of the container: memory and CPU, of cgroup v1 and v2.

`root` is another place for `/`, for trees that were recorded elsewhere.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from orchestrator.requirements._mounts import mounts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.requirements._mounts import Mount

_UNLIMITED = 1 << 60
"""cgroup v1 writes a number near 2**63 for no limit."""


def memory_limit(root: str = "/") -> int | None:
    """Bytes that this process and its siblings may use; None without a limit."""
    limits = [_bytes(text) for text in _values(root, "memory", "memory.max", "memory.limit_in_bytes")]
    return min((each for each in limits if each is not None), default=None)


def cpu_quota(root: str = "/") -> float | None:
    """CPUs that may be used, such as 1.5; None without a quota."""
    quotas = [
        _quota(text) for text in _values(root, "cpu", "cpu.max", "cpu.cfs_quota_us", "cpu.cfs_period_us")
    ]
    return min((each for each in quotas if each is not None), default=None)


def cpus(root: str = "/") -> tuple[float, float | None]:
    """CPUs that this process may use: the smaller of quota and affinity; and the quota, None without one."""
    quota, own = cpu_quota(root), float(len(os.sched_getaffinity(0)))
    return (own if quota is None else min(quota, own)), quota


def version(root: str = "/") -> int:
    """Which cgroup version limits memory here: 1, 2, or 0 for none."""
    found = _controller(root, "memory")
    return 0 if found is None else found[0]


def _bytes(text: str) -> int | None:
    if not text.isdigit() or int(text) >= _UNLIMITED:
        return None
    return int(text)


def _quota(text: str) -> float | None:
    quota, _, period = text.partition(" ")
    if not quota.isdigit() or not period.isdigit() or int(period) == 0 or int(quota) == 0:
        return None
    return int(quota) / int(period)


def _values(root: str, controller: str, v2: str, *v1: str) -> Iterator[str]:
    """The setting in the group and in every group above it: the least of them holds."""
    found = _controller(root, controller)
    if found is None:
        return
    version, mount, path = found
    names = (v2,) if version == 2 else v1
    for directory in _upwards(root, mount, path):
        texts = [_text(os.path.join(directory, name)) for name in names]
        if all(texts):
            yield " ".join(texts)


def _controller(root: str, controller: str) -> tuple[int, Mount, str] | None:
    """The version, the mount and the path of the group that has the controller."""
    groups = _groups(root)
    mounted = mounts(root)
    if controller in groups:
        for mount in mounted:
            if mount.kind == "cgroup" and controller in mount.super_options:
                return 1, mount, groups[controller]
    for mount in mounted:
        if mount.kind == "cgroup2" and "" in groups:
            return 2, mount, groups[""]
    return None


def _groups(root: str) -> dict[str, str]:
    """Controller → path; the path of v2 stands under the empty name."""
    groups: dict[str, str] = {}
    for line in _text(os.path.join(root, "proc/self/cgroup")).splitlines():
        parts = line.split(":", 2)
        if len(parts) == 3:
            groups.update(dict.fromkeys(parts[1].split(","), parts[2]))
    return groups


def _upwards(root: str, mount: Mount, path: str) -> Iterator[str]:
    """The directories of the group and of those above it, as far as they are mounted here."""
    top = os.path.join(root, mount.point.lstrip("/"))
    own = mount.root.rstrip("/")
    below = path[len(own) :] if path == own or path.startswith(own + "/") else ""
    if ".." in below.split("/"):  # the group is outside of what this namespace sees
        below = ""
    parts = [each for each in below.split("/") if each]
    for count in range(len(parts), -1, -1):
        yield os.path.join(top, *parts[:count])


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().strip()
    except OSError:
        return ""
