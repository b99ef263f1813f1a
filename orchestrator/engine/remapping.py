"""Gives a user of the image other numbers, as PUID and PGID ask: /etc/group and /etc/passwd, one after the other, atomically.

Knows nothing of specs. As with `usermod -o`, a number may be another user's already.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from orchestrator.requirements._places import Owner, give, reach
from orchestrator.requirements._writing import write

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.core.context import User

ETC = "/etc"
PATIENCE = 5.0
"""Seconds that another program may hold the lock of the accounts."""


def remap(user: User, etc: str = ETC) -> None:
    """Makes the accounts say what the user is to be; raises OSError where they cannot be changed."""
    with _locked(etc):
        passwd, group = _lines(f"{etc}/passwd"), _lines(f"{etc}/group")
        entry = next((line for line in passwd if line[0] == user.name.encode()), None)
        if entry is None:
            raise FileNotFoundError(errno.ENOENT, f"it has no line for {user.name}", f"{etc}/passwd")
        # The group first: whoever looks in between sees the old numbers of the user, and a group that has moved.
        if _move_group(group, user, entry[3]):
            _replace(etc, "group", group)
        wanted = [str(user.uid).encode(), str(user.gid).encode()]
        if entry[2:4] != wanted:
            entry[2:4] = wanted
            _replace(etc, "passwd", passwd)


def _move_group(group: list[list[bytes]], user: User, old: bytes) -> bool:
    """The user's own group takes the number along, unless the number has a group already."""
    wanted = str(user.gid).encode()
    if any(line[2:3] == [wanted] for line in group):
        return False
    for line in group:
        if line[0] == user.name.encode() and line[2:3] == [old]:
            line[2] = wanted
            return True
    return False


def give_home(user: User, before: int) -> None:
    """The home itself, where it was the user's under the old number; what is in it is for `directories` to say."""
    try:
        directory, _ = reach(os.path.normpath(user.home))
    except FileNotFoundError:
        return
    try:
        if os.fstat(directory).st_uid == before:
            give(directory, Owner(user.uid, user.gid))
    finally:
        os.close(directory)


@contextmanager
def _locked(etc: str) -> Iterator[None]:
    """The lock of `usermod` and its kin."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    lock = os.open(f"{etc}/.pwd.lock", flags, 0o600)
    try:
        end = time.monotonic() + PATIENCE
        while not _taken(lock):
            if time.monotonic() > end:
                raise BlockingIOError(
                    errno.EAGAIN, f"another program has locked it for {PATIENCE:g} s", f"{etc}/.pwd.lock"
                )
            time.sleep(0.02)
        yield
    finally:
        os.close(lock)


def _taken(lock: int) -> bool:
    try:
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EAGAIN):
            raise
        return False
    return True


def _lines(path: str) -> list[list[bytes]]:
    with open(path, "rb") as file:
        return [line.split(b":") for line in file.read().split(b"\n")]


def _replace(etc: str, name: str, lines: list[list[bytes]]) -> None:
    path = f"{etc}/{name}"
    found = os.lstat(path)
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "it is not a plain file", path)
    directory = os.open(etc, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        content = b"\n".join(b":".join(line) for line in lines)
        write(
            directory,
            name,
            content,
            Owner(found.st_uid, found.st_gid),
            stat.S_IMODE(found.st_mode),
            replace=True,
        )
    finally:
        os.close(directory)
