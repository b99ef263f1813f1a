"""Users and groups by name and number, and what a user may do to a file. Knows nothing of requirements."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestrator.core.context import User

READ, WRITE, ENTER = 4, 2, 1
_BUG = 255


class NoSuchUser(LookupError):
    """A user or group name that the system does not know."""

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"there is no {kind} `{name}` in /etc/{'passwd' if kind == 'user' else 'group'}")
        self.kind = kind
        self.name = name
        self.hint = (
            f"owner and group are apart: {_apart(name)}"
            if ":" in name
            else f"RUN useradd --system {name} (adduser -S {name} on Alpine), or write the number"
            if kind == "user"
            else f"RUN groupadd --system {name} (addgroup -S {name} on Alpine), or write the number"
        )


def _apart(both: str) -> str:
    owner, _, group = both.partition(":")
    return f'`owner: "{owner}"` and `group: "{group}"`'


def uid_of(owner: str | int) -> int:
    """The number of a user; raises NoSuchUser."""
    if isinstance(owner, int) or owner.isdigit():
        return int(owner)
    import pwd

    try:
        return pwd.getpwnam(owner).pw_uid
    except KeyError:
        raise NoSuchUser("user", owner) from None


def gid_of(group: str | int) -> int:
    """The number of a group; raises NoSuchUser."""
    if isinstance(group, int) or group.isdigit():
        return int(group)
    import grp

    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        raise NoSuchUser("group", group) from None


def name_of(uid: int) -> str:
    """The name of a user; empty where passwd has none."""
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return ""


def said(uid: int) -> str:
    """`uid 10001 (app)`."""
    name = name_of(uid)
    return f"uid {uid} ({name})" if name else f"uid {uid}"


def owned(status: os.stat_result) -> str:
    """`0:0, mode 0755`: who owns it and who may do what."""
    return f"{status.st_uid}:{status.st_gid}, mode {octal(status.st_mode)}"


def octal(mode: int) -> str:
    return f"{stat.S_IMODE(mode):04o}"


def may(status: os.stat_result, user: User, wanted: int) -> bool:
    """Whether the mode lets the user read (4), write (2), enter (1). Access lists are not looked at."""
    if user.uid == 0:
        return True
    if status.st_uid == user.uid:
        return status.st_mode >> 6 & wanted == wanted
    if status.st_gid in {user.gid, *user.groups}:
        return status.st_mode >> 3 & wanted == wanted
    return status.st_mode & wanted == wanted


def replaceable(path: str, user: User) -> str:
    """What lets the user change or replace the file: itself, or a directory above it; empty where nothing does."""
    here = os.path.realpath(path)
    try:
        status = os.stat(here)
        if may(status, user, WRITE):
            return here
        while here != "/":
            here, below = os.path.dirname(here), status
            status = os.stat(here)
            kept = status.st_mode & stat.S_ISVTX and user.uid not in (status.st_uid, below.st_uid)
            if may(status, user, WRITE | ENTER) and not kept:
                return here
    except OSError:
        return ""
    return ""


def closed_to(path: str, user: User) -> str:
    """The first directory above the path that the user may not enter; empty when there is none."""
    parent = os.path.dirname(path)
    above = [parent]
    while (parent := os.path.dirname(parent)) != above[-1]:
        above.append(parent)
    for each in reversed(above):
        try:
            if not may(os.stat(each), user, ENTER):
                return each
        except OSError:
            return ""
    return ""


def other_than(user: User) -> bool:
    """Whether the engine is root and the user is somebody else."""
    return os.geteuid() == 0 and user.uid != 0


def as_user(user: User, action: Callable[[], None]) -> int:
    """Does something as the user: 0, or the number of the error. The action may do nothing but system calls.

    A child switches to the user and tries: only trying knows access lists, read-only mounts and quotas.
    """
    if not other_than(user):
        return _tried(action)
    child = os.fork()
    if child == 0:
        code = _BUG
        try:
            os.setgroups(list(user.groups))
            os.setresgid(user.gid, user.gid, user.gid)
            os.setresuid(user.uid, user.uid, user.uid)
            code = _tried(action)
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code != _BUG, "a child that tried something as another user has failed"
    return code if code >= 0 else errno.EIO


def _tried(action: Callable[[], None]) -> int:
    try:
        action()
    except OSError as error:
        return error.errno or errno.EIO
    return 0
