"""PostgreSQL's protocol, version 3, as far as a readiness check needs it: TLS, authentication, plain queries.

Knows nothing of specs. https://www.postgresql.org/docs/current/protocol.html
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from orchestrator.waits._failure import Failure
from orchestrator.waits._stream import Stream, Trust, secure

if TYPE_CHECKING:
    from collections.abc import Iterator

_PROTOCOL = 196608
_SSL_REQUEST = 80877103
_MESSAGE_LIMIT = 1024 * 1024
_MOST_ITERATIONS = 600_000
"""More of them would be a way to keep this process busy."""
_CONVERTED = {16, 20, 21, 23, 114, 700, 701, 1700, 3802}
"""The types of which a value is not left as text: booleans, numbers and JSON."""


@dataclass(frozen=True, slots=True)
class Login:
    """Who enters which database."""

    user: str
    database: str
    password: str = field(default="", repr=False)
    proving: bool = True
    """Whether the user is meant; else any answer that comes from a running server is well."""


class Session:
    """A connection on which somebody has logged in."""

    def __init__(self, stream: Stream, login: Login) -> None:
        self.stream = stream
        self.login = login
        self.facts: dict[str, str] = {}
        """What the server says of itself, such as `server_version`."""
        self.unproven = ""
        """Why the login could not be tried, though the server is ready."""

    def enter(self) -> None:
        """Logs in, until the server is ready for queries; raises Failure."""
        login = self.login
        words = {"user": login.user, "database": login.database, "application_name": "orchestrator"}
        body = b"".join(_text(key) + _text(value) for key, value in words.items()) + b"\0"
        self.stream.send(struct.pack("!ii", len(body) + 8, _PROTOCOL) + body)
        scram: _Scram | None = None
        for kind, payload in self._messages():
            if kind == b"Z":
                return
            if kind == b"R":
                if not login.proving:
                    return
                scram = self._authenticate(payload, scram)
                if self.unproven:
                    return
            elif kind == b"E":
                self._refused(payload)
                return

    def _refused(self, payload: bytes) -> None:
        failure = error(self.stream.where, payload)
        if self.login.proving or failure.reason not in ("auth", "unexpected"):
            raise failure

    def _authenticate(self, payload: bytes, scram: _Scram | None) -> _Scram | None:
        login = self.login
        (kind,) = struct.unpack_from("!i", payload)
        if kind in (3, 5, 10) and not login.password:
            raise Failure(
                "auth", f"{self.stream.where} asks for a password, and none is given", "write `password`"
            )
        if kind == 3:
            self._say(b"p", _text(login.password))
        elif kind == 5:
            self._say(b"p", _text(_md5(login, payload[4:8])))
        elif kind == 10:
            scram = self._scram(payload[4:])
        elif kind == 11 and scram:
            self._say(b"p", scram.proof(payload[4:], self.stream.where))
        elif kind == 12 and scram:
            scram.verify(payload[4:], self.stream.where)
        elif kind != 0:
            self.unproven = f"; it asks for an authentication (number {kind}) that cannot be tried here"
        return scram

    def _scram(self, mechanisms: bytes) -> _Scram:
        if b"SCRAM-SHA-256" not in mechanisms.split(b"\0"):
            raise Failure("protocol", f"{self.stream.where} offers no authentication that is known here")
        scram = _Scram(self.login.password)
        first = scram.first()
        self._say(b"p", _text("SCRAM-SHA-256") + struct.pack("!i", len(first)) + first)
        return scram

    def query(self, text: str) -> list[list[Any]]:
        """The rows of a query, their values as text, numbers, booleans or None; raises Failure."""
        self._say(b"Q", _text(text))
        rows: list[list[Any]] = []
        types: list[int] = []
        failure: Failure | None = None
        for kind, payload in self._messages():
            if kind == b"T":
                types = _types(payload)
            elif kind == b"D" and len(rows) < 1000:
                rows.append(_row(payload, types))
            elif kind == b"E":
                failure = error(self.stream.where, payload)
            elif kind == b"Z":
                break
        if failure:
            raise failure
        return rows

    def overheard(self) -> str:
        """One message that was not asked for: why the server ends the connection, or nothing of interest."""
        kind, payload = next(self._messages(news=True))
        return error(self.stream.where, payload).summary if kind == b"E" else ""

    def leave(self) -> None:
        self._say(b"X", b"")

    def _say(self, kind: bytes, payload: bytes) -> None:
        self.stream.send(kind + struct.pack("!i", len(payload) + 4) + payload)

    def _messages(self, *, news: bool = False) -> Iterator[tuple[bytes, bytes]]:
        """What the server says; its settings are only noted, unless every word is news."""
        while True:
            kind, size = struct.unpack("!ci", self.stream.exactly(5))
            if not kind.isalpha() or not 4 <= size <= _MESSAGE_LIMIT:
                start = kind + struct.pack("!i", size) + self.stream.take(30)
                raise Failure(
                    "protocol", f"{self.stream.where} does not answer as PostgreSQL does: {start!a}"
                )
            payload = self.stream.exactly(size - 4)
            if kind == b"S":
                name, _, value = payload.rstrip(b"\0").partition(b"\0")
                self.facts[name.decode("utf-8", "replace")] = value.decode("utf-8", "replace")
            if kind != b"S" or news:
                yield kind, payload


def secured(stream: Stream, host: str, mode: str, trust: Trust) -> Stream:
    """The connection with TLS as `sslmode` wants it."""
    if mode in ("disable", "allow"):
        return stream
    stream.send(struct.pack("!ii", 8, _SSL_REQUEST))
    answer = stream.exactly(1)
    if answer == b"S":
        return secure(stream, host, trust)
    if answer == b"E":
        stream.buffer = answer + stream.buffer
        return stream  # told before TLS is spoken of: too many connections, for example
    if answer != b"N":
        start = answer + stream.take(30)
        raise Failure("protocol", f"{stream.where} does not answer as PostgreSQL does: {start!a}")
    if mode != "prefer":
        raise Failure("tls", f"{stream.where} offers no TLS, and sslmode is {mode}", "set ssl = on there")
    return stream


def error(where: str, payload: bytes) -> Failure:
    """The failure that an error of the server is."""
    fields = {part[:1]: part[1:].decode("utf-8", "replace") for part in payload.split(b"\0") if part}
    state, message = fields.get(b"C", ""), fields.get(b"M", "")[:200]
    told = f"{where}: {message} ({state})"
    if state in ("57P01", "57P02", "57P03"):
        return Failure("refused", told)
    if state == "53300":
        return Failure("refused", told, "raise its max_connections, or find who holds the connections")
    if state in ("28P01", "28000", "42501"):
        return Failure("auth", told, _hint_for_login(state, message))
    if state == "3D000":
        return Failure("unexpected", told, "somebody must create it: POSTGRES_DB of its image, or createdb")
    return Failure("protocol" if state.startswith("08") else "unexpected", told)


def _hint_for_login(state: str, message: str) -> str:
    if "pg_hba.conf" in message:
        return "its pg_hba.conf decides who may come, from where, and whether TLS is needed (sslmode)"
    if state != "28P01":
        return ""
    return "compare it with the password the server has: POSTGRES_PASSWORD counts only for an empty volume, which keeps the first"


def _text(value: str) -> bytes:
    return value.encode() + b"\0"


def _md5(login: Login, salt: bytes) -> str:
    from hashlib import md5

    def digest(data: bytes) -> str:
        return md5(data, usedforsecurity=False).hexdigest()

    inner = digest(login.password.encode() + login.user.encode())
    return "md5" + digest(inner.encode() + salt)


class _Scram:
    """SCRAM-SHA-256 (RFC 5802, RFC 7677), the client's side."""

    def __init__(self, password: str) -> None:
        from os import urandom

        self.password = _prepared(password).encode()
        self.nonce = urandom(18).hex()
        self.signature = b""

    def first(self) -> bytes:
        return b"n,," + self._bare()

    def _bare(self) -> bytes:
        return f"n=,r={self.nonce}".encode()

    def proof(self, challenge: bytes, where: str) -> bytes:
        """The answer to the server's challenge."""
        from binascii import Error, a2b_base64, b2a_base64
        from hashlib import pbkdf2_hmac, sha256

        try:
            said = dict(part.split(b"=", 1) for part in challenge.split(b","))
            nonce, salt, iterations = said[b"r"], a2b_base64(said[b"s"]), int(said[b"i"])
        except (ValueError, KeyError, Error):
            raise Failure("protocol", f"{where} sent a challenge that cannot be read") from None
        if not nonce.startswith(self.nonce.encode()) or not 0 < iterations <= _MOST_ITERATIONS:
            raise Failure("protocol", f"{where} sent a challenge that is not right")
        salted = pbkdf2_hmac("sha256", self.password, salt, iterations)
        key = _hmac(salted, b"Client Key")
        final = b"c=biws,r=" + nonce
        authentic = self._bare() + b"," + challenge + b"," + final
        self.signature = _hmac(_hmac(salted, b"Server Key"), authentic)
        mask = _hmac(sha256(key).digest(), authentic)
        proof = bytes(one ^ other for one, other in zip(key, mask, strict=True))
        return final + b",p=" + b2a_base64(proof, newline=False)

    def verify(self, final: bytes, where: str) -> None:
        """Whether the server knows the password too."""
        from binascii import b2a_base64
        from hmac import compare_digest

        wanted = b"v=" + b2a_base64(self.signature, newline=False)
        if not compare_digest(final.partition(b",")[0], wanted):
            raise Failure("auth", f"{where} does not know the password itself", "it may be another server")


