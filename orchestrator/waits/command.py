"""`command`: a command that ends well."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from orchestrator.core.outcome import ok
from orchestrator.spec.commanding import STREAMS, Commanding, CommandLine
from orchestrator.waits._base import Asking
from orchestrator.waits._failure import Failure

if TYPE_CHECKING:
    from orchestrator.core.context import Context
    from orchestrator.core.outcome import Outcome
    from orchestrator.spec.breaking import Sandbox
    from orchestrator.waits._child import Done
    from orchestrator.waits._failure import Deadline


class Command(Asking, Commanding):
    """Waits until a command ends with 0. It runs as the service's user, with the service's environment.

    No shell is involved unless it is asked for. What it starts ends with it.
    """

    ways = ("unexpected", "timeout")
    example: ClassVar = {"name": "bucket", "command": ["mc", "ls", "store/uploads"]}

    command: CommandLine = Field(
        description="The command and its arguments.",
        examples=[["pg_isready", "-q"], {"shell": "pg_isready | grep -q ok"}],
    )

    def target(self) -> str:
        return " ".join(map(str, self.command))

    def make_fail(self, failure: str, sandbox: "Sandbox") -> None:
        sandbox.item["command"] = sandbox.command(failure, self.command)
        sandbox.item.pop("exit_codes", None)

    def ask(self, context: "Context", deadline: "Deadline") -> "Outcome":
        from orchestrator.waits._child import asked

        name = self.command[0]
        done = asked(self.command, self, context, deadline)
        if done.code not in self.exit_codes:
            raise Failure("unexpected", f"{name} {done.end}", details=done.details)
        wrong = output_wrong(self, done)
        if wrong:
            raise Failure("unexpected", f"the output of {name}: {wrong}", details=done.details)
        return ok(f"{name} ended with {done.code}")


def output_wrong(asked: Commanding, done: "Done") -> str:
    """What is wrong with what a command wrote; empty when nothing is."""
    if asked.expect is None:
        return ""
    from orchestrator.spec.matching import mismatch

    for each in STREAMS:
        if each in asked.expect.model_fields_set:
            wrong = mismatch(getattr(asked.expect, each), getattr(done, each).strip())
            if wrong:
                return wrong if each == "stdout" else f"{each}: {wrong}"
    return ""


KIND = Command
