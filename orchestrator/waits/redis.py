"""`redis`: a Redis (Valkey, KeyDB ...) that serves commands. Speaks its protocol itself; needs no driver."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, ClassVar, Self

from pydantic import Field, model_validator

from orchestrator.core.outcome import ok
from orchestrator.spec.breaking import TALKING
from orchestrator.spec.errors import problem
from orchestrator.spec.model import Model
from orchestrator.spec.templated import Templated
from orchestrator.spec.types import PathText
from orchestrator.waits._address import WRITABLE, Server, Tls, Url
from orchestrator.waits._base import Asking
from orchestrator.waits._failure import Failure
from orchestrator.waits._stream import Stream, connect, connect_unix, secure

if TYPE_CHECKING:
    from orchestrator.core.context import Context
    from orchestrator.core.outcome import Outcome
    from orchestrator.waits._failure import Deadline
    from orchestrator.waits._redis import Talk
    from orchestrator.waits._stream import Trust

_TLS = ("rediss", "valkeys")
_UNIX = ("unix", "redis+socket", "redis+unix")


_COMMAND = "a wait of its own asks: `command: [redis-cli, -h, cache, {}]`"
_INFO = (
    "use `writable: true`, or a wait with `command: [redis-cli, -h, cache, info]` and `expect: {contains: …}`"
)


class Address(Url, Tls):
    """Where a Redis is."""

    schemes = ("redis", "rediss", "valkey", "valkeys", "unix")
    default_port = 6379
    parts = ("host", "port", "user", "password", "database", "unix")
    removed_keys: ClassVar = (
        Tls.removed_keys
        | WRITABLE
        | {
            "max_latency": "set the `timeout` of the wait, which bounds one attempt",
            "round_trip": "write `expect: {writable: true}`",
            "cluster": _COMMAND.format("cluster, info") + " with `expect: {contains: 'cluster_state:ok'}`",
            "sentinel": "write the address of the master; a sentinel is asked by a wait of its own: `command: "
            "[redis-cli, -h, sentinel, -p, '26379', sentinel, get-master-addr-by-name, mymaster]`",
            "min_version": _COMMAND.format("info, server")
            + " with `expect: {matches: 'redis_version:[78]'}`",
        }
    )

    database: Templated[Annotated[int, Field(ge=0)]] | None = Field(
        None, description="The number of the database."
    )
    tls: Templated[bool] = Field(
        False, description="Whether TLS is spoken, where no URL says so (rediss://)."
    )
    unix: Templated[PathText] | None = Field(
        None, description="The path of a unix socket, instead of host and port."
    )

    @model_validator(mode="after")
    def _numbered(self) -> Self:
        if not self.pending:
            self.number()
        return self

    @model_validator(mode="after")
    def _no_key_of_data(self) -> Self:
        """`key` once was a key of the data; it is the private key of a certificate, as with every address."""
        if self.key is not None and self.certificate is None:
            hint = _COMMAND.format("exists, config:loaded") + ' with `expect: "1"`'
            raise problem(
                "ORC104", "`key` was removed; without a `certificate` it has no meaning", hint, "key"
            )
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


class Expectation(Model):
    """What a Redis must be like beyond answering."""

    noun = "expectation"
    removed_keys: ClassVar = dict.fromkeys(
        ("role", "redis_version", "loading", "master_link_status", "maxmemory_policy", "connected_clients"),
        _INFO,
    )

    writable: Templated[bool] = Field(False, description="Whether it must take writes: a replica does not.")


class Redis(Asking):
    """Waits until a Redis answers PING, with the given user and password, and has loaded its data."""

    ways = TALKING
    example: ClassVar = {"name": "cache", "redis": "redis://cache:6379/0", "expect": {"writable": True}}

    redis: Address = Field(description="The URL, or its parts.", examples=["redis://:password@cache:6379/0"])
    expect: Expectation | None = Field(
        None, description="What it must be like beyond answering.", examples=[{"writable": True}]
    )

    def logs_in(self) -> bool:
        from orchestrator.waits._breaking import address

        known = address(self)
        if known is None:
            return True
        server = known.server()
        return bool(server.password or server.query.get("password"))

    def speaks_tls(self) -> bool:
        return super().speaks_tls() or self.redis.tls is True

    def ask(self, context: "Context", deadline: "Deadline") -> "Outcome":
        from orchestrator.waits._redis import Talk

        with self._connected(context, deadline) as stream:
            talk = Talk(stream)
            self._enter(talk)
            talk.ask("PING")
            if self.expect is not None and self.expect.writable and talk.info().get("role") != "master":
                summary = f"{self.target()} is a replica, which takes no writes"
                raise Failure("unexpected", summary, "ask for the master")
        return ok(f"{stream.where} answers")

    def _connected(self, context: "Context", deadline: "Deadline") -> Stream:
        path = self.redis.socket()
        if path:
            return connect_unix(context.path(path), deadline)
        server = self.redis.server()
        stream = connect(server.host, server.port, deadline, context.environ)
        trust = self.redis.security(context)
        return secure(stream, server.host, trust) if trust else stream

    def _enter(self, talk: "Talk") -> None:
        server = _credentials(self.redis)
        if server.password:
            talk.ask("AUTH", *([server.user] if server.user else []), server.password)
        if self.redis.number():
            talk.ask("SELECT", str(self.redis.number()))


def _credentials(address: Address) -> Server:
    if address.url is None:
        return Server("", 0, "", address.user or "", address.password or "")
    server = address.server()
    password = server.password or server.query.get("password", "")
    return Server("", 0, "", server.user, password)


KIND = Redis