def _hmac(key: bytes, message: bytes) -> bytes:
    from hmac import digest

    return digest(key, message, "sha256")


def _prepared(password: str) -> str:
    """SASLprep (RFC 4013); what it forbids is taken as it is, as the server does."""
    if password.isascii():
        return password
    import stringprep
    from unicodedata import normalize

    spaced = "".join(" " if stringprep.in_table_c12(each) else each for each in password)
    text = normalize("NFKC", "".join(each for each in spaced if not stringprep.in_table_b1(each)))
    forbidden = (stringprep.in_table_c21_c22, stringprep.in_table_c3, stringprep.in_table_a1)
    return password if not text or any(test(each) for each in text for test in forbidden) else text


def _types(payload: bytes) -> list[int]:
    (count,) = struct.unpack_from("!h", payload)
    types, offset = [], 2
    for _ in range(count):
        offset = payload.index(b"\0", offset) + 1
        types.append(struct.unpack_from("!i", payload, offset + 6)[0])
        offset += 18
    return types


def _row(payload: bytes, types: list[int]) -> list[Any]:
    row, offset = [], 2
    for each in types:
        (size,) = struct.unpack_from("!i", payload, offset)
        offset += 4
        row.append(
            None if size < 0 else _value(payload[offset : offset + size].decode("utf-8", "replace"), each)
        )
        offset += max(size, 0)
    return row


def _value(text: str, kind: int) -> Any:
    if kind not in _CONVERTED:
        return text
    if kind == 16:
        return text == "t"
    if kind in (114, 3802):
        import json

        return json.loads(text)
    return int(text) if text.lstrip("-").isdecimal() else float(text)
