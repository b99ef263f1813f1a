"""`postgres`: a PostgreSQL that the service can log in to. No driver is needed."""

import struct
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self, get_args

from pydantic import Field, model_validator

from orchestrator.core.outcome import ok
from orchestrator.spec.breaking import TALKING
from orchestrator.spec.errors import problem
from orchestrator.spec.model import Lazy
from orchestrator.spec.templated import Templated
from orchestrator.spec.types import PathText
from orchestrator.waits._address import WRITABLE, Server, Url, any_of, host_name, split_port
from orchestrator.waits._base import Asking
from orchestrator.waits._failure import Failure
from orchestrator.waits._security import TlsOptions
from orchestrator.waits._stream import Stream, connect, connect_unix
from orchestrator.waits._tls import Trust

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.core.context import Context
    from orchestrator.core.outcome import Outcome
    from orchestrator.waits._database import Expectation
    from orchestrator.waits._failure import Deadline
    from orchestrator.waits._postgres import Login, Session
else:
    Expectation = Annotated[Any, Lazy("orchestrator.waits._database:Expectation")]

SslMode = Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]
SessionAttributes = Literal["any", "read-write", "read-only", "primary", "standby", "prefer-standby"]


class Address(Url):
    """Where a PostgreSQL is, and who logs in."""

    schemes = ("postgresql", "postgres")
    default_port = 5432
    several = True
    parts = ("host", "port", "user", "password", "database")
    removed_keys: ClassVar = WRITABLE

    host: Templated[str] | None = Field(
        None,
        description="A name, an address, or the directory of a unix socket; several with commas, of which any will do.",
    )

    database: Templated[str] | None = Field(
        None, description="The database; that of the user's name without it."
    )
    sslmode: Templated[SslMode] | None = Field(
        None,
        description="Whether TLS is used and what is verified, in PostgreSQL's words; `prefer` without it.",
    )
    target_session_attrs: Templated[SessionAttributes] | None = Field(
        None, description="Which of several servers will do, in PostgreSQL's words.", examples=["read-write"]
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
    def _known_words(self) -> Self:
        if not self.pending:
            self.mode()
            if self.session_attributes() not in get_args(SessionAttributes):
                known = "one of " + ", ".join(get_args(SessionAttributes))
                raise problem("ORC117", "the URL's target_session_attrs is not known", known)
        return self

    def servers(self) -> list[Server]:
        """The hosts of the URL, or of its options `host` and `port`, as libpq and SQLAlchemy write them."""
        if self.url is None:
            base = Server("", self.port or self.default_port, "", self.user or "", self.password or "")
            hosts = self.host or ""
        else:
            base, *others = super().servers()
            hosts = base.query.get("host", "")
            if not hosts:
                return _with_ports([base, *others])
        places = [_place(each, base.port) for each in hosts.split(",")]
        return _with_ports([replace(base, host=host, port=port) for host, port in places])

    def session_attributes(self) -> str:
        return self.target_session_attrs or self.server().query.get("target_session_attrs") or "any"

    def options(self) -> TlsOptions:
        options = TlsOptions.of(self.server().query)
        default = "verify-full" if options.ca == "system" else "prefer"
        return replace(options, mode=self.sslmode or options.mode or default)

    def mode(self) -> str:
        return self.options().mode

    def login(self, environ: dict[str, str]) -> "Login":
        """Who logs in; what is missing is taken from PGUSER, PGPASSWORD and PGDATABASE, as drivers do."""
        from urllib.parse import unquote

        from orchestrator.waits._postgres import Login

        server = self.server()
        user = server.user or server.query.get("user", "") or environ.get("PGUSER", "")
        written = unquote(server.path.strip("/")) or server.query.get("dbname", "")
        database = self.database or written or environ.get("PGDATABASE", "") or user or "postgres"
        password = server.password or server.query.get("password", "") or environ.get("PGPASSWORD", "")
        return Login(user or "postgres", database, password, proving=bool(user))

    def trust(self, context: "Context") -> Trust:
        ca, certificate, key = (
            context.path(each) if each else "" for each in (self.ca, self.certificate, self.key)
        )
        return self.options().applied(Trust("", True, ca, certificate, key), context)

    def shown(self) -> str:
        if self.pending:
            return super().shown()
        servers = self.servers()
        name = self.database or servers[0].path.strip("/")
        hosts = ",".join(each.host if each.host.startswith("/") else each.where for each in servers)
        return f"{hosts}/{name}" if name else hosts


def _place(text: str, default_port: int) -> tuple[str, int]:
    """A host with or without a port."""
    if text.startswith("/") or (text.count(":") > 1 and not text.startswith("[")):
        return text, default_port
    host, port = split_port(text, default_port)
    return host_name(host), port


def _with_ports(servers: list[Server]) -> list[Server]:
    """With the ports of the URL's option: one for all hosts, or one for each."""
    ports = [each for each in servers[0].query.get("port", "").split(",") if each]
    if not ports:
        return servers
    if len(ports) not in (1, len(servers)) or not all(each.isascii() and each.isdecimal() for each in ports):
        raise problem(
            "ORC117", "the URL's option `port` does not fit", "one port for all hosts, or one for each"
        )
    given = ports * len(servers) if len(ports) == 1 else ports
    return [replace(server, port=int(port[:6])) for server, port in zip(servers, given, strict=True)]


class Postgres(Asking):
    """Waits until a PostgreSQL lets the user into the database, after start-up and recovery.

    Without a user it waits until the server accepts logins. The password is proven (SCRAM-SHA-256, md5, or in clear
    text over TLS). Of several hosts any will do, or the first that fits `target_session_attrs`.
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
        return any_of(
            self.postgres.servers(), deadline, lambda server, share: self._ask(server, context, share)
        )

    def _ask(self, server: Server, context: "Context", deadline: "Deadline") -> "Outcome":
        session = self._opened(server, context, deadline)
        with session.stream:
            if session.unproven or not session.login.proving:
                return self._not_entered(session)
            with _readable(session):
                self._judge(session, self.postgres.session_attributes(), deadline)
            session.leave()
        version = session.facts.get("server_version", "")
        unasked = " without asking for the password" if session.login.password and not session.asked else ""
        return ok(f"{self.target()} let {session.login.user} in{unasked}", version=version)

    def _not_entered(self, session: "Session") -> "Outcome":
        """Without a login nothing is known about the database's content."""
        if self.expect is None and self.postgres.session_attributes() == "any":
            return ok(f"{self.target()} accepts logins" + session.unproven)
        summary = (
            f"{self.target()} accepts logins{session.unproven}; to look at what is expected takes a user"
        )
        raise Failure("auth", summary, "write `user`, or set PGUSER")

    def open(self, context: "Context", deadline: "Deadline") -> "Session":
        """A connection on which the user has logged in; the caller closes its stream. Raises Failure.

        Of several hosts it is the primary, so that all callers share one server.
        """

        def opened(server: Server, share: "Deadline") -> "Session":
            session = self._opened(server, context, share)
            if len(servers) > 1:
                try:
                    with _readable(session):
                        self._check_attributes(session, "read-write")
                except BaseException:
                    session.stream.connection.close()
                    raise
            return session

        servers = self.postgres.servers()
        return any_of(servers, deadline, opened)

    def _opened(self, server: Server, context: "Context", deadline: "Deadline") -> "Session":
        from orchestrator.waits._postgres import Session

        stream, clear_text = self._connected(server, context, deadline)
        login = replace(self.postgres.login(context.environ), clear_text=clear_text)
        session = Session(stream, login)
        try:
            with _readable(session):
                session.enter()
        except BaseException:
            session.stream.connection.close()
            raise
        return session

    def _connected(self, server: Server, context: "Context", deadline: "Deadline") -> tuple[Stream, bool]:
        """The connection, and whether a password may be sent on it as it is."""
        from orchestrator.waits._postgres import secured

        mode = self.postgres.mode()
        if server.host.startswith("/"):
            return connect_unix(f"{server.host.rstrip('/')}/.s.PGSQL.{server.port}", deadline), True
        stream = connect(server.host, server.port, deadline, context.environ)
        plain = stream.connection
        try:
            stream = secured(stream, server.host, mode, self.postgres.trust(context))
        except Failure:
            stream.connection.close()
            raise
        return stream, mode == "disable" or stream.connection is not plain

    def _judge(self, session: "Session", attributes: str, deadline: "Deadline") -> None:
        self._check_attributes(session, attributes)
        if self.expect is None:
            return
        if self.expect.writable and session.query("SELECT pg_is_in_recovery()") != [[False]]:
            raise Failure(
                "unexpected", f"{session.stream.where} is a standby, which is read-only", "use the primary"
            )
        if self.expect.query is not None:
            from orchestrator.waits._database import compare

            with _reading(session, deadline):
                rows, count = session.rows(self.expect.query)
                compare(self.target(), self.expect, rows[0] if rows else None, count)

    def _check_attributes(self, session: "Session", wanted: str) -> None:
        """Whether the server is of the kind that `target_session_attrs` names."""
        if wanted in ("any", "prefer-standby"):
            return
        rows = session.query(
            "SELECT pg_is_in_recovery(), pg_is_in_recovery() OR current_setting('transaction_read_only')::bool"
        )
        standby, read_only = rows[0]
        fits = {
            "read-write": not read_only, "read-only": read_only, "primary": not standby, "standby": standby,
        }  # fmt: skip
        if not fits[wanted]:
            found = "a standby" if standby else "read-only" if read_only else "a primary that takes writes"
            raise Failure(
                "unexpected", f"{session.stream.where} is {found}, and target_session_attrs is {wanted}"
            )


@contextmanager
def _readable(session: "Session") -> "Iterator[None]":
    try:
        yield
    except (ValueError, IndexError, struct.error):
        raise Failure("protocol", f"{session.stream.where} sent a message that cannot be read") from None


@contextmanager
def _reading(session: "Session", deadline: "Deadline") -> "Iterator[None]":
    """A read-only transaction that the server ends, too, when its time is up."""
    left = max(int(deadline.left * 1000), 1)
    session.query("BEGIN READ ONLY")
    session.query(f"SET LOCAL statement_timeout = {left}")
    yield
    session.query("ROLLBACK")


KIND = Postgres
