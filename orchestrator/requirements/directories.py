"""`directories`: made, given to the user, and tried. What differs is mended; what cannot be is said."""

import errno
import os
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from orchestrator.core.outcome import failed
from orchestrator.requirements._base import Requirement, judged
from orchestrator.requirements._mounts import mounts
from orchestrator.requirements._places import Owner, give, give_all, guarded, reach
from orchestrator.requirements._remedies import for_user, install_line, refusal, run_line, volume
from orchestrator.spec.errors import problem
from orchestrator.spec.templated import Templated
from orchestrator.spec.types import Mode, PathText, Size
from orchestrator.system import accounts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.core.context import Context
    from orchestrator.core.outcome import Outcome
    from orchestrator.spec.breaking import Sandbox

_MOST = 10
_DENIED = (errno.EPERM, errno.EACCES)


class Directory(Requirement):
    """A directory that must exist and be usable."""

    kind = "directory"
    noun = "directory"
    shorthand = "path"
    identity_field = "path"
    use = "path"
    removed_keys: ClassVar = {
        "exists": "for what must not be there write a check: `holds: {not: {exists: PATH}}`",
        "readable": "write a check: `run: [test, -r, PATH]`",
        "executable": "write a check: `run: [test, -x, PATH]`",
        "not_world_writable": 'write the mode it must have: `mode: "0755"`',
        "filesystem": "write a check: `run: [sh, -c, 'test $(stat -f -c %T PATH) = tmpfs']`",
        "noexec": "write a check: `run: [python, -c, import os; assert os.statvfs('PATH').f_flag & os.ST_NOEXEC]`",
        "ro": "write a check: `run: [python, -c, import os; assert os.statvfs('PATH').f_flag & os.ST_RDONLY]`",
        "glob_count": "write a check: `python: package.module:function` counts them",
    }

    path: Templated[PathText] = Field(
        description="The path; a relative one is from the working directory.", examples=["state"]
    )
    create: Templated[bool] = Field(True, description="Make it, and what is above it, when it is not there.")
    mode: Templated[Mode] | None = Field(
        None, description="The mode it must have, in octal and in quotes.", examples=["0750"]
    )
    owner: Templated[str | int] | None = Field(
        None,
        description="The user it must belong to: a name or a number. As root, what is made belongs to the service's user.",
    )
    group: Templated[str | int] | None = Field(
        None, description="The group it must belong to: a name or a number."
    )
    fix: Templated[Literal["none", "self", "tree"]] = Field(
        "self",
        description="What is mended where owner, group or mode differ: nothing, the directory itself, or the owner of all below too.",
    )
    writable: Templated[bool] = Field(
        True, description="The user that will run must be able to write to it; this is tried with a file."
    )
    empty: Templated[bool] | None = Field(
        None, description="Whether it must be empty (true) or must not be (false)."
    )
    min_free: Templated[Size] | None = Field(
        None, description="Space that must be free on its file system.", examples=["200MB", "1GiB"]
    )
    min_free_inodes: Templated[Annotated[int, Field(ge=1)]] | None = Field(
        None, description="Files that it must still be possible to make.", examples=[10000]
    )
    mount: Templated[bool] = Field(
        False, description="It must be a mount point, so that its files outlive the container."
    )

    @model_validator(mode="after")
    def _no_contradiction(self) -> Self:
        if self.create and "create" in self.model_fields_set and self.empty is False:
            raise problem(
                "ORC124",
                "a directory that is made here is empty, and `empty: false` forbids that",
                "take out `create` or `empty`",
            )
        if self.fix == "tree" and not (self.writable or self.owner is not None or self.group is not None):
            raise problem("ORC113", "`fix: tree` needs an owner to give", "add `owner` or `group`")
        if isinstance(self.mode, int) and self.writable and not self.mode & 0o222:
            raise problem(
                "ORC124",
                f"nobody may write with mode {self.mode:04o}, and `writable` is true by default",
                "write `writable: false`, or another mode",
            )
        return self

    def failures(self) -> tuple[str, ...]:
        unwritable = ("unwritable",) if self.writable else ()
        full = ("full",) if self.writable or self.min_free is not None else ()
        return ("missing", *unwritable, *full)

    def make_fail(self, failure: str, sandbox: "Sandbox") -> None:
        path = sandbox.path(self.path)
        {"missing": sandbox.remove_directory, "unwritable": sandbox.make_read_only, "full": sandbox.fill}[
            failure
        ](path)

    def attempt(self, context: "Context") -> "Outcome":
        path = context.path(self.path)
        try:
            owner = self._owner(context)
            directory, made = reach(path, create=self.create and not self.mount, owner=owner)
        except accounts.NoSuchUser as error:
            return failed("ORC433", "owner", str(error), error.hint, final=True)
        except FileNotFoundError as error:
            return self._absent(path, str(error.filename), context)
        except OSError as error:
            return refusal(
                error, path, context.user, "cannot create" if self.create else "cannot use", "ORC431"
            )
        try:
            before = os.fstat(directory)
            wrong = list(self._wrong(path, directory, owner, made, context))
            how = "made" if path in made else _given(before, os.fstat(directory))
        except OSError as error:
            wrong, how = [refusal(error, path, context.user, "cannot use", "ORC431")], ""
        finally:
            os.close(directory)
        return judged(wrong, f"{path} ({how})" if how else path, path=path, made=path in made)

    def _owner(self, context: "Context") -> Owner:
        """Who it shall belong to: what is written, else, for what root makes, the service's user."""
        uid, gid = (context.user.uid, context.user.gid) if guarded() else (None, None)
        if self.owner is not None:
            uid = accounts.uid_of(self.owner)
        if self.group is not None:
            gid = accounts.gid_of(self.group)
        return Owner(uid, gid)

    def _absent(self, path: str, culprit: str, context: "Context") -> "Outcome":
        if self.mount:
            return _no_mount(path)
        if self.create:
            above = os.path.dirname(culprit)
            said = f"cannot create {path}: nothing can be made in {above}, which is the kernel's own"
            return failed("ORC431", "missing", said, "choose another path", final=True)
        return failed(
            "ORC431",
            "missing",
            f"{path} does not exist" if culprit == path else f"{path} does not exist: there is no {culprit}",
            f"{install_line(path, context.user, self.mode)}; or `create: true`",
        )

    def _wrong(
        self, path: str, directory: int, owner: Owner, made: list[str], context: "Context"
    ) -> "Iterator[Outcome]":
        if self.mount and path not in {each.point for each in mounts()}:
            yield _no_mount(path)
        yield from self._mended(path, directory, owner, made, context)
        yield from self._contents(path)
        yield from self._space(path)
        yield from self._unwritable(path, directory, owner, context)

    def _mended(
        self, path: str, directory: int, owner: Owner, made: list[str], context: "Context"
    ) -> "Iterator[Outcome]":
        """Owner and mode where the spec names them; what is made here already belongs to whom it should."""
        wanted = owner if self.fix == "tree" else self._named(owner)
        if not context.mends and path not in made:
            if not self._would_mend(context):
                yield from self._differs(path, directory, wanted)
            return
        if self.fix != "none" or path in made:
            yield from self._mend(path, directory, wanted, context)
        if self.fix == "tree":
            yield from self._mend_tree(path, directory, owner, context)
        yield from self._differs(path, directory, wanted)

    def _would_mend(self, context: "Context") -> bool:
        """Whether this only looks, and a start would mend what differs."""
        return not context.mends and guarded() and self.fix != "none"

    def _named(self, owner: Owner) -> Owner:
        """The part of it that the spec names."""
        uid = owner.uid if self.owner is not None else None
        return Owner(uid, owner.gid if self.group is not None else None)

    def _mend(self, path: str, directory: int, owner: Owner, context: "Context") -> "Iterator[Outcome]":
        status = os.fstat(directory)
        wrong_mode = self.mode is not None and self.mode != status.st_mode & 0o7777
        if not wrong_mode and not owner.differs(status):
            return
        try:
            give(directory, owner, self.mode if wrong_mode else None)
        except PermissionError:
            return  # what differs is said next, in its own words
        except OSError as error:
            yield refusal(error, path, context.user, "cannot change owner and mode of", "ORC433")

    def _mend_tree(self, path: str, directory: int, owner: Owner, context: "Context") -> "Iterator[Outcome]":
        _, kept = give_all(directory, owner)
        if kept:
            more = f" and {len(kept) - 1} more" if len(kept) > 1 else ""
            yield failed(
                "ORC433",
                "owner",
                f"cannot give all below {path} to {_written(owner)}: {kept[0]}{more}",
                f"chown -R {_written(owner)} {path} as root, or {for_user(path, context.user)}",
                details="\n".join(kept[:_MOST]),
            )

    def _differs(self, path: str, directory: int, owner: Owner) -> "Iterator[Outcome]":
        status = os.fstat(directory)
        if owner.differs(status):
            wanted = _written(owner)
            yield failed(
                "ORC433",
                "owner",
                f"{path} belongs to {status.st_uid}:{status.st_gid}, expected {wanted}",
                run_line(f"chown {wanted} {path}", path),
                found=f"{status.st_uid}:{status.st_gid}",
            )
        if self.mode is not None and self.mode != status.st_mode & 0o7777:
            yield failed(
                "ORC433",
                "mode",
                f"{path} has mode {accounts.octal(status.st_mode)}, expected {self.mode:04o}",
                run_line(f"chmod {self.mode:04o} {path}", path),
                found=accounts.octal(status.st_mode),
            )

    def _contents(self, path: str) -> "Iterator[Outcome]":
        if self.empty is None:
            return
        with os.scandir(path) as entries:
            names = sorted(entry.name for entry in entries if entry.name != "lost+found")
        if self.empty and names:
            shown = ", ".join(names[:3]) + (" …" if len(names) > 3 else "")
            said = f"{path} must be empty and has {len(names)} entries: {shown}"
            yield failed("ORC435", "not-empty", said, f"ls -A {path}; move them away, or choose another path")
        if not self.empty and not names:
            hint = f"fill it: COPY … {path}/, or mount the volume that has the files"
            yield failed("ORC435", "empty", f"{path} is empty", hint)

    def _space(self, path: str) -> "Iterator[Outcome]":
        if self.min_free is None and self.min_free_inodes is None:
            return
        disk = os.statvfs(path)
        free = disk.f_bavail * disk.f_frsize
        if self.min_free is not None and free < self.min_free:
            said = f"{path} has {in_words(free)} free, {in_words(self.min_free)} are needed"
            yield failed(
                "ORC434", "space", said, f"df -h {path}; make room, or enlarge the volume", free=free
            )
        # Some file systems (btrfs, some network ones) do not count files and say 0 of 0.
        if self.min_free_inodes is not None and disk.f_files and disk.f_favail < self.min_free_inodes:
            said = f"{path} has room for {disk.f_favail} more files, {self.min_free_inodes} are needed"
            yield failed(
                "ORC434",
                "inodes",
                said,
                f"df -i {path}; remove files, or enlarge the volume",
                free=disk.f_favail,
            )

    def _unwritable(self, path: str, directory: int, owner: Owner, context: "Context") -> "Iterator[Outcome]":
        if not self.writable:
            return
        number = accounts.as_user(context.user, lambda: _write_and_remove(path))
        if number in _DENIED and self._would_mend(context):
            return
        if number in _DENIED and self._may_give(path, context):
            # Nothing says whose it is, and the user needs it: root hands it over, and tries again.
            give(directory, owner)
            number = accounts.as_user(context.user, lambda: _write_and_remove(path))
        if number:
            error = OSError(number, os.strerror(number), path)
            yield refusal(error, path, context.user, "cannot write to", "ORC432")

    def _may_give(self, path: str, context: "Context") -> bool:
        to_give = accounts.other_than(context.user) and self.fix != "none" and self.owner is None
        return to_give and not accounts.closed_to(path, context.user)


