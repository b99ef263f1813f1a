"""The rarer rules for a directory: what it is mounted on, who may look into it, how many files it has. Mends nothing."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from orchestrator.core.outcome import failed
from orchestrator.requirements._mounts import mount_of
from orchestrator.requirements._remedies import readable_by, run_line
from orchestrator.system import accounts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.core.context import Context
    from orchestrator.core.outcome import Outcome
    from orchestrator.requirements.directories import Directory


def broken(asked: Directory, path: str, context: Context) -> Iterator[Outcome]:
    """What is wrong with a directory that is there."""
    yield from _filesystem(asked, path)
    yield from _flags(asked, path)
    yield from _open(asked, path, context)
    if asked.not_world_writable and os.stat(path).st_mode & 0o002:
        said = f"{path} has mode {accounts.octal(os.stat(path).st_mode)}: everybody may write to it"
        yield failed("ORC433", "world-writable", said, run_line(f"chmod o-w {path}", path))
    yield from _counts(asked, path)


def _filesystem(asked: Directory, path: str) -> Iterator[Outcome]:
    if asked.filesystem is None:
        return
    wanted = (asked.filesystem,) if isinstance(asked.filesystem, str) else asked.filesystem
    mount = mount_of(os.path.realpath(path))
    found = mount.kind if mount is not None else "unknown"
    if found in wanted:
        return
    hint = (
        f"docker run --tmpfs {path} (Compose: tmpfs: [{path}])"
        if "tmpfs" in wanted
        else f"mount a volume of that kind at {path}"
    )
    said = (
        f"{path} is on {found} (mounted at {mount.point if mount else '/'}), expected {' or '.join(wanted)}"
    )
    yield failed("ORC435", "filesystem", said, hint, final=True, found=found)


def _flags(asked: Directory, path: str) -> Iterator[Outcome]:
    """How it is mounted: whether programs in it start, whether it can be written at all."""
    flags = os.statvfs(path).f_flag
    noexec, read_only = bool(flags & os.ST_NOEXEC), bool(flags & os.ST_RDONLY)
    if asked.noexec is not None and asked.noexec != noexec:
        said = f"programs in {path} {'cannot' if noexec else 'can'} be started: it is mounted {'with' if noexec else 'without'} noexec"
        hint = (
            f"mount it with noexec: --tmpfs {path}:noexec, or the option noexec of its volume"
            if asked.noexec
            else f"mount it without noexec: --tmpfs {path}:exec, or take noexec out of its volume's options"
        )
        yield failed("ORC435", "noexec", said, hint, final=True)
    if asked.ro is not None and asked.ro != read_only:
        said = f"{path} is {'' if read_only else 'not '}mounted read-only"
        hint = (
            f"mount it read-only: -v SOURCE:{path}:ro"
            if asked.ro
            else f"take `:ro` (readOnly: true) away from the mount of {path}"
        )
        yield failed("ORC435", "read-only", said, hint, final=True)


def _open(asked: Directory, path: str, context: Context) -> Iterator[Outcome]:
    """Tried as the service's user: only trying knows access lists."""
    for wanted, right, doing in (
        (asked.readable, os.R_OK, "list"),
        (asked.executable, os.X_OK, "enter"),
    ):
        number = accounts.may_use(path, right, context.user) if wanted else 0
        if number:
            said = (
                f"cannot {doing} {path}: {os.strerror(number).lower()} for {accounts.said(context.user.uid)}"
            )
            found = f"it belongs to {accounts.owned(os.stat(path))}"
            yield failed(
                "ORC433", f"cannot-{doing}", f"{said}; {found}", _to_open(path, right, context), found=found
            )


def _to_open(path: str, right: int, context: Context) -> str:
    if accounts.closed_to(path, context.user):
        return readable_by(path, context.user)
    return run_line(f"chmod a+{'r' if right == os.R_OK else 'x'} {path}", path)


def _counts(asked: Directory, path: str) -> Iterator[Outcome]:
    if asked.glob_count is None:
        return
    from glob import glob

    from orchestrator.spec.matching import mismatch

    for pattern, matcher in asked.glob_count.items():
        found = len(glob(pattern, root_dir=path, recursive=True))
        wrong = mismatch(matcher, found)
        if wrong:
            said = f"{path} has {found} of `{pattern}`: {wrong}"
            yield failed("ORC435", "count", said, f"cd {path} && ls -d {pattern}", found=found)
