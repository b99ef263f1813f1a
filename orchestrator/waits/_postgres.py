"""PostgreSQL's protocol, version 3, as far as a readiness check needs it: TLS, authentication, plain queries.

https://www.postgresql.org/docs/current/protocol.html
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from orchestrator.waits._failure import Failure
from orchestrator.waits._stream import secure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.waits._stream import Stream
    from orchestrator.waits._tls import Trust

_PROTOCOL = 196608
_SSL_REQUEST = 80877103
_MESSAGE_LIMIT = 1024 * 1024
_ROWS_KEPT = 100
_SETTINGS_KEPT = 100
_MOST_ITERATIONS = 600_000
"""A server that asks for more would keep this process busy."""
_IMPOSTOR = "it may be another server that answers at this address"
_CONVERTED = {16, 20, 21, 23, 114, 700, 701, 1700, 3802}
"""The types that are converted from text: booleans, numbers and JSON."""


@dataclass(frozen=True, slots=True)
class Login:
    """Who logs in to which database."""

    user: str
    database: str
    password: str = field(default="", repr=False)
    proving: bool = True
    """Whether a user is given; without one, any answer of a running server is good enough."""
    clear_text: bool = True
    """Whether the password may be sent as it is."""


class Rows(NamedTuple):
    """The answer to a query."""

    first: list[list[Any]]
    """The first hundred rows."""
    total: int
    """The number of all rows."""


class Session:
    """A connection on which somebody has logged in."""

    def __init__(self, stream: Stream, login: Login) -> None:
        self.stream = stream
        self.login = login
        self.facts: dict[str, str] = {}
        """Settings that the server reports, such as `server_version`."""
        self.unproven = ""
        """Why the login could not be tried although the server is ready."""
        self.asked = False
        """Whether the server asked for a proof of the user."""
        self._accepted = False

    def enter(self) -> None:
        """Logs in, until the server is ready for queries; raises Failure."""
        login = self.login
        words = {"user": login.user, "database": login.database, "application_name": "orchestrator"}
        body = b"".join(_text(key) + _text(value) for key, value in words.items()) + b"\0"
        self.stream.send(struct.pack("!ii", len(body) + 8, _PROTOCOL) + body)
        scram: _Scram | None = None
        for kind, payload in self._messages():
            if kind == b"Z":
                if not self._accepted:
                    raise Failure(
                        "protocol", f"{self.stream.where} is ready without having accepted the login"
                    )
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
        login, where = self.login, self.stream.where
        (kind,) = struct.unpack_from("!i", payload)
        self.asked = self.asked or kind != 0
        if kind in (3, 5, 10) and not login.password:
            raise Failure("auth", f"{where} asks for a password, and none is given", "write `password`")
        if kind == 3 and not login.clear_text:
            raise Failure(
                "auth",
                f"{where} asks for the password in clear text on a connection without TLS",
                "use TLS (`sslmode: require`), or scram-sha-256 in its pg_hba.conf",
            )
        if kind == 3:
            self._send(b"p", _text(login.password))
        elif kind == 5:
            self._send(b"p", _text(_md5(login, payload[4:8])))
        elif kind == 10:
            scram = self._scram(payload[4:])
        elif kind == 11 and scram:
            self._send(b"p", scram.proof(payload[4:], where))
        elif kind == 12 and scram:
            scram.verify(payload[4:], where)
        elif kind == 0:
            if scram and not scram.verified:
                raise Failure("auth", f"{where} did not prove that it knows the password", _IMPOSTOR)
            self._accepted = True
        else:
            self.unproven = f"; it asks for an authentication (number {kind}) that cannot be tried here"
        return scram

    def _scram(self, mechanisms: bytes) -> _Scram:
        if b"SCRAM-SHA-256" not in mechanisms.split(b"\0"):
            raise Failure("protocol", f"{self.stream.where} offers no authentication that is known here")
        scram = _Scram(self.login.password)
        first = scram.first()
        self._send(b"p", _text("SCRAM-SHA-256") + struct.pack("!i", len(first)) + first)
        return scram

    def query(self, text: str) -> list[list[Any]]:
        """The first rows of a query: their values as text, numbers, booleans or None. Raises Failure."""
        return self.rows(text).first

    def rows(self, text: str) -> Rows:
        """The first rows of a query and the number of all; raises Failure."""
        self._send(b"Q", _text(text))
        rows: list[list[Any]] = []
        types: list[int] = []
        count = 0
        failure: Failure | None = None
        for kind, payload in self._messages(rows=_ROWS_KEPT):
            if kind == b"T":
                types = _types(payload)
            elif kind == b"D":
                count += 1
                if count <= _ROWS_KEPT:
                    rows.append(_row(payload, types))
            elif kind == b"E":
                failure = error(self.stream.where, payload)
            elif kind == b"Z":
                break
        if failure:
            raise failure
        return Rows(rows, count)

    def overheard(self) -> str:
        """Reads one message that was not asked for: why the server ends the connection, or an empty text."""
        kind, payload = next(self._messages(settings=True))
        return error(self.stream.where, payload).summary if kind == b"E" else ""

    def leave(self) -> None:
        self._send(b"X", b"")

    def _send(self, kind: bytes, payload: bytes) -> None:
        self.stream.send(kind + struct.pack("!i", len(payload) + 4) + payload)

    def _messages(self, *, settings: bool = False, rows: int = 0) -> Iterator[tuple[bytes, bytes]]:
        """The server's messages. Its settings are noted and only yielded on demand; of rows behind the first, the content is skipped."""
        kept = 0
        while True:
            kind, size = struct.unpack("!ci", self.stream.exactly(5))
            kept += kind == b"D"
            if kind == b"D" and kept > rows and size >= 4:
                self.stream.skip(size - 4)
                yield kind, b""
                continue
            if not kind.isalpha() or not 4 <= size <= _MESSAGE_LIMIT:
                raise self._unreadable(kind, size)
            payload = self.stream.exactly(size - 4)
            if kind == b"S" and len(self.facts) < _SETTINGS_KEPT:
                name, _, value = payload.rstrip(b"\0").partition(b"\0")
                self.facts[name[:64].decode("utf-8", "replace")] = value[:256].decode("utf-8", "replace")
            if kind != b"S" or settings:
                yield kind, payload

    def _unreadable(self, kind: bytes, size: int) -> Failure:
        if kind == b"D" and size > _MESSAGE_LIMIT:
            return Failure(
                "unexpected", f"{self.stream.where}: a row of the query is larger than 1 MiB", "select less"
            )
        return _not_postgres(self.stream, kind + struct.pack("!i", size))


