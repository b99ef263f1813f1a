"""Writes a file so that nobody ever sees half of it, in a directory that is held by a descriptor."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator.requirements._places import Owner

_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)


def write(directory: int, name: str, content: bytes, owner: Owner, mode: int, *, replace: bool) -> bool:
    """Puts a whole file in place, with owner and mode from its first moment. False: it was there, and stays."""
    draft = f".{name[:200]}.{os.getpid()}.{os.urandom(4).hex()}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    file = os.open(draft, flags, 0o600, dir_fd=directory)
    try:
        _fill(file, content, owner, mode)
        return _place(directory, draft, name, replace=replace)
    finally:
        with suppress(FileNotFoundError):  # it has been renamed
            os.unlink(draft, dir_fd=directory)


def _fill(file: int, content: bytes, owner: Owner, mode: int) -> None:
    try:
        if owner.differs(os.fstat(file)):
            os.fchown(file, *owner.numbers)
        os.fchmod(file, mode)
        while content:
            content = content[os.write(file, content) :]
        os.fsync(file)
    finally:
        os.close(file)


def _place(directory: int, draft: str, name: str, *, replace: bool) -> bool:
    if replace:
        os.rename(draft, name, src_dir_fd=directory, dst_dir_fd=directory)
        return True
    try:
        # A link fails where the name is taken: of many starts at once, one wins and none overwrites.
        os.link(draft, name, src_dir_fd=directory, dst_dir_fd=directory, follow_symlinks=False)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        os.rename(draft, name, src_dir_fd=directory, dst_dir_fd=directory)
    return True
