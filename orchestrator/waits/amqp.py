"""`amqp`: a RabbitMQ (AMQP 0-9-1) that opens a virtual host. No driver is needed."""

import re
import struct
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from orchestrator.core.outcome import ok
from orchestrator.spec.breaking import TALKING
from orchestrator.spec.errors import problem
from orchestrator.spec.templated import Templated
from orchestrator.waits._address import Server, any_of, parse_urls
from orchestrator.waits._base import Asking
from orchestrator.waits._failure import Failure
from orchestrator.waits._security import SecuredUrl
from orchestrator.waits._stream import Stream, connect, secure

if TYPE_CHECKING:
    from orchestrator.core.context import Context
    from orchestrator.core.outcome import Outcome
    from orchestrator.waits._failure import Deadline

_HEADER = b"AMQP\x00\x00\x09\x01"
_FRAME_LIMIT = 128 * 1024
_START, _START_OK, _TUNE, _TUNE_OK = (10, 10), (10, 11), (10, 30), (10, 31)
_OPEN, _OPEN_OK, _CLOSE, _CLOSE_OK = (10, 40), (10, 41), (10, 50), (10, 51)


_NEXT_URL = re.compile(r";(?=[A-Za-z][A-Za-z0-9+.-]*://)")


class Address(SecuredUrl):
    """Where a RabbitMQ is, and who logs in. Of several URLs with `;` between them any will do."""

    schemes = ("amqp", "amqps", "pyamqp", "rabbitmq")
    secure_schemes = ("amqps",)
    default_port = 5672
    parts = ("host", "port", "user", "password", "vhost")

    vhost: Templated[str] | None = Field(None, description="The virtual host; `/` without it.")
    tls: Templated[bool] = Field(
        False, description="Whether TLS is used where the URL does not say so (amqps://)."
    )

    def servers(self) -> list[Server]:
        """The servers of all URLs; with TLS the default port is another."""
        if self.url is None:
            server = super().servers()[0]
            scheme, port = ("amqps", 5671) if self.tls else ("amqp", 5672)
            return [replace(server, scheme=scheme, port=self.port or port)]
        found = [
            server
            for url in _NEXT_URL.split(self.url)
            for server in parse_urls(url, self.schemes, 5671 if url.lower().startswith("amqps:") else 5672)
        ]
        first = found[0]
        if any((each.scheme, each.query) != (first.scheme, first.query) for each in found):
            raise problem(
                "ORC117", "the URLs differ in their scheme or options", "write a wait for each of them"
            )
        return [each if each.host else replace(each, host="localhost") for each in found]

    def virtual_host(self, server: Server | None = None) -> str:
        """`amqp://host`, `amqp://host/` and `amqp://host//` all mean `/`, as in most clients."""
        from urllib.parse import unquote

        return self.vhost or unquote((server or self.server()).path[1:]) or "/"


class Amqp(Asking):
    """Waits until a RabbitMQ lets the user into the virtual host. Without a user it must greet in AMQP 0-9-1."""

    ways = TALKING
    example: ClassVar = {"name": "broker", "amqp": "amqp://broker:5672"}

    amqp: Address = Field(
        description="The URL, or its parts.", examples=["amqp://app:password@broker:5672/app"]
    )

    def logs_in(self) -> bool:
        from orchestrator.waits._breaking import has_user

        return has_user(self)

    def speaks_tls(self) -> bool:
        return super().speaks_tls() or self.amqp.tls is True

    def ask(self, context: "Context", deadline: "Deadline") -> "Outcome":
        return any_of(self.amqp.servers(), deadline, lambda server, share: self._ask(server, context, share))

    def _ask(self, server: Server, context: "Context", deadline: "Deadline") -> "Outcome":
        trust = self.amqp.security(context)
        stream = connect(server.host, server.port, deadline, context.environ)
        with secure(stream, server.host, trust) if trust else stream:
            try:
                return self._logged_in(_Client(stream), server)
            except (struct.error, IndexError):
                raise Failure("protocol", f"{stream.where} sent a message that cannot be read") from None

    def _logged_in(self, client: "_Client", server: Server) -> "Outcome":
        where, vhost = client.stream.where, self.amqp.virtual_host(server)
        client.begin()
        if not server.user:
            return ok(f"{where} speaks AMQP")
        client.log_in(server.user, server.password)
        client.open(vhost)
        client.leave()
        return ok(f"{where} let {server.user} into {vhost}")


