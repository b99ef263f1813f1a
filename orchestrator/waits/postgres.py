"""`postgres`: a PostgreSQL into which the service can log in. Speaks its protocol itself; needs no driver."""

import struct
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self, get_args

from pydantic import Field, model_validator

from orchestrator.core.outcome import ok
from orchestrator.spec.breaking import TALKING
from orchestrator.spec.errors import problem
from orchestrator.spec.model import Lazy
from orchestrator.spec.templated import Templated
from orchestrator.spec.types import PathText
from orchestrator.waits._address import WRITABLE, Url
from orchestrator.waits._base import Asking
from orchestrator.waits._failure import Failure
from orchestrator.waits._stream import Stream, Trust, connect, connect_unix

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.core.context import Context
    from orchestrator.core.outcome import Outcome
    from orchestrator.waits._address import Server
    from orchestrator.waits._database import Expectation
    from orchestrator.waits._failure import Deadline
    from orchestrator.waits._postgres import Login, Session
else:
    Expectation = Annotated[Any, Lazy("orchestrator.waits._database:Expectation")]

SslMode = Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]


class Address(Url):
    """Where a PostgreSQL is, and who logs in."""

    schemes = ("postgresql", "postgres")
    default_port = 5432
    parts = ("host", "port", "user", "password", "database")
    removed_keys: ClassVar = WRITABLE

    database: Templated[str] | None = Field(
        None, description="The database; that of the user's name without it."
    )
    sslmode: Templated[SslMode] | None = Field(
        None,
        description="Whether TLS is used and what is verified, in PostgreSQL's words; `prefer` without it.",
    )
    ca: Templated[PathText] | None = Field(
        None, description="A file with the authorities that are trusted instead of the system's."
    )
    certificate: Templated[PathText] | None = Field(
        None, description="A file with the certificate that is shown to the server."
    )
    key: Templated[PathText] | None = Field(
        None, description="The certificate's private key, where it is not in the same file."
    )

    @model_validator(mode="after")
    def _known_mode(self) -> Self:
        if not self.pending and self.mode() not in get_args(SslMode):
            raise problem(
                "ORC117", "the URL's sslmode is not known", "one of " + ", ".join(get_args(SslMode))
            )
        return self

    def server(self) -> "Server":
        from dataclasses import replace

        server = super().server()
        host = server.query.get("host") or server.host
        port = server.query.get("port", "")
        if "," in host:
            raise problem("ORC117", "the URL names several hosts", "write a wait for each of them")
        return replace(server, host=host, port=int(port) if port.isdecimal() else server.port)

    def mode(self) -> str:
        """The TLS that is wanted; asyncpg's word for it is understood as well."""
        query = self.server().query
        written = query.get("sslmode") or query.get("ssl") or "prefer"
        return self.sslmode or {"true": "require", "false": "disable"}.get(written.lower(), written)

    def login(self, environ: dict[str, str]) -> "Login":
        """Who logs in; what is not written is taken from PGUSER, PGPASSWORD and PGDATABASE, as drivers do."""
        from urllib.parse import unquote

        from orchestrator.waits._postgres import Login

        server = self.server()
        user = server.user or server.query.get("user", "") or environ.get("PGUSER", "")
        written = unquote(server.path.strip("/")) or server.query.get("dbname", "")
        database = self.database or written or environ.get("PGDATABASE", "") or user or "postgres"
        password = server.password or server.query.get("password", "") or environ.get("PGPASSWORD", "")
        return Login(user or "postgres", database, password, proving=bool(user))

    def trust(self, context: "Context") -> Trust:
        mode, query = self.mode(), self.server().query
        ca = self.ca or query.get("sslrootcert", "")
        verify = mode in ("verify-ca", "verify-full") or (mode == "require" and bool(ca))
        paths = (
            ca if ca != "system" else "",
            self.certificate or query.get("sslcert", ""),
            self.key or query.get("sslkey", ""),
        )
        found, certificate, key = (context.path(each) if each else "" for each in paths)
        return Trust("", verify, found, certificate, key, check_name=mode == "verify-full")

    def shown(self) -> str:
        if self.pending:
            return super().shown()
        server = self.server()
        name = self.database or server.path.strip("/")
        return (
            f"{server.where if not server.host.startswith('/') else server.host}{f'/{name}' if name else ''}"
        )


