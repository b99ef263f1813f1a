"""Messages for what the operating system refused, and the exact line that fixes it."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from orchestrator.core.outcome import failed
from orchestrator.requirements._mounts import mount_of
from orchestrator.requirements._places import SymlinkError
from orchestrator.system import accounts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.core.context import User
    from orchestrator.core.outcome import Outcome
    from orchestrator.requirements._places import Owner


def install_line(path: str, user: User, mode: int | None = None) -> str:
    """The line of a Dockerfile that makes a directory for a user."""
    written = f"-m {mode:04o} " if mode is not None else ""
    return f"RUN install -d {written}-o {user.uid} -g {user.gid} {path}, before USER in the Dockerfile"


def volume(path: str) -> str:
    """The mount point that a path is on; empty when that is the root of everything."""
    mount = mount_of(path)
    return mount.point if mount is not None and mount.point != "/" else ""


def for_user(path: str, user: User, mode: int | None = None) -> str:
    """What lets a user write to a directory: on a volume the host decides, else the image."""
    point = volume(path)
    if not point:
        return install_line(path, user, mode)
    inside = _nearest(path)
    what = "its source" if inside == point else f"{inside} at its source"
    return (
        f"{point} is a mount: chown {user.uid}:{user.gid} {what} on the host, in Kubernetes set fsGroup: {user.gid}, "
        "or start as root with `user`"
    )


def run_line(command: str, path: str) -> str:
    """Where a command is run that fixes a path: at the source of its mount, else in the image."""
    point = volume(path)
    if point:
        return f"{command} at the source of the mount {point}, on the host"
    return f"RUN {command}, before USER in the Dockerfile"


def wrong_rights(
    path: str, status: os.stat_result, owner: Owner, mode: int | None, code: str
) -> Iterator[Outcome]:
    """The outcomes of an owner and a mode that are not as they must be."""
    if owner.differs(status):
        found = f"{status.st_uid}:{status.st_gid}"
        summary = f"{path} belongs to {found}, expected {owner}"
        yield failed(code, "owner", summary, run_line(f"chown {owner} {path}", path), found=found)
    if mode is not None and mode != status.st_mode & 0o7777:
        found = accounts.octal(status.st_mode)
        summary = f"{path} has mode {found}, expected {mode:04o}"
        yield failed(code, "mode", summary, run_line(f"chmod {mode:04o} {path}", path), found=found)


def readable_by(path: str, user: User) -> str:
    """What lets a user read a file."""
    closed = accounts.closed_to(path, user)
    if closed:
        return run_line(f"chmod a+x {closed}", closed)
    point = volume(path)
    if not point:
        return (
            f"COPY --chown={user.uid}:{user.gid} in the Dockerfile, or {run_line(f'chmod a+r {path}', path)}"
        )
    return (
        f"{run_line(f'chown {user.uid} {path}', path)}, or chmod a+r there; "
        f"in Kubernetes fsGroup: {user.gid} and defaultMode: 0440"
    )


def refusal(error: OSError, path: str, user: User, doing: str, code: str) -> Outcome:
    """The outcome of a system call that was refused. `doing` is what failed, such as `cannot create`."""
    where = str(error.filename or path)
    if isinstance(error, SymlinkError):
        # Relative targets are from where the link stands.
        target = os.path.normpath(os.path.join(os.path.dirname(error.path), error.target))
        rest = path[len(error.path) :]
        return failed(
            code,
            "symlink",
            f"{doing} {path}: {error.path} is a symlink to {error.target}, and root follows none",
            f"write the target itself: {target}{rest}",
            final=True,
            target=target,
        )
    number = error.errno or errno.EIO
    words = _WORDS.get(number)
    if words is None:
        return failed(
            code, "refused-by-system", f"{doing} {path}: {where}: {os.strerror(number)}", f"ls -ld {where}"
        )
    reason, special, summary = words
    hint = _hint(number, path, where, user)
    return failed(
        special or code,
        reason,
        f"{doing} {path}: {summary.format(where=where)}{_owner(number, where, user)}",
        hint,
    )


_WORDS = {
    errno.EACCES: ("permission", "", "permission denied at {where}"),
    errno.EPERM: ("permission", "", "not permitted at {where}"),
    errno.EROFS: ("read-only", "", "{where} is on a read-only file system"),
    errno.ENOSPC: ("space", "ORC434", "no space left on the file system of {where}"),
    errno.EDQUOT: ("space", "ORC434", "the disk quota is used up at {where}"),
    errno.ENOTDIR: ("not-a-directory", "ORC435", "{where} is a file, not a directory"),
    errno.ENAMETOOLONG: ("name", "", "the name is too long"),
    errno.ELOOP: ("symlink", "", "too many symlinks at {where}"),
}


def _owner(number: int, where: str, user: User) -> str:
    """Who owns what is in the way: the directory itself, or the nearest that exists."""
    if number not in (errno.EACCES, errno.EPERM):
        return ""
    closed = accounts.closed_to(where, user)
    place = closed or _nearest(where)
    try:
        return f" for uid {user.uid}: {place} belongs to {accounts.owned(os.stat(place))}"
    except OSError:
        return f" for uid {user.uid}"


def _nearest(path: str) -> str:
    """The path, or what exists above it."""
    while not os.path.exists(path) and path != "/":
        path = os.path.dirname(path)
    return path


def _hint(number: int, path: str, where: str, user: User) -> str:
    if number == errno.EROFS:
        return f"mount something writable there: a volume, or --tmpfs {path} (Compose: tmpfs: [{path}])"
    if number in (errno.ENOSPC, errno.EDQUOT):
        return f"df -h {_nearest(where)}; make room, or enlarge the volume"
    if number == errno.ENOTDIR:
        return f"move {where} away, or choose another path"
    if number in (errno.EACCES, errno.EPERM):
        return _let_in(path, where, user)
    return "choose another path"


def _let_in(path: str, where: str, user: User) -> str:
    """What gives a user a directory: entered on the way, and his own at its end."""
    closed = accounts.closed_to(where, user)
    if not closed or volume(path):
        return for_user(path, user)
    made = install_line(path, user).removeprefix("RUN ")
    return f"RUN chmod a+x {closed} && {made}"