class _Client:
    """Calls methods on channel 0."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.mechanisms = b""

    def begin(self) -> None:
        self.stream.send(_HEADER)
        payload = self._expect(_START)
        (table,) = struct.unpack_from("!I", payload, 2)
        self.mechanisms = _long_text(payload, 6 + table)

    def log_in(self, user: str, password: str) -> None:
        if b"PLAIN" not in self.mechanisms.split():
            raise Failure("auth", f"{self.stream.where} does not accept passwords (PLAIN)")
        # With this capability the server reports a wrong password; otherwise it just closes the connection.
        capability = _short_text("authentication_failure_close") + b"t\x01"
        table = _short_text("capabilities") + b"F" + _long(capability)
        response = f"\0{user}\0{password}".encode("utf-8", "surrogateescape")
        self._send(_START_OK, _long(table) + _short_text("PLAIN") + _long(response) + _short_text("en_US"))
        try:
            self._send(_TUNE_OK, self._expect(_TUNE)[:6] + b"\0\0")
        except Failure as failure:
            if failure.reason != "protocol" or self.stream.buffer:
                raise
            raise Failure(
                "auth", f"{self.stream.where} closed the connection when {user} logged in"
            ) from None

    def open(self, vhost: str) -> None:
        self._send(_OPEN, _short_text(vhost) + b"\0\0")
        self._expect(_OPEN_OK)

    def leave(self) -> None:
        self._send(_CLOSE, struct.pack("!H", 200) + b"\0" + b"\0\0\0\0")
        self._expect(_CLOSE_OK)

    def _send(self, method: tuple[int, int], arguments: bytes) -> None:
        payload = struct.pack("!HH", *method) + arguments
        self.stream.send(struct.pack("!BHI", 1, 0, len(payload)) + payload + b"\xce")

    def _expect(self, method: tuple[int, int]) -> bytes:
        """The arguments of the method that must come now; raises Failure."""
        found, arguments = self._next()
        if found == _CLOSE:
            raise _closed(self.stream.where, arguments)
        if found != method:
            raise self._not_rabbitmq(struct.pack("!HH", *found))
        return arguments

    def _next(self) -> tuple[tuple[int, int], bytes]:
        while True:
            head = self.stream.exactly(7)
            if head.startswith(b"AMQP"):
                raise Failure("protocol", f"{self.stream.where} speaks another version of AMQP than 0-9-1")
            kind, channel, size = struct.unpack("!BHI", head)
            if kind not in (1, 8) or channel or size > _FRAME_LIMIT:
                raise self._not_rabbitmq(head)
            payload = self.stream.exactly(size + 1)
            if payload[-1:] != b"\xce" or (kind == 1 and size < 4):
                raise self._not_rabbitmq(head)
            if kind == 1:
                return struct.unpack_from("!HH", payload), payload[4:-1]

    def _not_rabbitmq(self, start: bytes) -> Failure:
        found = start + self.stream.take(30)
        return Failure("protocol", f"{self.stream.where} does not answer as RabbitMQ does: {found!a}")


def _closed(where: str, arguments: bytes) -> Failure:
    (code,) = struct.unpack_from("!H", arguments)
    text = arguments[3 : 3 + arguments[2]].decode("utf-8", "replace")[:200]
    summary = f"{where}: {text} ({code})"
    if code == 403:
        guest = "guest may log in from its own machine only" if "guest" in text else ""
        return Failure("auth", summary, guest)
    if code == 530 and "access to vhost" in text and "refused" in text:
        return Failure("auth", summary, "grant them: rabbitmqctl set_permissions")
    if code == 530:
        return Failure("unexpected", summary, "create it: RABBITMQ_DEFAULT_VHOST, or rabbitmqctl add_vhost")
    if code in (320, 541, 506):
        return Failure("refused", summary)
    return Failure("unexpected", summary)


def _short_text(text: str) -> bytes:
    data = text.encode("utf-8", "surrogateescape")[:255]
    return bytes([len(data)]) + data


def _long(data: bytes) -> bytes:
    return struct.pack("!I", len(data)) + data


def _long_text(payload: bytes, offset: int) -> bytes:
    (size,) = struct.unpack_from("!I", payload, offset)
    return payload[offset + 4 : offset + 4 + size]


KIND = Amqp
