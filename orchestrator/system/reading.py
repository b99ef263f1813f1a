"""Files that root reads for a user: never one that the user could not read, unless nobody but root can have put it there."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

from orchestrator.system.accounts import other_than

if TYPE_CHECKING:
    import socket

    from orchestrator.core.context import User

LIMIT = 64 << 20
MOST_LINKS = 40
NOBODY = 65534
_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC


class Planted(PermissionError):
    """A file that somebody can replace who cannot read it: a link of theirs, perhaps, to what is root's alone."""

    def __init__(self, path: str, uid: int) -> None:
        super().__init__(errno.EACCES, f"uid {uid} can replace it, and cannot read it", path)
        self.uid = uid


def read_for(path: str, user: User | None, limit: int = LIMIT) -> bytes:
    """The content, at most `limit` bytes of it. Raises OSError; see `open_for`."""
    descriptor = open_for(path, user)
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


def open_for(path: str, user: User | None) -> int:
    """A descriptor to read from. None is a user who is not known yet: whoever can replace the file. Raises OSError.

    Where root follows a link of the user's, it would read its own secrets, and hand them over.
    """
    if user is not None:
        if not other_than(user) or roots_own(path):
            return os.open(path, _FLAGS)
        return _open_as(user.uid, user.gid, user.groups, path)
    suspect = _suspect(path) if os.geteuid() == 0 else None
    if suspect is None:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return _open_as(*suspect, (), path)
    except PermissionError:
        raise Planted(path, suspect[0]) from None


def _open_as(uid: int, gid: int, groups: tuple[int, ...], path: str) -> int:
    """A child becomes the user, opens the file and sends the descriptor: only trying knows access lists and NFS."""
    import socket

    here, there = socket.socketpair()
    with here, there:
        child = os.fork()
        if child == 0:
            _send_opened(uid, gid, groups, path, there)
        there.close()
        _, descriptors, _, _ = socket.recv_fds(here, 1, 1)
    number = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if number or not descriptors:
        number = abs(number) or errno.EIO
        raise OSError(number, os.strerror(number), path)
    os.set_inheritable(descriptors[0], False)
    return descriptors[0]


def _send_opened(uid: int, gid: int, groups: tuple[int, ...], path: str, to: socket.socket) -> None:
    """In the child, which makes system calls alone and never returns."""
    import socket

    number = errno.EIO
    try:
        os.setgroups(list(groups))
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
        socket.send_fds(to, [b"s"], [os.open(path, _FLAGS)])
        number = 0
    except OSError as error:
        number = error.errno or errno.EIO
    finally:
        os._exit(number)


def roots_own(path: str) -> bool:
    """Whether root alone can have put this plain file there: every directory on the way, through links too, is its own.

    One on a read-only mount is as good: so are the secrets that Kubernetes mounts.
    """
    passed, file = _way(path)
    if not file or any(_planter(*each) for each in passed):
        return False
    status = os.lstat(file)
    return stat.S_ISREG(status.st_mode) and status.st_nlink == 1


def _suspect(path: str) -> tuple[int, int] | None:
    """Uid and gid of whoever can replace the file, as the first directory tells that is not root's alone; None: nobody."""
    passed, _ = _way(path)
    return next((found for each in passed if (found := _planter(*each)) is not None), None)


def _way(path: str) -> tuple[list[tuple[str, os.stat_result]], str]:
    """The directories that are passed on the way, through links too, each with its entry; and the file, if it is there."""
    here, left, links = "/", [each for each in os.path.abspath(path).split("/") if each], 0
    passed: list[tuple[str, os.stat_result]] = []
    try:
        while left:
            name = left.pop(0)
            if name == "..":
                here = os.path.dirname(here)
                continue
            inner = os.path.join(here, name)
            status = os.lstat(inner)
            passed.append((here, status))
            if not stat.S_ISLNK(status.st_mode):
                here = inner
                continue
            links += 1
            target = os.readlink(inner)
            here = "/" if target.startswith("/") else here
            left = [each for each in target.split("/") if each not in ("", ".")] + left
            if links > MOST_LINKS:
                return passed, ""
    except OSError:
        return passed, ""
    return passed, here


def _planter(directory: str, entry: os.stat_result) -> tuple[int, int] | None:
    """Uid and gid of somebody who is not root and can have put this entry there; None: there is nobody."""
    status = os.stat(directory)
    writable = status.st_mode & 0o022
    if status.st_uid == 0 and (not writable or (status.st_mode & stat.S_ISVTX and entry.st_uid == 0)):
        return None  # below a sticky directory, what is root's stays where it is
    if os.statvfs(directory).f_flag & os.ST_RDONLY:
        return None
    found = status if status.st_uid or not status.st_mode & stat.S_ISVTX else entry
    return found.st_uid or NOBODY, found.st_gid or NOBODY