class Postgres(Asking):
    """Waits until a PostgreSQL lets the user into the database, after start-up and recovery.

    Without a user it waits until the server takes logins. The password is proven (SCRAM-SHA-256, md5 or plain).
    """

    ways = TALKING
    example: ClassVar = {
        "name": "db",
        "postgres": {"host": "db", "user": "app", "password": "${DB_PASSWORD}", "database": "app"},
    }

    postgres: Address = Field(
        description="The URL, or its parts.", examples=["postgresql://app:password@db:5432/app"]
    )
    expect: Expectation | None = Field(
        None, description="A query, or what the database must be like.", examples=[{"writable": True}]
    )

    def logs_in(self) -> bool:
        from orchestrator.waits._breaking import has_user

        return has_user(self)

    def ask(self, context: "Context", deadline: "Deadline") -> "Outcome":
        session = self.open(context, deadline)
        with session.stream:
            if session.unproven or not session.login.proving:
                return self._not_entered(session)
            with _readable(session):
                self._judge(session, deadline)
            session.leave()
        version = session.facts.get("server_version", "")
        return ok(f"{self.target()} let {session.login.user} in", version=version)

    def _not_entered(self, session: "Session") -> "Outcome":
        """Nobody is logged in: of what is in the database nothing can be said."""
        if self.expect is None:
            return ok(f"{self.target()} takes logins" + session.unproven)
        said = f"{self.target()} takes logins{session.unproven}; what is expected of it takes a user"
        raise Failure("auth", said, "write `user`, or set PGUSER")

    def open(self, context: "Context", deadline: "Deadline") -> "Session":
        """A connection on which the user has logged in; who opens it closes its stream. Raises Failure."""
        from orchestrator.waits._postgres import Session

        session = Session(self._connected(context, deadline), self.postgres.login(context.environ))
        try:
            with _readable(session):
                session.enter()
        except BaseException:
            session.stream.connection.close()
            raise
        return session

    def _connected(self, context: "Context", deadline: "Deadline") -> Stream:
        from orchestrator.waits._postgres import secured

        server = self.postgres.server()
        if server.host.startswith("/"):
            return connect_unix(f"{server.host.rstrip('/')}/.s.PGSQL.{server.port}", deadline)
        stream = connect(server.host, server.port, deadline, context.environ)
        try:
            return secured(stream, server.host, self.postgres.mode(), self.postgres.trust(context))
        except Failure:
            stream.connection.close()
            raise

    def _judge(self, session: "Session", deadline: "Deadline") -> None:
        if self.expect is None:
            return
        if self.expect.writable and session.query("SELECT pg_is_in_recovery()") != [[False]]:
            raise Failure(
                "unexpected", f"{self.target()} is a standby, which takes no writes", "ask for the primary"
            )
        if self.expect.query is not None:
            from orchestrator.waits._database import compare

            with _reading(session, deadline):
                compare(self.target(), self.expect, session.query(self.expect.query))


@contextmanager
def _readable(session: "Session") -> "Iterator[None]":
    try:
        yield
    except (ValueError, IndexError, struct.error):
        raise Failure("protocol", f"{session.stream.where} sent a message that cannot be read") from None


@contextmanager
def _reading(session: "Session", deadline: "Deadline") -> "Iterator[None]":
    """Reads only, and ends on the server too when nobody waits for it any more."""
    left = max(int(deadline.left * 1000), 1)
    session.query("BEGIN READ ONLY")
    session.query(f"SET LOCAL statement_timeout = {left}")
    yield
    session.query("ROLLBACK")


KIND = Postgres
