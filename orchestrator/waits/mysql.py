"""`mysql`: a MySQL or MariaDB that takes connections. Logging in needs a driver, the extra `mysql`."""

from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from orchestrator.core.outcome import ok
from orchestrator.spec.breaking import TALKING
from orchestrator.spec.model import Lazy
from orchestrator.spec.templated import Templated
from orchestrator.spec.types import PathText
from orchestrator.waits._address import WRITABLE, Tls, Url
from orchestrator.waits._base import Asking
from orchestrator.waits._failure import Failure
from orchestrator.waits._stream import Stream, connect, connect_unix, in_time, resolve

if TYPE_CHECKING:
    from orchestrator.core.context import Context
    from orchestrator.core.outcome import Outcome
    from orchestrator.waits._database import OfMysql
    from orchestrator.waits._failure import Deadline
else:
    OfMysql = Annotated[Any, Lazy("orchestrator.waits._database:OfMysql")]

_PACKET_LIMIT = 64 * 1024
_REFUSED = {1040, 1041, 1053, 1077, 1203, 1226}
"""Too many connections, out of resources, shutting down: what passes."""
_AUTH = {1044, 1045, 1130, 1227, 1251, 1396, 1524, 1698, 2059, 3118, 3159, 4151}


class Address(Url, Tls):
    """Where a MySQL or MariaDB is, and who logs in."""

    schemes = ("mysql", "mariadb")
    default_port = 3306
    parts = ("host", "port", "user", "password", "database", "unix")
    removed_keys: ClassVar = Tls.removed_keys | WRITABLE

    database: Templated[str] | None = Field(None, description="The database.")
    unix: Templated[PathText] | None = Field(
        None, description="The path of a unix socket, instead of host and port."
    )
    tls: Templated[bool] = Field(False, description="Whether TLS is needed.")

    def complete(self) -> bool:
        return super().complete() or self.unix is not None

    def socket(self) -> str:
        if self.url is None:
            return self.unix or ""
        return self.server().query.get("unix_socket", "")

    def database_name(self) -> str:
        """The database."""
        from urllib.parse import unquote

        return self.database or (unquote(self.server().path.strip("/")) if self.url is not None else "")

    def shown(self) -> str:
        if self.pending:
            return super().shown()
        return (self.socket() or super().shown()) + (
            f"/{self.database_name()}" if self.database_name() else ""
        )


class Mysql(Asking):
    """Waits until a MySQL or MariaDB takes connections and, with a user, lets the user into the database.

    A user is proven with PyMySQL, which the extra `mysql` brings.
    """

    extra = "mysql"
    ways = TALKING
    example: ClassVar = {
        "name": "db",
        "mysql": {"host": "db", "user": "app", "password": "${DB_PASSWORD}", "database": "app"},
    }

    mysql: Address = Field(
        description="The URL, or its parts.", examples=["mysql://app:password@db:3306/app"]
    )
    expect: OfMysql | None = Field(
        None, description="A query, or what the database must be like.", examples=[{"writable": True}]
    )

    def logs_in(self) -> bool:
        from orchestrator.waits._breaking import has_user

        return has_user(self)

    def reason_of(self, failure: str) -> str:
        return "tls" if failure == "dropped" else super().reason_of(failure)

    def ask(self, context: "Context", deadline: "Deadline") -> "Outcome":
        server = self.mysql.server()
        if not server.user and not self.expect:
            return self._greeted(context, deadline)
        try:
            pymysql = import_module("pymysql")
        except ImportError:
            self._greeted(context, deadline)
            raise _no_driver(self.target()) from None
        path = self.mysql.socket()
        if not path:
            resolve(server.host, deadline, context.environ)  # so that a failure here has its own reason
        arguments = self._arguments(context, deadline)
        outcome = in_time(lambda: self._logged_in(pymysql, arguments), deadline)
        if outcome is None:
            raise deadline.over(f"{self.target()} did not finish its answer")
        return outcome

    def _greeted(self, context: "Context", deadline: "Deadline") -> "Outcome":
        """What every client is told first, before it says who it is."""
        server, path = self.mysql.server(), self.mysql.socket()
        opened = (
            connect_unix(context.path(path), deadline)
            if path
            else connect(server.host, server.port, deadline, context.environ)
        )
        with opened as stream:
            return ok(f"{stream.where} takes connections", version=_version(stream))

    def _arguments(self, context: "Context", deadline: "Deadline") -> dict[str, Any]:
        server, path = self.mysql.server(), self.mysql.socket()
        seconds = max(deadline.left, 0.001)
        given = {
            "user": server.user,
            "password": server.password,
            "database": self.mysql.database_name() or None,
            "connect_timeout": max(seconds, 0.001),
            "read_timeout": seconds,
            "write_timeout": seconds,
        }
        place = {"unix_socket": context.path(path)} if path else {"host": server.host, "port": server.port}
        return {**given, **place, **self._tls(context)}

    def _tls(self, context: "Context") -> dict[str, Any]:
        """TLS as `tls` and the words of drivers in the URL ask for it."""
        query = self.mysql.server().query if self.mysql.url is not None else {}
        trust = self.mysql.trust(context)
        ca = query.get("ssl_ca", "") or query.get("ssl-ca", "")
        ca = context.path(ca) if ca else trust.ca
        if not (self.mysql.tls or ca):
            return {}
        from dataclasses import replace

        from orchestrator.waits._stream import tls_context

        return {"ssl": tls_context(replace(trust, ca=ca))}

    def _logged_in(self, pymysql: Any, arguments: dict[str, Any]) -> "Outcome":
        connection = self._connected(pymysql, arguments)
        try:
            self._judge(connection)
            return ok(f"{self.target()} let {arguments['user']} in", version=connection.get_server_info())
        except pymysql.MySQLError as error:
            raise _failure(self.target(), error) from None
        finally:
            connection.close()

    def _connected(self, pymysql: Any, arguments: dict[str, Any]) -> Any:
        try:
            return pymysql.connect(**arguments)
        except pymysql.MySQLError as error:
            raise _failure(self.target(), error) from None
        except RuntimeError as error:  # it needs another package for the server's authentication
            raise _no_driver(self.target(), str(error)) from None
        except Exception as error:  # it stumbles over what a server that is no MySQL says
            said = f"{type(error).__name__} in PyMySQL"
            raise Failure("protocol", f"{self.target()} does not answer as MySQL does: {said}") from None

    def _judge(self, connection: Any) -> None:
        if self.expect is None:
            return
        if self.expect.writable and not _rows(connection, "SELECT @@GLOBAL.read_only = 0")[0][0]:
            summary = f"{self.target()} is read-only, and takes no writes"
            raise Failure("unexpected", summary, "ask for the primary")
        if self.expect.query is not None:
            from orchestrator.waits._database import compare

            compare(self.target(), self.expect, _rows(connection, self.expect.query))


