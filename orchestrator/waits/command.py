"""`command`: a command that ends well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from orchestrator.engine.outcome import ok
from orchestrator.spec.expect import AnyMatcher
from orchestrator.spec.fields import Field
from orchestrator.spec.model import described
from orchestrator.spec.types import Argv, NonEmpty
from orchestrator.waits._address import pending
from orchestrator.waits._base import Asking
from orchestrator.waits._failure import Failure

if TYPE_CHECKING:
    from orchestrator.engine.context import Context
    from orchestrator.engine.outcome import Outcome
    from orchestrator.waits._failure import Deadline


class Command(Asking):
    """Waits until a command ends with 0. It runs as the service's user, with the service's environment.

    No shell is involved. What it starts ends with it.
    """

    example: ClassVar = {"name": "bucket", "command": ["mc", "ls", "store/uploads"]}

    command: Argv = described(..., "The command and its arguments.", examples=[["pg_isready", "-q"]])
    codes: Annotated[tuple[Annotated[int, Field(ge=0, le=255)], ...], NonEmpty] = described(
        (0,), "The exit codes that are well."
    )
    expect: AnyMatcher = described(
        None, "A matcher for what it writes to standard output, without blanks at both ends."
    )

    def target(self) -> str:
        return str(self.command) if pending(self.command) else " ".join(self.command)

    def ask(self, context: Context, deadline: Deadline) -> Outcome:
        from orchestrator.waits._child import run

        name = self.command[0]
        done = run(self.command, context, deadline)
        if done.code not in self.codes:
            raise Failure("unexpected", f"{name} {done.end}", details=done.details)
        if "expect" in self.model_fields_set:
            from orchestrator.engine.matching import mismatch

            wrong = mismatch(self.expect, done.stdout.strip())
            if wrong:
                raise Failure("unexpected", f"the output of {name}: {wrong}", details=done.details)
        return ok(f"{name} ended with {done.code}")


KIND = Command
