"""PyMySQL on a connection of ours, so that its deadline, TLS and limits are those of every other wait."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from pymysql.connections import Connection
from pymysql.constants import CLIENT
from pymysql.cursors import SSCursor

from orchestrator.waits._failure import Failure
from orchestrator.waits._stream import secure

if TYPE_CHECKING:
    from orchestrator.waits._stream import Stream
    from orchestrator.waits._tls import Trust

_ANSWER_LIMIT = 8 * 1024 * 1024
"""Bytes of one row, and of everything before the first row."""
_CLEAR_TEXT = (b"mysql_clear_password", b"dialog")


class Rows(NamedTuple):
    """The answer to a query: its first row, if any, and the number of all rows."""

    first: list[Any] | None
    total: int


class _Tls:
    """What PyMySQL calls an SSL context."""

    def __init__(self, stream: Stream, host: str, trust: Trust) -> None:
        self.stream = stream
        self.host = host
        self.trust = trust

    def wrap_socket(self, _: object, **__: object) -> Any:
        return secure(self.stream, self.host, self.trust).connection


class _Connection(Connection):  # type: ignore[misc]  # the driver has no types
    stream: Stream
    required = False
    allowance = _ANSWER_LIMIT

    def use(self, stream: Stream) -> None:
        self.stream, self._secure = stream, stream.where.startswith("/")

    def _read_bytes(self, size: int) -> bytes:
        self.allowance -= size
        if self.allowance < 0:
            raise Failure("unexpected", f"{self.stream.where} sent more than 8 MiB at once", "select less")
        return self.stream.exactly(size)

    def _write_bytes(self, data: bytes) -> None:
        self.stream.send(data)

    def _request_authentication(self) -> None:
        offered = self.server_capabilities & CLIENT.SSL
        if self.required and not offered:
            raise Failure("tls", f"{self.stream.where} offers no TLS", "set ssl_cert and ssl_key there")
        if self.ssl and offered:
            self.client_flag |= CLIENT.SSL
        super()._request_authentication()

    def _process_auth(self, plugin: bytes, *more: Any) -> Any:
        if plugin in _CLEAR_TEXT and not self._secure:
            raise Failure(
                "auth",
                f"{self.stream.where} asks for the password in clear text on a connection without TLS",
                "use TLS: `tls: true`",
            )
        return super()._process_auth(plugin, *more)

    def rows(self, query: str) -> Rows:
        """Reads all rows, one at a time, and keeps the first."""
        with self.cursor(SSCursor) as cursor:
            cursor.execute(query)
            first = cursor.fetchone()
            count = int(first is not None)
            self.allowance = _ANSWER_LIMIT
            while first is not None and cursor.fetchone() is not None:
                count += 1
                self.allowance = _ANSWER_LIMIT
            return Rows(None if first is None else list(first), count)


def connection_on(stream: Stream, host: str, trust: Trust | None, *, required: bool, **login: Any) -> Any:
    """Logs in. With `trust` the connection gets TLS; if that is not `required`, only where the server offers it."""
    connection = _Connection(host=host, defer_connect=True, ssl_disabled=True, **login)
    connection.use(stream)
    if trust is not None:
        connection.ssl, connection.required, connection.ctx = True, required, _Tls(stream, host, trust)
    connection.connect(stream.connection)
    return connection
