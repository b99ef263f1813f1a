"""`mysql`: a MySQL or MariaDB that accepts connections. Logging in needs a driver, the extra `mysql`."""

from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from orchestrator.core.outcome import ok
from orchestrator.spec.breaking import TALKING
from orchestrator.spec.model import Lazy
from orchestrator.spec.templated import Templated
from orchestrator.spec.types import PathText
from orchestrator.waits._address import WRITABLE
from orchestrator.waits._base import Asking
from orchestrator.waits._failure import Failure
from orchestrator.waits._security import SecuredUrl
from orchestrator.waits._stream import Stream, connect, connect_unix
from orchestrator.waits._tls import Trust

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


class Address(SecuredUrl):
    """Where a MySQL or MariaDB is, and who logs in."""

    schemes = ("mysql", "mariadb")
    default_port = 3306
    parts = ("host", "port", "user", "password", "database", "unix")
    optional_tls = True
    removed_keys: ClassVar = SecuredUrl.removed_keys | WRITABLE

    database: Templated[str] | None = Field(None, description="The database.")
    unix: Templated[PathText] | None = Field(
        None, description="The path of a unix socket, instead of host and port."
    )

    def complete(self) -> bool:
        return super().complete() or self.unix is not None

    def socket(self) -> str:
        if self.url is None:
            return self.unix or ""
        return self.server().query.get("unix_socket", "")

    def database_name(self) -> str:
        from urllib.parse import unquote

        return self.database or (unquote(self.server().path.strip("/")) if self.url is not None else "")

    def shown(self) -> str:
        if self.pending:
            return super().shown()
        return (self.socket() or super().shown()) + (
            f"/{self.database_name()}" if self.database_name() else ""
        )


class Mysql(Asking):
    """Waits until a MySQL or MariaDB accepts connections and, with a user, lets the user into the database.

    To log in takes PyMySQL, which the extra `mysql` brings.
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
        if not self.mysql.server().user and not self.expect:
            return self._greeted(context, deadline)
        try:
            pymysql = import_module("pymysql")
        except ImportError:
            self._greeted(context, deadline)
            raise _no_driver(self.target()) from None
        with self._connected(context, deadline) as stream:
            return self._logged_in(pymysql, stream, context)

    def _connected(self, context: "Context", deadline: "Deadline") -> Stream:
        server, path = self.mysql.server(), self.mysql.socket()
        if path:
            return connect_unix(context.path(path), deadline)
        return connect(server.host, server.port, deadline, context.environ)

    def _greeted(self, context: "Context", deadline: "Deadline") -> "Outcome":
        """The greeting comes before the client says who it is."""
        with self._connected(context, deadline) as stream:
            return ok(f"{stream.where} accepts connections", version=_version(stream))

    def _logged_in(self, pymysql: Any, stream: Stream, context: "Context") -> "Outcome":
        from orchestrator.waits._pymysql import connection_on

        server, mode, trust = self.mysql.server(), self.mysql.options().mode, self.mysql.security(context)
        required = trust is not None and mode not in ("prefer", "allow")
        if trust is None and mode != "disable" and not self.mysql.socket():
            trust = Trust(verify=False)  # as the clients do where nothing is asked for
        try:
            connection = connection_on(
                stream, server.host, trust, required=required,
                user=server.user, password=server.password, database=self.mysql.database_name() or None,
            )  # fmt: skip
            try:
                self._judge(connection)
                return ok(f"{self.target()} let {server.user} in", version=connection.get_server_info())
            finally:
                connection.close()
        except Failure:
            raise
        except pymysql.MySQLError as error:
            raise _failure(stream.where, error) from None
        except RuntimeError as error:  # another package is needed for the server's authentication
            raise _no_driver(self.target(), str(error)) from None
        except Exception as error:  # PyMySQL stumbles over the answer of a server that is not MySQL
            why = f"{type(error).__name__} in PyMySQL"
            raise Failure("protocol", f"{stream.where} does not answer as MySQL does: {why}") from None

    def _judge(self, connection: Any) -> None:
        if self.expect is None:
            return
        if self.expect.writable and not connection.rows("SELECT @@GLOBAL.read_only = 0")[0][0]:
            raise Failure("unexpected", f"{self.target()} is read-only", "use the primary")
        if self.expect.query is not None:
            from orchestrator.waits._database import compare

            compare(self.target(), self.expect, *connection.rows(self.expect.query))


def _no_driver(target: str, why: str = "") -> Failure:
    return Failure(
        "driver",
        f"{target} accepts connections, but PyMySQL is needed to log in{f': {why}' if why else ''}",
        'install the extra `mysql`: pip install "startup-orchestrator[mysql]"',
    )


def _version(stream: Stream) -> str:
    """The server's version from its greeting; raises Failure for an error."""
    head = stream.exactly(4)
    size = int.from_bytes(head[:3], "little")
    if head[3] != 0 or not 4 <= size <= _PACKET_LIMIT:
        raise _not_mysql(stream, head + stream.take(30))
    payload = stream.exactly(size)
    if payload[0] == 0xFF:
        message = payload[3:].decode("utf-8", "replace")
        raise classified(stream.where, int.from_bytes(payload[1:3], "little"), message)
    if payload[0] != 10:
        raise _not_mysql(stream, payload[:30])
    return payload[1:].partition(b"\0")[0].decode("utf-8", "replace")


def _not_mysql(stream: Stream, start: bytes) -> Failure:
    return Failure("protocol", f"{stream.where} does not answer as MySQL does: {start!a}")


def classified(where: str, number: int, message: str) -> Failure:
    """The failure that an error of the server stands for."""
    summary = f"{where}: {message[:200]} ({number})"
    if number in _REFUSED:
        return Failure("refused", summary)
    if number == 1129:
        return Failure("unexpected", summary, "run `mysqladmin flush-hosts` there", final=True)
    if number in _AUTH:
        hint = "a volume keeps its first password: the image's variables count only for an empty volume"
        return Failure("auth", summary, hint)
    if number == 1049:
        return Failure("unexpected", summary, "create it: MYSQL_DATABASE of its image, for example")
    return Failure("unexpected", summary)


def _failure(where: str, error: Exception) -> Failure:
    """PyMySQL passes the server's numbers on; those from 2000 to 2999 are its own."""
    number = error.args[0] if error.args and isinstance(error.args[0], int) else 0
    message = str(error.args[1]) if len(error.args) > 1 else str(error)
    if number == 2026:
        return Failure("tls", f"TLS with {where} failed: {message[:200]}")
    if 2000 <= number < 3000 and number not in _AUTH:
        return Failure("protocol", f"{where}: {message[:200]}")
    return classified(where, number, message)


KIND = Mysql