def _not_postgres(stream: Stream, start: bytes) -> Failure:
    return Failure(
        "protocol", f"{stream.where} does not answer as PostgreSQL does: {start + stream.take(30)!a}"
    )


def secured(stream: Stream, host: str, mode: str, trust: Trust) -> Stream:
    """The connection with TLS as `sslmode` asks for it."""
    if mode in ("disable", "allow"):
        return stream
    stream.send(struct.pack("!ii", 8, _SSL_REQUEST))
    answer = stream.exactly(1)
    if answer == b"S":
        return secure(stream, host, trust)
    if answer == b"E":
        stream.buffer = answer + stream.buffer
        return stream  # an error before TLS is agreed on: too many connections, for example
    if answer != b"N":
        raise _not_postgres(stream, answer)
    if mode != "prefer":
        raise Failure("tls", f"{stream.where} offers no TLS, and sslmode is {mode}", "set ssl = on there")
    return stream


_BUSY = (
    "no more connections allowed|query_wait_timeout|too many connections|cannot connect|login has been failing|server conn crashed"
    "|paused|shutting down|starting up|client_login_timeout|server_login_retry"
)
_REJECTED = "no such user|authentication failed|auth failed|wrong password|login rejected|auth_query|(?:SSL|TLS) required|^not allowed$"
_POOLER = ((_BUSY, "53300"), ("no such database|is disabled", "3D000"), (_REJECTED, "28P01"))
"""PgBouncer has the code 08P01 for most errors; its words are given the code that PostgreSQL has for them."""


