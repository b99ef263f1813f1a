"""Walks to a directory component by component, and makes it or changes its owner and mode, through descriptors.

As root no symlink is followed: whoever can write above a path could otherwise hand files of root's to himself.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, NamedTuple

from orchestrator.system import accounts

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOOK = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC


class Owner(NamedTuple):
    """Who something shall belong to; None leaves it as it is."""

    uid: int | None = None
    gid: int | None = None

    def differs(self, status: os.stat_result) -> bool:
        return self.uid not in (None, status.st_uid) or self.gid not in (None, status.st_gid)

    @classmethod
    def named(cls, owner: str | int | None, group: str | int | None) -> Owner:
        """By names or numbers, as a spec has them; raises NoSuchUser."""
        uid = accounts.uid_of(owner) if owner is not None else None
        return cls(uid, accounts.gid_of(group) if group is not None else None)

    def __str__(self) -> str:
        """`10001:10001`, as chown takes it; what is left alone is left out."""
        uid = "" if self.uid is None else str(self.uid)
        return uid if self.gid is None else f"{uid}:{self.gid}"

    @property
    def numbers(self) -> tuple[int, int]:
        """As chown takes them."""
        return -1 if self.uid is None else self.uid, -1 if self.gid is None else self.gid


class SymlinkError(OSError):
    """A component of a path is a symlink, and root follows none."""

    def __init__(self, path: str, target: str) -> None:
        super().__init__(errno.ELOOP, f"{path} is a symlink to {target}")
        self.path = path
        self.target = target


def guarded() -> bool:
    """Whether symlinks are refused: only root can be made to damage what belongs to others."""
    return os.geteuid() == 0


def reach(path: str, *, create: bool = False, owner: Owner | None = None) -> tuple[int, list[str]]:
    """A descriptor of a directory, and what was made on the way. Raises OSError, whose filename is the culprit."""
    made: list[str] = []
    here = os.open("/", _LOOK)
    walked = ""
    try:
        for part in (each for each in path.split("/") if each):
            walked = f"{walked}/{part}"
            inner = _enter(here, part, walked, made, owner if create else None)
            os.close(here)
            here = inner
    except BaseException:
        os.close(here)
        raise
    return here, made


def _enter(here: int, part: str, path: str, made: list[str], owner: Owner | None) -> int:
    try:
        return _open(here, part, path)
    except FileNotFoundError:
        if owner is None:
            raise
    try:
        os.mkdir(part, dir_fd=here)
    except FileExistsError:
        return _open(here, part, path)  # another start was faster
    except OSError as error:
        error.filename = path
        raise
    made.append(path)
    inner = _open(here, part, path)
    try:
        if guarded():
            give(inner, owner)
    except BaseException:
        os.close(inner)
        raise
    return inner


def _open(here: int, part: str, path: str) -> int:
    try:
        return os.open(part, _LOOK | (os.O_NOFOLLOW if guarded() else 0), dir_fd=here)
    except OSError as error:
        if guarded() and error.errno in (errno.ENOTDIR, errno.ELOOP):
            target = link_target(part, here)
            if target is not None:
                raise SymlinkError(path, target) from None
        error.filename = path
        raise


def link_target(name: str, directory: int | None = None) -> str | None:
    """Where a symlink leads; None when it is none."""
    try:
        return os.readlink(name, dir_fd=directory)
    except OSError:
        return None


def refuse_link(name: str, path: str, directory: int) -> None:
    """As root a symlink is not written through; raises SymlinkError."""
    target = link_target(name, directory) if guarded() else None
    if target is not None:
        raise SymlinkError(path, target)


def give(directory: int, owner: Owner, mode: int | None = None) -> None:
    """Owner and mode of the directory behind a descriptor that was opened only to look."""
    # A descriptor of O_PATH cannot be changed itself; opened anew through itself it is the same directory.
    inner = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=directory)
    try:
        if owner.differs(os.fstat(inner)):
            os.fchown(inner, *owner.numbers)
        if mode is not None:
            os.fchmod(inner, mode)
    finally:
        os.close(inner)


def give_all(directory: int, owner: Owner) -> tuple[int, list[str]]:
    """The owner of everything below, where it differs: how much was changed, and what could not be.

    A hard-linked file may be another file's name outside of the tree, and is left alone.
    """
    changed, kept = 0, []
    for name, parent in _below(directory):
        try:
            changed += _give_entry(name, parent, owner)
        except FileNotFoundError:
            continue  # gone meanwhile
        except OSError as error:
            if error.errno != errno.EROFS:  # a read-only mount inside the tree is as it was meant
                kept.append(f"{name}: {error.strerror}")
    return changed, kept


def _below(directory: int) -> Iterator[tuple[str, int]]:
    for _, directories, files, parent in os.fwalk(".", dir_fd=directory, follow_symlinks=False):
        for name in (*directories, *files):
            yield name, parent


def _give_entry(name: str, parent: int, owner: Owner) -> bool:
    status = os.stat(name, dir_fd=parent, follow_symlinks=False)
    if not owner.differs(status) or (not stat.S_ISDIR(status.st_mode) and status.st_nlink > 1):
        return False
    if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
        os.chown(name, *owner.numbers, dir_fd=parent, follow_symlinks=False)
        return True
    # Looked at again through a descriptor: between a look and a change by name it could be swapped.
    inner = os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    try:
        status = os.fstat(inner)
        if stat.S_ISREG(status.st_mode) and status.st_nlink > 1:
            return False
        os.fchown(inner, *owner.numbers)
    finally:
        os.close(inner)
    return True
