"""`tcp`: a port that accepts connections, and what is said on one."""

import re
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from orchestrator.core.outcome import ok
from orchestrator.spec.errors import problem
from orchestrator.spec.expect import AnyMatcher
from orchestrator.spec.templated import Templated
from orchestrator.waits._address import HostPort, Tls, parse_url, pending, references
from orchestrator.waits._base import Asking
from orchestrator.waits._failure import Failure
from orchestrator.waits._stream import Trust, connect, secure

if TYPE_CHECKING:
    from orchestrator.core.context import Context
    from orchestrator.core.outcome import Outcome
    from orchestrator.waits._address import Server
    from orchestrator.waits._failure import Deadline
    from orchestrator.waits._stream import Stream

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9-]*)(?:\+[A-Za-z0-9.-]+)?://")
_PORTS = {
    "amqp": 5672, "amqps": 5671, "ftp": 21, "http": 80, "https": 443, "kafka": 9092, "ldap": 389, "ldaps": 636, "mariadb": 3306,
    "mongodb": 27017, "mqtt": 1883, "mysql": 3306, "nats": 4222, "postgres": 5432, "postgresql": 5432, "redis": 6379, "rediss": 6379,
    "smtp": 25, "smtps": 465, "ssh": 22, "valkey": 6379, "valkeys": 6379,
}  # fmt: skip
"""The port that a URL means when it says none."""
_HEX = r"^([0-9a-fA-F]{2}\s*)+$"
Bytes = Annotated[str, Field(pattern=_HEX)]


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

    url: Templated[Annotated[str, AfterValidator(_url)]] | None = Field(
        None,
        description="A URL of which host and port are taken: that of the driver will do. What else it says is never shown.",
        repr=False,
        examples=["${DATABASE_URL}"],
    )
    family: Templated[Literal["ipv4", "ipv6"]] | None = Field(
        None, description="The kind of address that is connected to."
    )
    local_address: Templated[str] | None = Field(
        None, description="The address of this machine that the connection comes from.", examples=["10.0.0.7"]
    )
    tls: Templated[bool] | Tls = Field(
        False, description="Whether TLS is spoken; a mapping says how the other side is verified."
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.url is None:
            return super()._complete()
        if any(each is not None for each in (self.address, self.host, self.port)):
            raise problem(
                "ORC113", "an address is a URL, one text or its parts, not several", "keep one", "url"
            )
        return self

    def server(self) -> "Server":
        return _server(self.url) if self.url is not None else super().server()

    def shown(self) -> str:
        if self.url is None:
            return super().shown()
        return references(self.url) if pending(self.url) else self.server().where

    def open(self, context: "Context", deadline: "Deadline") -> "Stream":
        """A connection to it, with TLS where that is spoken."""
        server = self.server()
        stream = connect(
            server.host, server.port, deadline, context.environ,
            family=self.family or "", local=self.local_address or "",
        )  # fmt: skip
        if not self.tls:
            return stream
        return secure(stream, server.host, Trust() if self.tls is True else self.tls.trust(context))


class Tcp(Asking):
    """Waits until a port accepts connections. Whether what listens is ready is another question.

    With `send` and `expect` it is asked: a line that it says, or the bytes that it answers with.
    """

    example: ClassVar = {"name": "mail", "tcp": "mail:25", "expect": {"starts_with": "220 "}}

    tcp: Address = Field(
        description="The host and the port.", examples=["db:5432", {"host": "db", "port": 5432}]
    )
    send: Templated[str] | None = Field(
        None,
        description="A text that is sent first; in double quotes `\\r\\n` ends a line.",
        examples=["PING\r\n"],
        repr=False,
    )
    send_hex: Templated[Bytes] | None = Field(
        None, description="Bytes that are sent first.", examples=["00 00 00 08 04 d2 16 2f"]
    )
    expect: AnyMatcher = Field(None, description="A matcher for the first line that the other side says.")
    expect_hex: Templated[Bytes] | None = Field(
        None,
        description="The bytes that it must answer with, as far as they are written here.",
        examples=["53"],
    )

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        for text, raw in (("send", "send_hex"), ("expect", "expect_hex")):
            if text in self.model_fields_set and getattr(self, raw) is not None:
                raise problem("ORC113", f"`{text}` and `{raw}` exclude each other", "keep one of them", raw)
        return self

    def ask(self, context: "Context", deadline: "Deadline") -> "Outcome":
        with self.tcp.open(context, deadline) as stream:
            given = bytes.fromhex(self.send_hex) if self.send_hex else (self.send or "").encode()
            if given:
                stream.send(given)
            if self.expect_hex is not None:
                return self._answer(stream, bytes.fromhex(self.expect_hex))
            if "expect" in self.model_fields_set:
                return self._line(stream.line().decode("utf-8", "replace"))
            return ok(f"{stream.where} accepts connections")

    def _answer(self, stream: "Stream", wanted: bytes) -> "Outcome":
        found = stream.exactly(len(wanted))
        if found != wanted:
            said = f"{self.target()} answers with {found[:16].hex(' ')}, expected {wanted[:16].hex(' ')}"
            raise Failure("unexpected", said)
        return ok(f"{self.target()} answers as expected")

    def _line(self, line: str) -> "Outcome":
        from orchestrator.spec.matching import mismatch

        word = "answers" if self.send or self.send_hex else "greets"
        wrong = mismatch(self.expect, line)
        if wrong:
            raise Failure("unexpected", f"{self.target()} {word} differently: {wrong}")
        return ok(f"{self.target()} {word} as expected")


KIND = Tcp
