"""Servers that speak as the real ones do, by the word a wait is written with: well, or with no for every password.

Each is what `faulty.serving` is given: a function of one connection. With a certificate TLS is spoken first, or where
the protocol has its place for it. Knows nothing of specs.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Self

from orchestrator.rehearsal.fake_servers import silent, well

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    Talk = Callable[[socket.socket], None]
    Protocol = Callable[["_Line", str], None]

_STATUSES = {
    "auth": b"401 Unauthorized\r\nWWW-Authenticate: Basic",
    "unexpected": b"500 Internal Server Error",
}
NO = "the password is refused by the rehearsal"
_SSL_REQUEST = 80877103


def speaking(word: str, certificate: str = "", no: str = "") -> Talk | None:
    """A server of this kind; None where none is known. `certificate` is the path of its key and certificate.

    `no` is what it says no to: `auth`, a password; `unexpected`, everything, which is for HTTP alone.
    """
    protocol = _PROTOCOLS.get(word)
    if protocol is None:
        return None

    def talk(connection: socket.socket) -> None:
        with _Line(connection, certificate) as line:
            protocol(line, no)

    return talk


class _Line:
    """One connection, which may be secured on the way."""

    def __init__(self, connection: socket.socket, certificate: str) -> None:
        self.connection = connection
        self.certificate = certificate

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def secure(self) -> Self:
        """Speaks TLS from here on, where there is a certificate."""
        if self.certificate:
            import ssl

            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.certificate)
            self.connection = context.wrap_socket(self.connection, server_side=True)
        return self

    def say(self, data: bytes) -> None:
        self.connection.sendall(data)

    def some(self) -> bytes:
        return self.connection.recv(65536)

    def exactly(self, size: int) -> bytes:
        taken = b""
        while len(taken) < size:
            chunk = self.connection.recv(size - len(taken))
            if not chunk:
                raise ConnectionError("it has gone")
            taken += chunk
        return taken


def _plain(line: _Line, no: str) -> None:
    del no
    silent(line.secure().connection)


def _http(line: _Line, no: str) -> None:
    line.secure()
    if not no:
        well(line.connection)
    elif line.some():
        line.say(b"HTTP/1.1 " + _STATUSES[no] + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


def _redis(line: _Line, no: str) -> None:
    line.secure()
    while said := line.some().upper():
        if no:
            line.say(f"-WRONGPASS {NO}\r\n".encode())
        elif b"\nINFO" in said:
            line.say(b"$11\r\nrole:master\r\n")
        else:
            line.say(b"+PONG\r\n" if b"\nPING" in said else b"+OK\r\n")


# PostgreSQL


def _postgres(line: _Line, no: str) -> None:
    size, kind = struct.unpack("!ii", line.exactly(8))
    if kind == _SSL_REQUEST:
        line.say(b"S" if line.certificate else b"N")
        size, kind = struct.unpack("!ii", line.secure().exactly(8))
    line.exactly(size - 8)
    if no:
        line.say(_message(b"R", struct.pack("!i", 3)))
        _said(line)
        line.say(_message(b"E", b"SFATAL\0C28P01\0M" + NO.encode() + b"\0\0"))
        return
    line.say(_message(b"R", struct.pack("!i", 0)) + _message(b"S", b"server_version\x0018.0\0") + _READY)
    while _said(line) == b"Q":
        line.say(_message(b"T", _COLUMN) + _message(b"D", b"\0\1\0\0\0\1f") + _message(b"C", b"OK\0") + _READY)  # fmt: skip


def _message(kind: bytes, payload: bytes) -> bytes:
    return kind + struct.pack("!i", len(payload) + 4) + payload


def _said(line: _Line) -> bytes:
    """The kind of the message that comes next; what it holds does not matter."""
    kind, size = struct.unpack("!ci", line.exactly(5))
    line.exactly(size - 4)
    return bytes(kind)


_READY = _message(b"Z", b"I")
_COLUMN = struct.pack("!h", 1) + b"no\0" + struct.pack("!ihihih", 0, 0, 16, 1, -1, 0)
"""Every query gives one row with `false`: it is no standby."""


# MySQL


def _mysql(line: _Line, no: str) -> None:
    abilities = _ABILITIES | (_TLS if line.certificate else 0)
    _packet(line, 0, _greeting(abilities))
    number, said = _heard(line)
    if struct.unpack_from("<I", said)[0] & _TLS:
        number, said = _heard(line.secure())
    if no:
        _packet(line, number + 1, b"\xff" + struct.pack("<H", 1045) + b"#28000" + NO.encode())
        return
    while said[:1] != _QUIT:
        _packet(line, number + 1, _OK)
        number, said = _heard(line)


_TLS = 0x800
_ABILITIES = 0x1 | 0x8 | 0x200 | 0x2000 | 0x8000 | 0x80000
"""Long passwords, a database at the login, protocol 4.1, transactions, and how passwords are told."""
_OK, _QUIT = b"\0\0\0\2\0\0\0", b"\x01"


def _greeting(abilities: int) -> bytes:
    low, high = struct.pack("<I", abilities)[:2], struct.pack("<I", abilities)[2:]
    return (
        b"\x0a8.4.0-rehearsal\0" + struct.pack("<I", 1) + b"rehearse\0" + low + b"\x2d\2\0" + high + b"\x15" + bytes(10)
        + b"rehearsal123\0mysql_native_password\0"
    )  # fmt: skip


def _packet(line: _Line, number: int, payload: bytes) -> None:
    line.say(len(payload).to_bytes(3, "little") + bytes([number & 0xFF]) + payload)


def _heard(line: _Line) -> tuple[int, bytes]:
    head = line.exactly(4)
    return head[3], line.exactly(int.from_bytes(head[:3], "little"))


# RabbitMQ


def _amqp(line: _Line, no: str) -> None:
    line.secure().exactly(8)
    _method(line, 10, b"\0\x09" + bytes(4) + _long(b"PLAIN") + _long(b"en_US"))
    while True:
        kind = _frame(line)
        if kind == 11 and no:
            reason = f"ACCESS_REFUSED - {NO}".encode()
            _method(line, 50, struct.pack("!HB", 403, len(reason)) + reason + bytes(4))
        elif kind in _ANSWERS:
            _method(line, *_ANSWERS[kind])


_ANSWERS = {11: (30, struct.pack("!HIH", 0, 131072, 0)), 40: (41, b"\0"), 50: (51, b"")}
"""StartOk, Open, Close: what is said to each of them."""


def _frame(line: _Line) -> int:
    """The number of the method that comes next."""
    (size,) = struct.unpack("!3xI", line.exactly(7))
    payload = line.exactly(size + 1)
    return int(struct.unpack_from("!HH", payload)[1]) if size >= 4 else 0


def _method(line: _Line, number: int, arguments: bytes) -> None:
    payload = struct.pack("!HH", 10, number) + arguments
    line.say(struct.pack("!BHI", 1, 0, len(payload)) + payload + b"\xce")


def _long(data: bytes) -> bytes:
    return struct.pack("!I", len(data)) + data


_PROTOCOLS: dict[str, Protocol] = {
    "tcp": _plain, "tls": _plain, "unix": _plain, "http": _http, "redis": _redis, "postgres": _postgres, "mysql": _mysql, "amqp": _amqp,
}  # fmt: skip
