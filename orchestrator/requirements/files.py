"""`files`: files that must be there and be right; copied or rendered from a pristine source where asked."""

import os
import stat
import time
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from orchestrator.core.outcome import failed
from orchestrator.requirements import _contents
from orchestrator.requirements._base import Requirement, judged
from orchestrator.requirements._places import Owner, guarded, link_target, reach, refuse_link
from orchestrator.requirements._remedies import readable_by, refusal, run_line
from orchestrator.requirements.directories import in_words
from orchestrator.spec.errors import problem
from orchestrator.spec.templated import Templated
from orchestrator.spec.types import (
    Duration,
    Mode,
    NonEmpty,
    PathText,
    Size,
)
from orchestrator.system import accounts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from orchestrator.core.context import Context
    from orchestrator.core.outcome import Outcome
    from orchestrator.spec.breaking import Sandbox

_KINDS: "dict[str, Callable[[int], bool]]" = {
    "file": stat.S_ISREG,
    "symlink": stat.S_ISLNK,
    "socket": stat.S_ISSOCK,
    "fifo": stat.S_ISFIFO,
    "device": lambda mode: stat.S_ISCHR(mode) or stat.S_ISBLK(mode),
}
_CONTENT = ("min_size", "max_size", "format", "schema_", "sha256", "contains")
"""What has no meaning for anything but a file."""

_SOMETHING_ELSE = b"\x00{[ made to hold something else by the rehearsal\n"


