"""Files that root reads for a user: never one that the user could not read, unless nobody but root can have put it there."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

from orchestrator.system.accounts import other_than

if TYPE_CHECKING:
    from orchestrator.core.context import User

LIMIT = 64 << 20
MOST_LINKS = 40
_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC


def read_for(path: str, user: User, limit: int = LIMIT) -> bytes:
    """The content, at most `limit` bytes of it. Raises OSError.

    Where root follows a link of the user's, it would read its own secrets, and hand them over.
    """
    if not other_than(user) or roots_own(path):
        return _read(path, limit)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        _read_as(user, path, limit, writer)
    os.close(writer)
    with open(reader, "rb") as file:
        content = file.read()
    number = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if number:
        raise OSError(abs(number), os.strerror(abs(number)), path)
    return content


def _read_as(user: User, path: str, limit: int, writer: int) -> None:
    """In the child, which makes system calls alone and never returns."""
    number = errno.EIO
    try:
        os.setgroups(list(user.groups))
        os.setresgid(user.gid, user.gid, user.gid)
        os.setresuid(user.uid, user.uid, user.uid)
        content = _read(path, limit)
        while content:
            content = content[os.write(writer, content) :]
        number = 0
    except OSError as error:
        number = error.errno or errno.EIO
    finally:
        os._exit(number)


def _read(path: str, limit: int) -> bytes:
    descriptor = os.open(path, _FLAGS)
    try:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        chunks, left = [], limit
        while left and (chunk := os.read(descriptor, min(left, 1 << 20))):
            chunks.append(chunk)
            left -= len(chunk)
        return b"".join(chunks)
    finally:
        os.close(descriptor)


def roots_own(path: str) -> bool:
    """Whether root alone can have put this plain file there: every directory on the way, through links too, is its own.

    One on a read-only mount is as good: so are the secrets that Kubernetes mounts.
    """
    here, left, links = "/", [each for each in os.path.abspath(path).split("/") if each], 0
    try:
        while left:
            if not _is_roots(here):
                return False
            name = left.pop(0)
            if name == "..":
                here = os.path.dirname(here)
                continue
            inner = os.path.join(here, name)
            status = os.lstat(inner)
            if not stat.S_ISLNK(status.st_mode):
                here = inner
                continue
            links += 1
            target = os.readlink(inner)
            here = "/" if target.startswith("/") else here
            left = [each for each in target.split("/") if each not in ("", ".")] + left
            if links > MOST_LINKS:
                return False
        status = os.lstat(here)
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and status.st_nlink == 1


def _is_roots(directory: str) -> bool:
    status = os.stat(directory)
    if status.st_uid == 0 and not status.st_mode & 0o022:
        return True
    return bool(os.statvfs(directory).f_flag & os.ST_RDONLY)
