"""A home for a user who has none: a directory that is his alone."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.core.context import User

HOMES = ("/tmp", "/dev/shm", "/var/tmp")
"""Where a home is made for a user who has none; `TMPDIR` comes before."""


def private_home(user: User, environ: Mapping[str, str]) -> str:
    """A directory that is the user's alone, made if need be; empty where none can be made."""
    for parent in (environ.get("TMPDIR", ""), *HOMES):
        path = f"{parent}/orchestrator-home-{user.uid}"
        if parent and _make_home(path, user):
            return path
    return ""


def _make_home(path: str, user: User) -> bool:
    """What lies there already is taken only from the user or the engine: anybody can make names in /tmp."""
    try:
        if not os.path.lexists(path):
            os.mkdir(path, 0o700)
        directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False  # the next place may do
    try:
        status = os.fstat(directory)
        if status.st_uid not in (user.uid, os.geteuid()):
            return False
        if (status.st_uid, status.st_gid) != (user.uid, user.gid) and os.geteuid() == 0:
            os.fchown(directory, user.uid, user.gid)
        if status.st_mode & 0o777 != 0o700:
            os.fchmod(directory, 0o700)
        return True
    except OSError:
        return False
    finally:
        os.close(directory)