class File(Requirement):
    """A file that must exist and be right."""

    kind = "file"
    noun = "file"
    shorthand = "path"
    identity_field = "path"
    use = "path"
    removed_keys: ClassVar = {
        "exists": "for what must not be there write a check: `holds: {not: {exists: PATH}}`",
        "readable": "it always must be; for one that need not be write a check: `holds: {exists: PATH}`",
        "writable": "write a check: `run: [test, -w, PATH]`",
        "executable": "write a check: `run: [test, -x, PATH]`",
        "non_empty": "write `min_size: 1B`",
        "sha512": "write `sha256`, as `sha256sum` prints it",
        "encoding": "write a check: `run: [iconv, -f, latin-1, -o, /dev/null, PATH]`",
        "excludes": "write a check: `run: [sh, -c, '! grep -q CHANGEME PATH']`",
        "regex": "write a check: `run: [grep, -qE, PATTERN, PATH]`",
        "linked_to": "write a check: `run: [sh, -c, 'test $(readlink PATH) = TARGET']`",
        "newer_than": "write a check: `run: [test, PATH, -nt, SOURCE]`",
    }

    path: Templated[PathText] = Field(
        description="The path; a relative one is from the working directory.",
        examples=["config/settings.toml"],
    )
    type: Templated[Literal["file", "symlink", "socket", "fifo", "device"]] = Field(
        "file", description="What it must be."
    )
    mode: Templated[Mode] | None = Field(
        None, description="The mode it must have, in octal and in quotes.", examples=["0640"]
    )
    owner: Templated[str | int] | None = Field(
        None, description="The user it must belong to: a name or a number."
    )
    group: Templated[str | int] | None = Field(
        None, description="The group it must belong to: a name or a number."
    )
    fix: Templated[Literal["none", "self"]] = Field(
        "self", description="Whether owner, group and mode are mended where they differ."
    )
    min_size: Templated[Size] | None = Field(
        None, description="The least size it must have.", examples=["1B"]
    )
    max_size: Templated[Size] | None = Field(
        None, description="The greatest size it may have.", examples=["10MB"]
    )
    format: Templated[Literal["json", "yaml", "toml", "ini", "env", "pem"]] | None = Field(
        None, description="The format it must be readable in; a mistake is shown with line and column."
    )
    schema_: Templated[PathText] | None = Field(
        None,
        description="A file with a JSON Schema that its data must satisfy; nothing that it refers to is fetched.",
        alias="schema",
        examples=["config/settings.schema.json"],
    )
    sha256: Templated[Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]] | None = Field(
        None, description="The SHA-256 digest of its content, as `sha256sum` prints it."
    )
    contains: Templated[str] | Annotated[tuple[Templated[str], ...], NonEmpty] | None = Field(
        None, description="A text that must be found in it, or a list of texts that must all be."
    )
    max_age: Templated[Duration] | None = Field(
        None, description="How long ago it may have been changed.", examples=["1d"]
    )
    private: Templated[bool] = Field(False, description="Neither its group nor others may read or write it.")
    copy_from: Templated[PathText] | None = Field(
        None,
        description="A pristine file that is copied here when nothing is here yet: atomically, for the service's user.",
        examples=["/usr/share/app/settings.toml"],
    )
    template: Templated[PathText] | None = Field(
        None,
        description="A file that is rendered here at each start: `${NAME}` becomes the value of a declared variable, `$$` a dollar. "
        "The result has mode 0600 unless `mode` is given.",
        examples=["config/nginx.conf.template"],
    )

    @model_validator(mode="after")
    def _no_contradiction(self) -> Self:
        if self.copy_from is not None and self.template is not None:
            raise problem("ORC113", "`copy_from` and `template` exclude each other", "keep one of them")
        for source in ("copy_from", "template"):
            if getattr(self, source) == self.path:
                raise problem("ORC124", f"`{source}` is the file itself", "name a pristine source elsewhere")
        if (
            isinstance(self.min_size, int)
            and isinstance(self.max_size, int)
            and self.min_size > self.max_size
        ):
            raise problem("ORC124", "`min_size` is greater than `max_size`", "swap them")
        if self.private and isinstance(self.mode, int) and self.mode & 0o077:
            raise problem(
                "ORC124", f"mode {self.mode:04o} is not private", 'write "0600", or take out `private`'
            )
        self._has_content()
        return self

    def _has_content(self) -> None:
        if self.type != "file":
            asked = [
                each.rstrip("_")
                for each in (*_CONTENT, "copy_from", "template")
                if getattr(self, each) is not None
            ]
            if asked:
                raise problem(
                    "ORC113", f"`{asked[0]}` has no meaning for type `{self.type}`", "take one of them out"
                )
        if self.schema_ is not None and self.format not in (None, "json", "yaml", "toml", "ini", "env"):
            raise problem(
                "ORC113", f"a schema has no meaning for format `{self.format}`", "take `schema` out"
            )

    def failures(self) -> tuple[str, ...]:
        has_rules = self.min_size or _contents.asked_about(self)
        return ("missing", "content") if has_rules and not self.template else ("missing",)

    def make_fail(self, failure: str, sandbox: "Sandbox") -> None:
        path = sandbox.path(self.path)
        if failure == "missing":
            for each in (self.path, self.copy_from, self.template):
                if each is not None:
                    sandbox.remove(sandbox.path(each))
            return
        sandbox.remove(path)
        sandbox.write(path, b"" if self.min_size else _SOMETHING_ELSE)
        if self.mode is not None:
            os.chmod(path, self.mode)

    def attempt(self, context: "Context") -> "Outcome":
        path = context.path(self.path)
        try:
            done = self._brought(path, context)
            if done is not None and not isinstance(done, str):
                return done
            status = os.lstat(path) if self.type == "symlink" else os.stat(path)
            wrong = list(self._wrong(path, status, context))
        except accounts.NoSuchUser as error:
            return failed("ORC442", "owner", str(error), error.hint, final=True)
        except (FileNotFoundError, NotADirectoryError):
            return self._absent(path, context)
        except OSError as error:
            return _unreachable(error, path, context)
        return judged(wrong, f"{path}{done or ''}", path=path)

    def _brought(self, path: str, context: "Context") -> "Outcome | str | None":
        if self.template is None and self.copy_from is None:
            return None
        from orchestrator.requirements._bringing import bring

        return bring(self, path, self._named_owner(), context)

    def _named_owner(self) -> Owner:
        uid = accounts.uid_of(self.owner) if self.owner is not None else None
        return Owner(uid, accounts.gid_of(self.group) if self.group is not None else None)

    def _absent(self, path: str, context: "Context") -> "Outcome":
        target = link_target(path)
        if target is not None:
            said = f"{path} is a symlink to {target}, which does not exist"
            return failed("ORC441", "missing", said, f"make {target}, or mend the link", path=path)
        return failed(
            "ORC441",
            "missing",
            f"{path} does not exist{_above(path)}",
            _near(path) or _bring(path, context),
            path=path,
        )

    def _wrong(self, path: str, status: os.stat_result, context: "Context") -> "Iterator[Outcome]":
        if not _KINDS[self.type](status.st_mode):
            found = next((name for name, test in _KINDS.items() if test(status.st_mode)), "directory")
            yield failed(
                "ORC442",
                "type",
                f"{path} is a {found}, expected a {self.type}",
                f"move {path} away",
                final=True,
            )
            return
        yield from self._rights(path, status, context)
        if self.type != "file":
            return
        yield from self._age(path, status)
        yield from self._size(path, status)
        yield from self._unreadable(path, context)
        if _contents.asked_about(self):
            yield from _contents.wrong(self, path, status, context)

    def _rights(self, path: str, status: os.stat_result, context: "Context") -> "Iterator[Outcome]":
        owner = self._named_owner()
        if context.mends and self.fix == "self" and self.type != "symlink" and self._differs(status, owner):
            try:
                status = _mend(path, owner, self.mode)
            except PermissionError:
                pass  # what differs is said next, in its own words
            except OSError as error:
                yield refusal(error, path, context.user, "cannot change owner and mode of", "ORC442")
                return
        if context.mends or not guarded() or self.fix == "none":
            yield from self._rights_wrong(path, status, owner)

    def _differs(self, status: os.stat_result, owner: Owner) -> bool:
        return owner.differs(status) or self.mode not in (None, stat.S_IMODE(status.st_mode))

    def _rights_wrong(self, path: str, status: os.stat_result, owner: Owner) -> "Iterator[Outcome]":
        mode = stat.S_IMODE(status.st_mode)
        if owner.differs(status):
            wanted = ":".join("" if each is None else str(each) for each in owner).rstrip(":")
            said = f"{path} belongs to {status.st_uid}:{status.st_gid}, expected {wanted}"
            yield failed("ORC442", "owner", said, run_line(f"chown {wanted} {path}", path))
        if self.mode is not None and self.mode != mode and self.type != "symlink":
            said = f"{path} has mode {mode:04o}, expected {self.mode:04o}"
            yield failed("ORC442", "mode", said, run_line(f"chmod {self.mode:04o} {path}", path))
        if self.private and mode & 0o077:
            said = f"{path} has mode {mode:04o}: others than its owner may use it"
            yield failed("ORC442", "private", said, run_line(f"chmod {mode & 0o700:04o} {path}", path))

    def _age(self, path: str, status: os.stat_result) -> "Iterator[Outcome]":
        age = time.time() - status.st_mtime
        if self.max_age is not None and age > self.max_age:
            said = f"{path} was changed {age:.0f} s ago, at most {self.max_age:g} s are allowed"
            yield failed(
                "ORC444", "age", said, "what writes it has stopped, or runs too seldom", age=round(age)
            )

    def _size(self, path: str, status: os.stat_result) -> "Iterator[Outcome]":
        if self.min_size is not None and status.st_size < self.min_size:
            said = f"{path} has {in_words(status.st_size)}, at least {in_words(self.min_size)} are expected"
            yield failed("ORC444", "size", said, f"ls -l {path}; was it cut off, or is it a placeholder?")
        if self.max_size is not None and status.st_size > self.max_size:
            said = f"{path} has {in_words(status.st_size)}, at most {in_words(self.max_size)} are allowed"
            yield failed("ORC444", "size", said, f"ls -l {path}; make it smaller, or allow more")

    def _unreadable(self, path: str, context: "Context") -> "Iterator[Outcome]":
        """Tried as the service's user."""
        number = accounts.as_user(context.user, lambda: _open_and_close(path))
        if number:
            error = OSError(number, os.strerror(number), path)
            found = refusal(error, path, context.user, "cannot read", "ORC442")
            yield failed(found.code, "unreadable", found.summary, readable_by(path, context.user))


