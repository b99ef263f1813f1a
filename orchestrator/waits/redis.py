"""`redis`: a Redis (Valkey, KeyDB ...) that serves commands. Speaks its protocol itself; needs no driver."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, ClassVar, Self

from pydantic import AfterValidator, Field, model_validator

from orchestrator.core.outcome import ok
from orchestrator.spec.errors import problem
from orchestrator.spec.expect import Matchers
from orchestrator.spec.templated import Templated
from orchestrator.spec.types import Duration, PathText
from orchestrator.waits._address import Server, Tls, Url
from orchestrator.waits._base import Asking
from orchestrator.waits._failure import Failure
from orchestrator.waits._stream import Stream, connect, connect_unix, secure
from orchestrator.waits._versions import Least, older

if TYPE_CHECKING:
    from orchestrator.core.context import Context
    from orchestrator.core.outcome import Outcome
    from orchestrator.waits._failure import Deadline
    from orchestrator.waits._redis import Talk
    from orchestrator.waits._stream import Trust

_TLS = ("rediss", "valkeys")
_UNIX = ("unix", "redis+socket", "redis+unix")


_MORE = {"key", "max_latency", "round_trip", "cluster"}
"""What is asked in a module of its own: few ask for it."""


def _some_key(value: str) -> str:
    if not value:
        raise problem("ORC115", "expected a key, got an empty text", "for example config:loaded")
    return value


class Address(Url, Tls):
    """Where a Redis is."""

    schemes = ("redis", "rediss", "valkey", "valkeys", "unix")
    default_port = 6379
    parts = ("host", "port", "user", "password", "database", "unix")

    database: Templated[Annotated[int, Field(ge=0)]] | None = Field(
        None, description="The number of the database."
    )
    tls: Templated[bool] = Field(
        False, description="Whether TLS is spoken, where no URL says so (rediss://)."
    )
    unix: Templated[PathText] | None = Field(
        None, description="The path of a unix socket, instead of host and port."
    )
    writable: Templated[bool] = Field(False, description="Whether it must take writes: a replica does not.")
    min_version: Templated[Least] | None = Field(
        None, description="The least version of the server.", examples=["7.0"]
    )
    key: Templated[Annotated[str, AfterValidator(_some_key), Field(min_length=1)]] | Matchers | None = Field(
        None,
        description="A key that must be there, or keys, each with a matcher for its text.",
        examples=["config:loaded", {"schema": "3"}],
    )
    max_latency: Templated[Duration] | None = Field(
        None, description="How long PING may take; the best of three counts.", examples=["20ms"]
    )
    round_trip: Templated[bool] = Field(
        False,
        description="Whether a text must be written, read again and removed: a replica answers PING, too.",
    )
    cluster: Templated[bool] = Field(
        False, description="Whether it must be a node of a cluster that serves all its slots."
    )
    sentinel: Templated[str] | None = Field(
        None,
        description="The name of a master: the address is that of a sentinel, which says where the master is.",
        examples=["mymaster"],
    )

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

    def security(self, context: "Context") -> "Trust | None":
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

    redis: Address = Field(description="The URL, or its parts.", examples=["redis://:password@cache:6379/0"])
    expect: Matchers | None = Field(
        None,
        description="Matchers for what INFO says, by name; whole numbers are numbers.",
        examples=[{"redis_version": {"version": ">=7"}}],
    )

    def ask(self, context: "Context", deadline: "Deadline") -> "Outcome":
        from orchestrator.waits._redis import Talk

        with self._connected(context, deadline) as stream:
            talk = Talk(stream)
            self._enter(talk)
            talk.well("PING")
            asked = self.redis
            facts = talk.info() if asked.writable or asked.min_version or self.expect else {}
            self._judge(facts)
            if asked.model_fields_set & _MORE:
                from orchestrator.waits._redis_facts import judge

                judge(self.target(), asked, talk)
        return ok(f"{stream.where} answers")

    def _connected(self, context: "Context", deadline: "Deadline") -> Stream:
        path = self.redis.socket()
        if path:
            return connect_unix(context.path(path), deadline)
        server = self.redis.server()
        host, port = server.host, server.port
        if self.redis.sentinel is not None:
            from orchestrator.waits._redis import Talk
            from orchestrator.waits._redis_facts import master

            with self._secured(host, port, context, deadline) as stream:
                host, port = master(self.redis.sentinel, Talk(stream))
        return self._secured(host, port, context, deadline)

    def _secured(self, host: str, port: int, context: "Context", deadline: "Deadline") -> Stream:
        trust = self.redis.security(context)
        stream = connect(host, port, deadline, context.environ)
        return secure(stream, host, trust) if trust else stream

    def _enter(self, talk: "Talk") -> None:
        server = _credentials(self.redis)
        if server.password:
            talk.well("AUTH", *([server.user] if server.user else []), server.password)
        if self.redis.number():
            talk.well("SELECT", str(self.redis.number()))

    def _judge(self, facts: dict[str, str | int]) -> None:
        where = self.target()
        if self.redis.writable and facts.get("role") != "master":
            raise Failure("unexpected", f"{where} is a replica, which takes no writes", "ask for the master")
        if self.redis.min_version is not None:
            for said, hint in older(str(facts.get("redis_version", "")), self.redis.min_version):
                raise Failure("unexpected", f"{where}: {said}", hint)
        if self.expect:
            from orchestrator.spec.matching import mismatches

            for wrong in mismatches(self.expect, facts):
                raise Failure("unexpected", f"{where}: {wrong}")


def _credentials(address: Address) -> Server:
    if address.url is None:
        return Server("", 0, "", address.user or "", address.password or "")
    server = address.server()
    password = server.password or server.query.get("password", "")
    return Server("", 0, "", server.user, password)


KIND = Redis