def _rows(connection: Any, query: str) -> list[list[Any]]:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return [list(row) for row in cursor.fetchall()]


def _no_driver(target: str, why: str = "") -> Failure:
    said = f": {why}" if why else ""
    return Failure(
        "driver",
        f"{target} takes connections, but PyMySQL is needed to log in{said}",
        'install the extra `mysql`: pip install "startup-orchestrator[mysql]"',
    )


def _version(stream: Stream) -> str:
    """The server's version from its greeting; raises Failure for an error."""
    head = stream.exactly(4)
    size = int.from_bytes(head[:3], "little")
    if head[3] != 0 or not 4 <= size <= _PACKET_LIMIT:
        start = head + stream.take(30)
        raise Failure("protocol", f"{stream.where} does not answer as MySQL does: {start!a}")
    payload = stream.exactly(size)
    if payload[0] == 0xFF:
        message = payload[3:].decode("utf-8", "replace")
        raise classified(stream.where, int.from_bytes(payload[1:3], "little"), message)
    if payload[0] != 10:
        raise Failure("protocol", f"{stream.where} does not answer as MySQL does: {payload[:30]!a}")
    return payload[1:].partition(b"\0")[0].decode("utf-8", "replace")


def classified(where: str, number: int, message: str) -> Failure:
    """The failure that an error of the server is."""
    told = f"{where}: {message[:200]} ({number})"
    if number in _REFUSED:
        return Failure("refused", told)
    if number == 1129:
        return Failure("unexpected", told, "run `mysqladmin flush-hosts` there", final=True)
    if number in _AUTH:
        hint = (
            "a volume keeps the password it was made with: the image's variables count only for an empty one"
        )
        return Failure("auth", told, hint)
    if number == 1049:
        return Failure(
            "unexpected", told, "somebody must create it: MYSQL_DATABASE of its image, for example"
        )
    return Failure("unexpected", told)


def _failure(where: str, error: Exception) -> Failure:
    """PyMySQL has the server's numbers, and numbers from 2000 of its own."""
    number = error.args[0] if error.args and isinstance(error.args[0], int) else 0
    message = str(error.args[1]) if len(error.args) > 1 else str(error)
    if number not in (2002, 2003, 2006, 2013, 2026, 2055):
        return classified(where, number, message)
    if "CERTIFICATE" in message or "SSL" in message:
        return Failure("tls", f"TLS with {where} failed: {message[:200]}")
    if "timed out" in message:
        return Failure("timeout", f"{where} did not answer in time")
    if "Errno 111" in message or "Errno 2]" in message:
        return Failure("refused", f"connection to {where} refused: nothing listens there")
    return Failure("unreachable" if number in (2002, 2003) else "protocol", f"{where}: {message[:200]}")


KIND = Mysql