def _open_and_close(path: str) -> None:
    os.close(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK))


def _mend(path: str, owner: Owner, mode: int | None) -> os.stat_result:
    """Owner and mode of one file, through a descriptor; as root not through a symlink."""
    folder, name = os.path.split(path)
    directory, _ = reach(folder)
    try:
        refuse_link(name, path, directory)
        link = os.O_NOFOLLOW if guarded() else 0
        file = os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | link, dir_fd=directory)
    finally:
        os.close(directory)
    try:
        status = os.fstat(file)
        if guarded() and status.st_nlink > 1:
            return status  # another name of it may be anybody's: left alone, and said
        if owner.differs(status):
            os.fchown(file, *owner.numbers)
        if mode is not None:
            os.fchmod(file, mode)
        return os.fstat(file)
    finally:
        os.close(file)


def _unreachable(error: OSError, path: str, context: "Context") -> "Outcome":
    """The file itself, or a directory above it, may not be looked at."""
    found = refusal(error, path, context.user, "cannot use", "ORC442")
    if not isinstance(error, PermissionError):
        return found
    return failed(found.code, found.reason, found.summary, readable_by(path, context.user))


def _above(path: str) -> str:
    """Which directory above it is missing, when it is not the file alone."""
    missing = ""
    parent = os.path.dirname(path)
    while parent != "/" and not os.path.lexists(parent):
        missing, parent = parent, os.path.dirname(parent)
    return f": there is no {missing}" if missing else ""


def _near(path: str) -> str:
    from orchestrator.core.suggest import closest

    folder, name = os.path.split(path)
    try:
        near = closest(name, os.listdir(folder))
    except OSError:
        return ""
    return f"did you mean {os.path.join(folder, near)}?" if near else ""


def _bring(path: str, context: "Context") -> str:
    here = context.cwd.rstrip("/") + "/"
    if path.startswith(here):
        name = path.removeprefix(here)
        return f"COPY {name} ./{name} in the Dockerfile, and no line of .dockerignore against it; or mount it at {path}"
    return f"mount it: docker run -v SOURCE:{path}:ro, or COPY it to {path}"


KIND = File
