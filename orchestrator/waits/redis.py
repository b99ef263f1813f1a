"""`redis`: a Redis (Valkey, KeyDB ...) that serves commands. Speaks its protocol itself; needs no driver."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, ClassVar, Self

from orchestrator.engine.outcome import ok
from orchestrator.spec.expect import Matchers
from orchestrator.spec.fields import Field, model_validator
from orchestrator.spec.model import described, problem
from orchestrator.spec.types import PathText
from orchestrator.waits._address import Server, Tls, Url
from orchestrator.waits._base import Asking
from orchestrator.waits._failure import Failure
from orchestrator.waits._stream import Stream, connect, connect_unix, secure

if TYPE_CHECKING:
    from orchestrator.engine.context import Context
    from orchestrator.engine.outcome import Outcome
    from orchestrator.waits._failure import Deadline
    from orchestrator.waits._stream import Trust

_BULK_LIMIT = 256 * 1024
_TLS = ("rediss", "valkeys")
_UNIX = ("unix", "redis+socket", "redis+unix")


class Address(Url, Tls):
    """Where a Redis is."""

    schemes = ("redis", "rediss", "valkey", "valkeys", "unix")
    default_port = 6379
    parts = ("host", "port", "user", "password", "database", "unix")

    database: Annotated[int, Field(ge=0)] | None = described(None, "The number of the database.")
    tls: bool = described(False, "Whether TLS is spoken, where no URL says so (rediss://).")
    unix: PathText | None = described(None, "The path of a unix socket, instead of host and port.")
    writable: bool = described(False, "Whether it must take writes: a replica does not.")

    @model_validator(mode="after")
    def _numbered(self) -> Self:
        if not self.pending:
            self.number()
        return self

    def complete(self) -> bool:
        return super().complete() or self.unix is not None

    def socket(self) -> str:
        """The path of the unix socket, or nothing."""
        if self.url is None:
            return self.unix or ""
        server = self.server()
        return server.path if server.scheme in _UNIX else ""

    def number(self) -> int:
        """The number of the database."""
        if self.url is None:
            return self.database or 0
        server = self.server()
        written = server.query.get("db") or server.query.get("virtual_host") or ""
        if not written and not self.socket():
            written = server.path.strip("/")
        if written and not (written.isascii() and written.isdecimal()):
            raise problem("ORC117", "the URL's database is not a number", "for example redis://host:6379/0")
        return int(written or 0)

    def shown(self) -> str:
        return str(self.unix or self.socket()) if not self.pending and self.socket() else super().shown()

    def security(self, context: Context) -> Trust | None:
        """How TLS is verified; None without TLS. The words of redis-py in the URL are understood."""
        server = self.server() if self.url is not None else None
        if not (server.scheme in _TLS if server else self.tls):
            return None
        query = server.query if server else {}
        trust = self.trust(context)
        verify = trust.verify and query.get("ssl_cert_reqs", "required").lower() not in ("none", "cert_none")
        ca = query.get("ssl_ca_certs", "")
        return replace(trust, verify=verify, ca=context.path(ca) if ca else trust.ca)


class Redis(Asking):
    """Waits until a Redis answers PING, with the given user and password, and has loaded its data."""

    example: ClassVar = {"name": "cache", "redis": "redis://cache:6379/0", "expect": {"role": "master"}}

    redis: Address = described(..., "The URL, or its parts.", examples=["redis://:password@cache:6379/0"])
    expect: Matchers | None = described(
        None,
        "Matchers for what INFO says, by name; whole numbers are numbers.",
        examples=[{"redis_version": {"version": ">=7"}}],
    )

    def ask(self, context: Context, deadline: Deadline) -> Outcome:
        with self._connected(context, deadline) as stream:
            talk = _Talk(stream)
            self._enter(talk)
            talk.well("PING")
            facts = talk.info() if self.redis.writable or self.expect else {}
            self._judge(facts)
        return ok(f"{stream.where} answers")

    def _connected(self, context: Context, deadline: Deadline) -> Stream:
        path = self.redis.socket()
        if path:
            return connect_unix(context.path(path), deadline)
        server = self.redis.server()
        trust = self.redis.security(context)
        stream = connect(server.host, server.port, deadline, context.environ)
        return secure(stream, server.host, trust) if trust else stream

    def _enter(self, talk: _Talk) -> None:
        server = _credentials(self.redis)
        if server.password:
            talk.well("AUTH", *([server.user] if server.user else []), server.password)
        if self.redis.number():
            talk.well("SELECT", str(self.redis.number()))

    def _judge(self, facts: dict[str, str | int]) -> None:
        where = self.target()
        if self.redis.writable and facts.get("role") != "master":
            raise Failure("unexpected", f"{where} is a replica, which takes no writes", "ask for the master")
        if self.expect:
            from orchestrator.engine.matching import mismatches

            for wrong in mismatches(self.expect, facts):
                raise Failure("unexpected", f"{where}: {wrong}")


def _credentials(address: Address) -> Server:
    if address.url is None:
        return Server("", 0, "", address.user or "", address.password or "")
    server = address.server()
    password = server.password or server.query.get("password", "")
    return Server("", 0, "", server.user, password)


class _Talk:
    """Commands and replies, in RESP2, which every version speaks."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream

    def well(self, *words: str) -> bytes:
        """The reply to a command; an error is a failure with a reason."""
        parts = [word.encode() for word in words]
        command = b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts)
        self.stream.send(command)
        return self._reply(words[0])

    def _reply(self, command: str) -> bytes:
        while len(self.stream.buffer) < 1:
            if not self.stream.more():
                raise self.stream.ended()
        kind = self.stream.buffer[:1]
        if kind not in (b"+", b"-", b":", b"$"):
            start = self.stream.buffer[:40].decode("latin-1")
            raise Failure("protocol", f"{self.stream.where} does not answer as Redis does: {start!a}")
        line = self.stream.line()[1:]
        if kind == b"-":
            raise _error(self.stream.where, command, line.decode("utf-8", "replace"))
        return self._bulk(line) if kind == b"$" else line

    def _bulk(self, length: bytes) -> bytes:
        if not length.isdigit() or int(length) > _BULK_LIMIT:
            raise Failure("protocol", f"{self.stream.where} sent a text of {length[:20]!a} bytes")
        return self.stream.exactly(int(length) + 2)[:-2]

    def info(self) -> dict[str, str | int]:
        lines = self.well("INFO").decode("utf-8", "replace").splitlines()
        pairs = (line.split(":", 1) for line in lines if ":" in line and not line.startswith("#"))
        return {
            key: int(value) if value.isascii() and value.isdecimal() and len(value) < 20 else value
            for key, value in pairs
        }


def _error(where: str, command: str, said: str) -> Failure:
    """Redis begins an error with a word for programs."""
    word = said.partition(" ")[0]
    told = f"{where}: {said[:200]}"
    if word in ("LOADING", "BUSY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN"):
        return Failure("refused", told)
    if said.startswith("ERR max number of clients"):
        return Failure("refused", told, "raise its maxclients, or find who holds the connections")
    if word == "NOAUTH":
        return Failure(
            "auth", f"{where} asks for a password, and none is given", "write it: redis://:PASSWORD@host"
        )
    if word == "DENIED":
        return Failure("auth", f"{where} is in protected mode: it takes connections from its own machine alone",
                       "give it a password, or set protected-mode no")  # fmt: skip
    if word in ("WRONGPASS", "NOPERM") or command == "AUTH":
        return Failure("auth", told)
    return Failure("unexpected", told, final=command == "SELECT")


KIND = Redis
