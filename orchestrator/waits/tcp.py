"""`tcp`: a port that accepts connections."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from orchestrator.engine.outcome import ok
from orchestrator.spec.expect import AnyMatcher
from orchestrator.spec.model import described
from orchestrator.waits._address import HostPort
from orchestrator.waits._base import Asking
from orchestrator.waits._stream import connect

if TYPE_CHECKING:
    from orchestrator.engine.context import Context
    from orchestrator.engine.outcome import Outcome
    from orchestrator.waits._failure import Deadline


class Tcp(Asking):
    """Waits until a port accepts connections. Whether what listens is ready is another question."""

    example: ClassVar = {"name": "mail", "tcp": "mail:25", "expect": {"starts_with": "220 "}}

    tcp: HostPort = described(
        ..., "The host and the port.", examples=["db:5432", {"host": "db", "port": 5432}]
    )
    expect: AnyMatcher = described(None, "A matcher for the first line that the other side says, unasked.")

    def ask(self, context: Context, deadline: Deadline) -> Outcome:
        server = self.tcp.server()
        with connect(server.host, server.port, deadline, context.environ) as stream:
            if "expect" in self.model_fields_set:
                return self._greeting(stream.line().decode("utf-8", "replace"))
        return ok(f"{server.where} accepts connections")

    def _greeting(self, line: str) -> Outcome:
        from orchestrator.engine.matching import mismatch
        from orchestrator.waits._failure import Failure

        wrong = mismatch(self.expect, line)
        if wrong:
            raise Failure("unexpected", f"{self.target()} greets differently: {wrong}")
        return ok(f"{self.target()} greets as expected")


KIND = Tcp
