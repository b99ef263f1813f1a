"""`amqp`: a RabbitMQ (AMQP 0-9-1) that opens a virtual host. Speaks its protocol itself; needs no driver."""

import struct
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from orchestrator.core.outcome import ok
from orchestrator.spec.breaking import TALKING
from orchestrator.spec.templated import Templated
from orchestrator.waits._address import Server, Tls, Url, parse_url
from orchestrator.waits._base import Asking
from orchestrator.waits._failure import Failure
from orchestrator.waits._stream import Stream, connect, secure

if TYPE_CHECKING:
    from orchestrator.core.context import Context
    from orchestrator.core.outcome import Outcome
    from orchestrator.waits._failure import Deadline

_HEADER = b"AMQP\x00\x00\x09\x01"
_FRAME_LIMIT = 128 * 1024
_START, _START_OK, _TUNE, _TUNE_OK = (10, 10), (10, 11), (10, 30), (10, 31)
_OPEN, _OPEN_OK, _CLOSE, _CLOSE_OK = (10, 40), (10, 41), (10, 50), (10, 51)


class Address(Url, Tls):
    """Where a RabbitMQ is, and who logs in."""

    schemes = ("amqp", "amqps", "pyamqp", "rabbitmq")
    default_port = 5672
    parts = ("host", "port", "user", "password", "vhost")

    vhost: Templated[str] | None = Field(None, description="The virtual host; `/` without it.")
    tls: Templated[bool] = Field(False, description="Whether TLS is spoken, where no URL says so (amqps://).")

    def secured(self) -> bool:
        return self.server().scheme == "amqps"

    def server(self) -> Server:
        """With TLS the usual port is another."""
        if self.url is None:
            port = self.port or (5671 if self.tls else 5672)
            scheme = "amqps" if self.tls else "amqp"
            return Server(super().server().host, port, scheme, self.user or "", self.password or "")
        secured = self.url.lower().startswith("amqps:")
        found = parse_url(self.url, self.schemes, 5671 if secured else 5672)
        return (
            found
            if found.host
            else Server("localhost", found.port, found.scheme, found.user, found.password, found.path)
        )

    def virtual_host(self) -> str:
        """`amqp://host`, `amqp://host/` and `amqp://host//` all mean `/`, as most clients have it."""
        from urllib.parse import unquote

        return self.vhost or unquote(self.server().path[1:]) or "/"


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

    def ask(self, context: "Context", deadline: "Deadline") -> "Outcome":
        server = self.amqp.server()
        stream = connect(server.host, server.port, deadline, context.environ)
        if self.amqp.secured():
            stream = secure(stream, server.host, self.amqp.trust(context))
        with stream:
            try:
                return self._logged_in(_Talk(stream), server)
            except (struct.error, IndexError):
                raise Failure("protocol", f"{stream.where} sent a message that cannot be read") from None

    def _logged_in(self, talk: "_Talk", server: Server) -> "Outcome":
        where = talk.stream.where
        talk.begin()
        if not server.user:
            return ok(f"{where} speaks AMQP")
        talk.enter(server.user, server.password)
        talk.open(self.amqp.virtual_host())
        talk.leave()
        return ok(f"{where} let {server.user} into {self.amqp.virtual_host()}")


class _Talk:
    """Methods on channel 0."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.mechanisms = b""

    def begin(self) -> None:
        self.stream.send(_HEADER)
        payload = self._expect(_START)
        (table,) = struct.unpack_from("!I", payload, 2)
        self.mechanisms = _long_text(payload, 6 + table)

    def enter(self, user: str, password: str) -> None:
        if b"PLAIN" not in self.mechanisms.split():
            raise Failure("auth", f"{self.stream.where} does not take passwords (PLAIN)")
        # With this capability a wrong password is said; else the connection just ends.
        capability = _short_text("authentication_failure_close") + b"t\x01"
        table = _short_text("capabilities") + b"F" + _long(capability)
        response = f"\0{user}\0{password}".encode()
        self._say(_START_OK, _long(table) + _short_text("PLAIN") + _long(response) + _short_text("en_US"))
        try:
            self._say(_TUNE_OK, self._expect(_TUNE)[:6] + b"\0\0")
        except Failure as failure:
            if failure.reason != "protocol" or self.stream.buffer:
                raise
            raise Failure("auth", f"{self.stream.where} ended the connection when {user} logged in") from None

    def open(self, vhost: str) -> None:
        self._say(_OPEN, _short_text(vhost) + b"\0\0")
        self._expect(_OPEN_OK)

    def leave(self) -> None:
        self._say(_CLOSE, struct.pack("!H", 200) + b"\0" + b"\0\0\0\0")
        self._expect(_CLOSE_OK)

    def _say(self, method: tuple[int, int], arguments: bytes) -> None:
        payload = struct.pack("!HH", *method) + arguments
        self.stream.send(struct.pack("!BHI", 1, 0, len(payload)) + payload + b"\xce")

    def _expect(self, method: tuple[int, int]) -> bytes:
        """The arguments of the method that must come now; raises Failure."""
        found, arguments = self._next()
        if found == _CLOSE:
            raise _closed(self.stream.where, arguments)
        if found != method:
            raise self._strange(struct.pack("!HH", *found))
        return arguments

    def _next(self) -> tuple[tuple[int, int], bytes]:
        while True:
            head = self.stream.exactly(7)
            if head.startswith(b"AMQP"):
                raise Failure("protocol", f"{self.stream.where} speaks another version of AMQP than 0-9-1")
            kind, channel, size = struct.unpack("!BHI", head)
            if kind not in (1, 8) or channel or size > _FRAME_LIMIT:
                raise self._strange(head)
            payload = self.stream.exactly(size + 1)
            if payload[-1:] != b"\xce" or (kind == 1 and size < 4):
                raise self._strange(head)
            if kind == 1:
                return struct.unpack_from("!HH", payload), payload[4:-1]

    def _strange(self, start: bytes) -> Failure:
        shown = start + self.stream.take(30)
        return Failure("protocol", f"{self.stream.where} does not answer as RabbitMQ does: {shown!a}")


def _closed(where: str, arguments: bytes) -> Failure:
    (code,) = struct.unpack_from("!H", arguments)
    text = arguments[3 : 3 + arguments[2]].decode("utf-8", "replace")[:200]
    told = f"{where}: {text} ({code})"
    if code == 403:
        guest = "guest may log in from its own machine alone" if "guest" in text else ""
        return Failure("auth", told, guest)
    if code == 530 and "access to vhost" in text and "refused" in text:
        return Failure("auth", told, "give the user rights: rabbitmqctl set_permissions")
    if code == 530:
        return Failure(
            "unexpected", told, "somebody must create it: RABBITMQ_DEFAULT_VHOST, or rabbitmqctl add_vhost"
        )
    if code in (320, 541, 506):
        return Failure("refused", told)
    return Failure("unexpected", told)


def _short_text(text: str) -> bytes:
    data = text.encode()[:255]
    return bytes([len(data)]) + data


def _long(data: bytes) -> bytes:
    return struct.pack("!I", len(data)) + data


def _long_text(payload: bytes, offset: int) -> bytes:
    (size,) = struct.unpack_from("!I", payload, offset)
    return payload[offset + 4 : offset + 4 + size]


KIND = Amqp
