"""`tcp`: a port that accepts connections, and the greeting of what listens there."""

import re
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from orchestrator.core.outcome import ok
from orchestrator.spec.errors import problem
from orchestrator.spec.expect import AnyMatcher
from orchestrator.spec.templated import Templated, pending
from orchestrator.waits._address import HostPort, parse_url, references
from orchestrator.waits._base import Asking
from orchestrator.waits._failure import Failure
from orchestrator.waits._security import Tls
from orchestrator.waits._stream import connect, secure
from orchestrator.waits._tls import Trust

if TYPE_CHECKING:
    from orchestrator.core.context import Context
    from orchestrator.core.outcome import Outcome
    from orchestrator.spec.breaking import Sandbox
    from orchestrator.waits._address import Server
    from orchestrator.waits._failure import Deadline
    from orchestrator.waits._stream import Stream

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9-]*)(?:\+[A-Za-z0-9.-]+)?://")
_PORTS = {
    "amqp": 5672, "amqps": 5671, "ftp": 21, "http": 80, "https": 443, "kafka": 9092, "ldap": 389, "ldaps": 636, "mariadb": 3306,
    "mongodb": 27017, "mqtt": 1883, "mysql": 3306, "nats": 4222, "postgres": 5432, "postgresql": 5432, "redis": 6379, "rediss": 6379,
    "smtp": 25, "smtps": 465, "ssh": 22, "valkey": 6379, "valkeys": 6379,
}  # fmt: skip
"""The port of a URL that names none."""
_SENDING = "a wait of its own asks: `command: {shell: 'echo PING | nc db 6379'}` with `expect`, or `python: module:function`"


def _url(value: str) -> str:
    if not pending(value):
        _server(value)
    return value


def _server(url: str) -> "Server":
    found = _SCHEME.match(url)
    if found is None:
        raise problem("ORC117", "expected a URL", "for example postgresql://db:5432/app")
    scheme = found[1].lower()
    server = parse_url(url, (scheme,), _PORTS.get(scheme, 0))
    if not server.host or not server.port:
        lacking = "port" if server.host else "host"
        raise problem("ORC117", f"the URL names no {lacking}", f"for example {scheme}://host:port")
    return server


class Address(HostPort):
    """Where to connect to, and how."""

    removed_keys: ClassVar = {
        "local_address": "take it out: the machine's routes decide where a connection comes from"
    }

    url: Templated[Annotated[str, AfterValidator(_url)]] | None = Field(
        None,
        description="A URL whose host and port are used, such as the driver's. The rest of it is never shown.",
        repr=False,
        examples=["${DATABASE_URL}"],
    )
    family: Templated[Literal["ipv4", "ipv6"]] | None = Field(
        None, description="The kind of address to connect to."
    )
    tls: Templated[bool] | Tls = Field(
        False, description="Whether TLS is used; a mapping says how the certificate is verified."
    )

    def check_parts(self) -> None:
        if self.url is None:
            super().check_parts()
        elif any(each is not None for each in (self.address, self.host, self.port)):
            raise problem(
                "ORC113", "an address is a URL, one text or its parts, not several", "keep one", "url"
            )

    def server(self) -> "Server":
        return _server(self.url) if self.url is not None else super().server()

    def shown(self) -> str:
        if self.url is None:
            return super().shown()
        return references(self.url) if pending(self.url) else self.server().where

    def open(self, context: "Context", deadline: "Deadline") -> "Stream":
        """A connection to it, with TLS if `tls` asks for it."""
        server = self.server()
        stream = connect(server.host, server.port, deadline, context.environ, family=self.family or "")
        if not self.tls:
            return stream
        return secure(stream, server.host, Trust() if self.tls is True else self.tls.trust(context))


class Tcp(Asking):
    """Waits until a port accepts connections. That says nothing about whether what listens is ready.

    With `expect` its greeting counts too: the first line that the other side sends.
    """

    example: ClassVar = {"name": "mail", "tcp": "mail:25", "expect": {"matches": "^220 "}}
    removed_keys: ClassVar = {
        "send": _SENDING,
        "send_hex": _SENDING,
        "expect_hex": "use `expect`, which is about the first line, or a wait with `command` or `python`",
    }

    tcp: Address = Field(
        description="The host and the port.", examples=["db:5432", {"host": "db", "port": 5432}]
    )
    expect: AnyMatcher = Field(None, description="A matcher for the first line that the other side sends.")

    def make_fail(self, failure: str, sandbox: "Sandbox") -> None:
        super().make_fail("full" if failure == "timeout" else failure, sandbox)

    def make_healthy(self, sandbox: "Sandbox") -> None:
        from orchestrator.waits._breaking import address, place

        if address(self) is None or self.speaks_tls():
            super().make_healthy(sandbox)
        sandbox.serve(place(self.tcp), "silent")

    def speaks_tls(self) -> bool:
        return super().speaks_tls() or (bool(self.tcp.tls) and not pending(self.tcp.tls))

    def ask(self, context: "Context", deadline: "Deadline") -> "Outcome":
        with self.tcp.open(context, deadline) as stream:
            if "expect" in self.model_fields_set:
                return self._greeting(stream.line().decode("utf-8", "replace"))
            return ok(f"{stream.where} accepts connections")

    def _greeting(self, line: str) -> "Outcome":
        from orchestrator.spec.matching import mismatch

        wrong = mismatch(self.expect, line)
        if wrong:
            raise Failure("unexpected", f"the greeting of {self.target()}: {wrong}")
        return ok(f"{self.target()} greets as expected")


KIND = Tcp
