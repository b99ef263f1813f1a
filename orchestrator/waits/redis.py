"""`redis`: a Redis (Valkey, KeyDB ...) that serves commands. No driver is needed."""

from typing import TYPE_CHECKING, Annotated, ClassVar, Self

from pydantic import Field, model_validator

from orchestrator.core.outcome import ok
from orchestrator.spec.breaking import TALKING
from orchestrator.spec.errors import problem
from orchestrator.spec.model import Model
from orchestrator.spec.templated import Templated
from orchestrator.spec.types import PathText
from orchestrator.waits._address import WRITABLE
from orchestrator.waits._base import Asking
from orchestrator.waits._failure import Failure
from orchestrator.waits._security import SecuredUrl
from orchestrator.waits._stream import Stream, connect, connect_unix, secure

if TYPE_CHECKING:
    from orchestrator.core.context import Context
    from orchestrator.core.outcome import Outcome
    from orchestrator.waits._failure import Deadline

_UNIX = ("unix", "redis+socket", "redis+unix")
_TEXT_LIMIT = 256 * 1024
_COMMAND = "a wait of its own asks: `command: [redis-cli, -h, cache, {}]`"
_INFO = (
    "use `writable: true`, or a wait with `command: [redis-cli, -h, cache, info]` and `expect: {contains: …}`"
)


class Address(SecuredUrl):
    """Where a Redis is."""

    schemes = ("redis", "rediss", "valkey", "valkeys", "unix")
    secure_schemes = ("rediss", "valkeys")
    default_port = 6379
    parts = ("host", "port", "user", "password", "database", "unix")
    removed_keys: ClassVar = (
        SecuredUrl.removed_keys
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
        False, description="Whether TLS is used where the URL does not say so (rediss://)."
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
        """`key` was once a key of the data; it is the private key of a certificate, as in every address."""
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

    def password_given(self) -> str:
        server = self.server()
        return server.password or server.query.get("password", "")


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
        with self._connected(context, deadline) as stream:
            self._log_in(stream)
            _command(stream, "PING")
            if self.expect is not None and self.expect.writable and _info(stream).get("role") != "master":
                summary = f"{self.target()} is a replica, which is read-only"
                raise Failure("unexpected", summary, "use the master")
        return ok(f"{stream.where} answers")

    def _connected(self, context: "Context", deadline: "Deadline") -> Stream:
        path = self.redis.socket()
        if path:
            return connect_unix(context.path(path), deadline)
        server, trust = self.redis.server(), self.redis.security(context)
        stream = connect(server.host, server.port, deadline, context.environ)
        return secure(stream, server.host, trust) if trust else stream

    def _log_in(self, stream: Stream) -> None:
        user, password = self.redis.server().user, self.redis.password_given()
        if password:
            _command(stream, "AUTH", *([user] if user else []), password)
        if self.redis.number():
            _command(stream, "SELECT", str(self.redis.number()))


# RESP2, which every version speaks: https://redis.io/docs/latest/develop/reference/protocol-spec/


def _command(stream: Stream, *words: str) -> bytes:
    """The reply to a command, empty for null; an error reply is raised as a Failure."""
    parts = [word.encode("utf-8", "surrogateescape") for word in words]
    stream.send(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts))
    while not stream.buffer:
        if not stream.more():
            raise stream.ended()
    kind = stream.buffer[:1]
    if kind not in (b"+", b"-", b":", b"$"):
        raise Failure("protocol", f"{stream.where} does not answer as Redis does: {stream.buffer[:40]!a}")
    line = stream.line()[1:]
    if kind == b"-":
        raise _error(stream.where, words[0], line.decode("utf-8", "replace"))
    return _text(stream, line) if kind == b"$" else line


def _text(stream: Stream, length: bytes) -> bytes:
    if length == b"-1":
        return b""
    if not length.isdigit() or len(length) > 9 or int(length) > _TEXT_LIMIT:
        raise Failure("protocol", f"{stream.where} sent a text of {length[:20]!a} bytes")
    return stream.exactly(int(length) + 2)[:-2]


def _info(stream: Stream) -> dict[str, str]:
    lines = _command(stream, "INFO").decode("utf-8", "replace").splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line and not line.startswith("#"))


def _error(where: str, command: str, message: str) -> Failure:
    """An error of Redis begins with a word for programs."""
    word = message.partition(" ")[0]
    summary = f"{where}: {message[:200]}"
    if word in ("LOADING", "BUSY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN"):
        return Failure("refused", summary)
    if message.startswith("ERR max number of clients"):
        return Failure("refused", summary, "raise its maxclients, or find who holds the connections")
    if word == "NOAUTH":
        summary = f"{where} asks for a password, and none is given"
        return Failure("auth", summary, "write it: redis://:PASSWORD@host")
    if word == "DENIED":
        summary = f"{where} is in protected mode: it accepts connections from its own machine only"
        return Failure("auth", summary, "give it a password, or set protected-mode no")
    if word == "READONLY":
        return Failure("unexpected", f"{where} is a replica, which is read-only", "use the master")
    if word in ("WRONGPASS", "NOPERM") or command == "AUTH":
        return Failure("auth", summary)
    return Failure("unexpected", summary, final=command == "SELECT")


KIND = Redis
