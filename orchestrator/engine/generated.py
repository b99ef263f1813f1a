"""Secrets that are made at the first start and kept: under a lock, atomically, readable by their owner alone."""

from __future__ import annotations

import fcntl
import os
import secrets
from typing import TYPE_CHECKING

from orchestrator.engine.outcome import Outcome, failed, ok

if TYPE_CHECKING:
    from orchestrator.engine.context import Context
    from orchestrator.requirements.variables import Generate


def generate(wanted: Generate, context: Context) -> tuple[str | None, Outcome]:
    """The kept text, made now if there is none; None and the failure when it cannot be kept."""
    store = context.path(wanted.store)
    folder = os.path.dirname(store)
    if not wanted.ephemeral and not _on_a_mount(folder):
        return None, failed(
            "ORC404", "not-kept", f"{wanted.store} is on no mount: the secret would be lost with the container",
            f"mount a volume at {folder}, or say `ephemeral: true` where it need not last",
        )  # fmt: skip
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        with open(store + ".lock", "a", encoding="ascii") as lock:
            os.fchmod(lock.fileno(), 0o600)
            fcntl.flock(lock, fcntl.LOCK_EX)
            return _kept_or_made(store, wanted.bytes)
    except OSError as error:
        return None, failed("ORC404", "unwritable", f"cannot keep the secret in {wanted.store}: {(error.strerror or str(error)).lower()}",
                            f"make {folder} writable for uid {os.geteuid()}")  # fmt: skip


def _kept_or_made(store: str, size: int) -> tuple[str, Outcome]:
    if os.path.exists(store):
        with open(store, encoding="utf-8") as file:
            text = file.read().removesuffix("\n")
        if text:
            return text, ok(f"kept in {store}")
    text = secrets.token_urlsafe(size)
    fresh = f"{store}.{os.getpid()}"
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(fresh, store)
    return text, ok(f"made and kept in {store}")


def _on_a_mount(folder: str) -> bool:
    """Whether the nearest existing directory is on another file system than the root's."""
    while folder and not os.path.exists(folder):
        folder = os.path.dirname(folder)
    return os.stat(folder or "/").st_dev != os.stat("/").st_dev