def _given(before: os.stat_result, after: os.stat_result) -> str:
    """What was changed of something that was there, which is not to go unnoticed."""
    if before.st_uid == after.st_uid:
        return ""
    names = [accounts.name_of(each.st_uid) or str(each.st_uid) for each in (before, after)]
    return f"owner {names[0]} → {names[1]}"


def _no_mount(path: str) -> "Outcome":
    point = volume(path)
    where = (
        f"; it is part of the mount {point}"
        if point
        else ": what is written there is lost with the container"
    )
    hint = f"mount a volume: docker run -v NAME:{path} (Compose: volumes: [NAME:{path}])"
    return failed("ORC435", "no-mount", f"{path} is no mount point{where}", hint, final=True)


def _write_and_remove(path: str) -> None:
    """Tries what the service will do: makes a file, writes a byte, removes it."""
    directory = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _trial(directory, f".orchestrator-{os.getpid()}-{os.urandom(4).hex()}")
    finally:
        os.close(directory)


def _trial(directory: int, name: str) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    file = os.open(name, flags, 0o600, dir_fd=directory)
    try:
        os.write(file, b"\n")
    finally:
        os.close(file)
        os.unlink(name, dir_fd=directory)


def _written(owner: Owner) -> str:
    """`10001:10001`, as chown takes it; what is left alone is left out."""
    uid = "" if owner.uid is None else str(owner.uid)
    return uid if owner.gid is None else f"{uid}:{owner.gid}"


def in_words(size: int) -> str:
    """`200 MB`."""
    for unit, bytes_ in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= bytes_:
            return f"{size / bytes_:.4g} {unit}"
    return f"{size} B"


KIND = Directory
