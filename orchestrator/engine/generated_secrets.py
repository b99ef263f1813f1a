"""Secrets that are made at the first start and kept: under a lock, atomically, readable by their owner alone.

The file is the engine's: the service gets the secret in its environment. What is there is never changed.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
import stat
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from orchestrator.core.outcome import Outcome, failed, ok
from orchestrator.requirements._mounts import mount_of
from orchestrator.requirements._places import Owner, give, guarded, reach
from orchestrator.requirements._writing import write

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.core.context import Context, User
    from orchestrator.spec.variable_parts import Generate

LIMIT = 64 * 1024
PATIENCE = 10.0
"""Seconds that another start may take to make the secret."""
IN_MEMORY = frozenset({"tmpfs", "ramfs"})


class Unusable(Exception):
    """What lies at the store cannot be its secret: a reason, what is wrong, the remedy."""

    def __init__(self, reason: str, message: str, hint: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.hint = hint


def generate(wanted: Generate, context: Context) -> tuple[str | None, Outcome]:
    """The kept text, made now if there is none; None and the failure when it cannot be kept."""
    store = context.path(wanted.store)
    folder = os.path.dirname(store)
    lost = "" if wanted.ephemeral else why_not_kept(folder)
    if lost:
        return None, failed("ORC404", "not-kept", f"{wanted.store} {lost}",
                            f"mount a volume at {folder}, or say `ephemeral: true` where it need not last", final=True)  # fmt: skip
    try:
        return _kept_or_made(store, wanted.bytes)
    except Unusable as error:
        return None, failed("ORC404", error.reason, str(error), error.hint, final=True)
    except OSError as error:
        said = (error.strerror or str(error)).lower()
        where = (
            f" ({error.filename})"
            if isinstance(error.filename, str) and error.filename.startswith("/")
            else ""
        )
        return None, failed("ORC404", "unwritable", f"cannot keep the secret in {wanted.store}: {said}{where}",
                            f"make {folder} writable for uid {os.geteuid()}", final=True)  # fmt: skip


def give_store(store: str, user: User) -> None:
    """Gives what root has made here, now or in earlier starts, to the service's user: root does not come back."""
    folder, name = os.path.split(store)
    try:
        directory, _ = reach(folder)
    except OSError:
        return  # it was not made, and that was reported
    try:
        for each in (name, f"{name}.lock"):
            _give_file(directory, each, user)
    finally:
        os.close(directory)


def _give_file(directory: int, name: str, user: User) -> None:
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(name, flags, dir_fd=directory)
    except OSError:
        return  # none, or something that root does not touch
    try:
        status = os.fstat(descriptor)
        if stat.S_ISREG(status.st_mode) and status.st_nlink == 1 and status.st_uid == os.geteuid():
            os.fchown(descriptor, user.uid, user.gid)
    finally:
        os.close(descriptor)


def why_not_kept(folder: str) -> str:
    """Why a file there would not outlive the container; empty where it does."""
    mount = mount_of(os.path.realpath(folder))
    if mount is None or mount.point == "/":
        return "is on no mount: the secret would be lost with the container"
    if mount.kind in IN_MEMORY:
        return f"is on a {mount.kind}: the secret would be lost when the container stops"
    return ""


def _kept_or_made(store: str, size: int) -> tuple[str, Outcome]:
    folder, name = os.path.split(store)
    directory, made = reach(folder, create=True, owner=Owner())
    try:
        if folder in made:
            give(directory, Owner(), 0o700)
        # A file is there whole or not at all: who finds one needs no lock, nor the right to write.
        text = _read(directory, name, store)
        if text:
            return text, ok(f"kept in {store}")
        with _locked(directory, name):
            return _make(directory, name, store, size)
    finally:
        os.close(directory)


def _make(directory: int, name: str, store: str, size: int) -> tuple[str, Outcome]:
    text = _read(directory, name, store)
    if text:
        return text, ok(f"kept in {store}")
    _sweep(directory, name)
    text = secrets.token_urlsafe(size)
    # By renaming: a link would give it two names for a moment, and a start that is killed then would leave both.
    write(directory, name, text.encode() + b"\n", Owner(), 0o600, replace=True)
    return text, ok(f"made and kept in {store}")


def _read(directory: int, name: str, store: str) -> str | None:
    """The text in the store, which may be empty; None where there is none. Raises Unusable."""
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (os.O_NOFOLLOW if guarded() else 0)
    try:
        descriptor = os.open(name, flags, dir_fd=directory)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise Unusable(
                "symlink",
                f"{store} is a symlink, and root follows none",
                "name the file itself as the `store`",
            ) from None
        raise Unusable("unreadable", f"cannot read {store}: {(error.strerror or '').lower()}",
                       f"chown {os.geteuid()} {store}: it was made when the engine ran as somebody else") from None  # fmt: skip
    try:
        _judge(os.fstat(descriptor), store)
        with open(descriptor, "rb", closefd=False) as file:
            content = file.read(LIMIT + 1)
    finally:
        os.close(descriptor)
    try:
        text = content.decode().removesuffix("\n")
    except UnicodeDecodeError:
        raise Unusable(
            "invalid", f"{store} is not UTF-8 text", f"remove {store}, and a new secret is made"
        ) from None
    if len(content) > LIMIT or "\0" in text:
        raise Unusable(
            "invalid",
            f"{store} holds no secret: it is too long or binary",
            "name another file as the `store`",
        )
    return text


def _judge(status: os.stat_result, store: str) -> None:
    """Only a plain file; and as root none that has another name, which somebody may have given it to learn its content."""
    if not stat.S_ISREG(status.st_mode):
        raise Unusable("invalid", f"{store} is not a plain file", "name another file as the `store`")
    if guarded() and status.st_nlink > 1:
        raise Unusable(
            "hard-link",
            f"{store} is hard-linked: it may be another file",
            f"cp {store} to a new file, and move that over it",
        )


@contextmanager
def _locked(directory: int, name: str) -> Iterator[None]:
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    lock = os.open(f"{name}.lock", flags, 0o600, dir_fd=directory)
    try:
        end = time.monotonic() + PATIENCE
        while not _taken(lock):
            if time.monotonic() >= end:
                raise Unusable(
                    "locked",
                    f"another process has held {name}.lock for {PATIENCE:g} s",
                    "which one? fuser names it; end it",
                )
            time.sleep(0.01)
        yield
    finally:
        os.close(lock)


def _taken(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sweep(directory: int, name: str) -> None:
    """Drafts of starts that were killed while they wrote."""
    drafts = re.compile(rf"\.{re.escape(name)}\.\d+\.[0-9a-f]{{8}}")
    inner = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=directory)
    try:
        for each in os.listdir(inner):
            if drafts.fullmatch(each):
                os.unlink(each, dir_fd=inner)
    finally:
        os.close(inner)
