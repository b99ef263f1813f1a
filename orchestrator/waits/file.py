"""`file`: a path that something else makes."""

import os
import stat
import time
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from orchestrator.core.outcome import ok
from orchestrator.spec.model import Model
from orchestrator.spec.templated import Templated
from orchestrator.spec.types import Duration, PathText, Size
from orchestrator.waits._base import Asking
from orchestrator.waits._failure import Failure
from orchestrator.waits._stream import in_time

if TYPE_CHECKING:
    from orchestrator.core.context import Context
    from orchestrator.core.outcome import Outcome
    from orchestrator.spec.breaking import Sandbox
    from orchestrator.waits._failure import Deadline

_READ = 1024 * 1024


class Path(Model):
    """A path and what it must be like."""

    noun = "path"
    shorthand = "path"

    path: Templated[PathText] = Field(
        description="The path of a file or directory.", examples=["/shared/migrated"]
    )
    absent: Templated[bool] = Field(
        False, description="Whether it must not be there (any more): a lock file."
    )
    min_size: Templated[Size] | None = Field(
        None, description="How large a file must be at least.", examples=["1B"]
    )
    max_age: Templated[Duration] | None = Field(
        None, description="How long ago it may have been changed at most."
    )
    contains: Templated[str] | None = Field(
        None, description="A text that must stand in the first MiB of the file."
    )


class File(Asking):
    """Waits until a path is there (or not there any more): what another container or process leaves behind."""

    ways = ("unexpected",)
    example: ClassVar = {"name": "migrated", "file": {"path": "/shared/migrated", "max_age": "1h"}}

    file: Path = Field(description="The path, or a mapping with more.", examples=["/shared/migrated"])

    def target(self) -> str:
        return str(self.file.path)

    def make_fail(self, failure: str, sandbox: "Sandbox") -> None:
        del failure
        path = sandbox.path(self.file.path)
        if not self.file.absent:
            sandbox.remove(path)
        elif not os.path.lexists(path):
            sandbox.write(path, b"")

    def ask(self, context: "Context", deadline: "Deadline") -> "Outcome":
        path = context.path(self.file.path)
        outcome = in_time(lambda: self._look(path), deadline)
        if outcome is None:
            raise deadline.over(f"the file system did not answer about {path}")
        return outcome

    def _look(self, path: str) -> "Outcome":
        try:
            found = os.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            if self.file.absent:
                return ok(f"{path} is not there")
            raise Failure("unexpected", f"there is no {path}") from None
        except OSError as error:
            raise Failure("unexpected", f"cannot look at {path}: {error.strerror or error}") from None
        if self.file.absent:
            raise Failure("unexpected", f"{path} is still there")
        self._judge(path, found)
        return ok(f"{path} is there")

    def _judge(self, path: str, found: os.stat_result) -> None:
        age = time.time() - found.st_mtime
        if self.file.min_size is not None and found.st_size < self.file.min_size:
            raise Failure("unexpected", f"{path} has {found.st_size} bytes, expected {self.file.min_size}")
        if self.file.max_age is not None and age > self.file.max_age:
            raise Failure(
                "unexpected", f"{path} was changed {age:.0f} s ago, expected at most {self.file.max_age:g} s"
            )
        if self.file.contains is not None and self.file.contains not in self._start(path, found):
            raise Failure("unexpected", f"{path} does not contain what is expected")

    def _start(self, path: str, found: os.stat_result) -> str:
        if not stat.S_ISREG(found.st_mode):
            raise Failure("unexpected", f"{path} is no file that can be read")
        try:
            with open(path, "rb") as file:
                return file.read(_READ).decode("utf-8", "replace")
        except OSError as error:
            raise Failure("unexpected", f"cannot read {path}: {error.strerror or error}") from None


KIND = File