def _state(state: str, message: str) -> str:
    if "cached error" in message and ("authentication failed" in message or "does not exist" in message):
        return "28P01" if "authentication failed" in message else "3D000"
    if state != "08P01":
        return state
    return next((meant for words, meant in _POOLER if re.search(words, message)), state)


def error(where: str, payload: bytes) -> Failure:
    """The failure that an error of the server stands for."""
    fields = {part[:1]: part[1:].decode("utf-8", "replace") for part in payload.split(b"\0") if part}
    state, message = fields.get(b"C", "")[:5], fields.get(b"M", "")[:200]
    summary = f"{where}: {message} ({state})"
    meant = _state(state, message)
    if meant in ("57P01", "57P02", "57P03"):
        return Failure("refused", summary)
    if meant == "53300":
        pooler = "the pooler has no free connection; it may have one soon"
        return Failure(
            "refused",
            summary,
            "raise its max_connections, or find who holds the connections" if state == meant else pooler,
        )
    if meant in ("28P01", "28000", "42501"):
        return Failure("auth", summary, _hint_for_login(meant, message))
    if meant == "3D000":
        return Failure(
            "unexpected",
            summary,
            "create it: POSTGRES_DB of its image, or createdb; a pooler needs it in [databases]",
        )
    return Failure("protocol" if state.startswith("08") else "unexpected", summary)


def _hint_for_login(state: str, message: str) -> str:
    if "pg_hba.conf" in message:
        return "its pg_hba.conf decides who may connect, from where, and whether TLS is needed (sslmode)"
    if state != "28P01":
        return ""
    return "compare it with the server's password: POSTGRES_PASSWORD counts only for an empty volume, which keeps the first one"


def _text(value: str) -> bytes:
    if "\0" in value:
        raise Failure("unexpected", "PostgreSQL cannot be sent a NUL character", final=True)
    return value.encode("utf-8", "surrogateescape") + b"\0"


def _md5(login: Login, salt: bytes) -> str:
    from hashlib import md5

    def digest(data: bytes) -> str:
        return md5(data, usedforsecurity=False).hexdigest()

    inner = digest(_text(login.password)[:-1] + _text(login.user)[:-1])
    return "md5" + digest(inner.encode() + salt)


class _Scram:
    """SCRAM-SHA-256 (RFC 5802, RFC 7677), the client's side."""

    def __init__(self, password: str) -> None:
        from os import urandom

        self.password = _text(_prepared(password))[:-1]
        self.nonce = urandom(18).hex()
        self.signature = b""
        self.verified = False

    def first(self) -> bytes:
        return b"n,," + self._bare()

    def _bare(self) -> bytes:
        return f"n=,r={self.nonce}".encode()

    def proof(self, challenge: bytes, where: str) -> bytes:
        """The answer to the server's challenge."""
        from binascii import Error, a2b_base64, b2a_base64
        from hashlib import pbkdf2_hmac, sha256

        try:
            parts = dict(part.split(b"=", 1) for part in challenge.split(b","))
            nonce, salt, iterations = parts[b"r"], a2b_base64(parts[b"s"]), int(parts[b"i"])
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
            raise Failure("auth", f"{where} does not know the password itself", _IMPOSTOR)
        self.verified = True


def _hmac(key: bytes, message: bytes) -> bytes:
    from hmac import digest

    return digest(key, message, "sha256")


def _prepared(password: str) -> str:
    """SASLprep (RFC 4013); a password that it forbids is used unchanged, as the server does."""
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
    """The value in its type; a number or JSON that Python cannot read stays a text."""
    if kind == 16:
        return text == "t"
    if kind not in _CONVERTED:
        return text
    try:
        if kind in (114, 3802):
            import json

            return json.loads(text)
        return int(text) if text.lstrip("-").isdecimal() else float(text)
    except (ValueError, RecursionError):
        return text
