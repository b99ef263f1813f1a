"""`unix`: a socket in the file system that accepts connections."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from orchestrator.core.outcome import ok
from orchestrator.spec.templated import Templated
from orchestrator.spec.types import PathText
from orchestrator.waits._base import Asking
from orchestrator.waits._stream import connect_unix

if TYPE_CHECKING:
    from orchestrator.core.context import Context
    from orchestrator.core.outcome import Outcome
    from orchestrator.spec.breaking import Sandbox
    from orchestrator.waits._failure import Deadline


class Unix(Asking):
    """Waits until a unix socket accepts connections."""

    ways = ("missing", "refused")
    example: ClassVar = {"name": "app", "unix": "/run/app/app.sock"}

    unix: Templated[PathText] = Field(description="The path of the socket.", examples=["/run/app/app.sock"])

    def target(self) -> str:
        return str(self.unix)

    def make_fail(self, failure: str, sandbox: "Sandbox") -> None:
        from orchestrator.waits._breaking import break_socket

        break_socket(sandbox.path(self.unix), failure, sandbox)

    def make_healthy(self, sandbox: "Sandbox") -> None:
        sandbox.serve(sandbox.path(self.unix), "silent")

    def ask(self, context: "Context", deadline: "Deadline") -> "Outcome":
        with connect_unix(context.path(self.unix), deadline):
            return ok(f"{self.unix} accepts connections")


KIND = Unix
