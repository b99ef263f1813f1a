"""What a PostgreSQL tells of itself, over a session that is logged in. Judges nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestrator.waits._failure import Failure

if TYPE_CHECKING:
    from collections.abc import Collection

    from orchestrator.waits._postgres import Session

_ALLOWED = (
    "current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int"
    " - coalesce(nullif(current_setting('reserved_connections', true), '')::int, 0)"
)
_CONNECTIONS = (
    f"SELECT {_ALLOWED}, (SELECT sum(numbackends)::int FROM pg_stat_database),"  # noqa: S608 - of constants alone
    " (SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user),"
    " (SELECT datconnlimit FROM pg_database WHERE datname = current_database())"
)
_PRIVILEGES = ("select", "insert", "update", "delete", "references", "trigger")


class Facts:
    """The database that a session is in."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def rows(self, query: str) -> list[list[Any]]:
        return self.session.query(query)

    def version(self) -> str:
        return self.session.facts.get("server_version", "").partition(" ")[0]

    def has_table(self, name: str) -> bool:
        return self.rows(f"SELECT to_regclass({literal(name)}) IS NOT NULL") == [[True]]

    def has_schema(self, name: str) -> bool:
        return bool(self.rows(f"SELECT 1 FROM pg_namespace WHERE nspname = {literal(name)}"))  # noqa: S608 - quoted

    def has_extension(self, name: str) -> bool:
        return bool(self.rows(f"SELECT 1 FROM pg_extension WHERE extname = {literal(name)}"))  # noqa: S608 - quoted

    def privileges(self, table: str) -> Collection[str]:
        if not self.has_table(table):
            raise Failure(
                "unexpected",
                f"{self.session.stream.where}: there is no table `{table}`",
                "run the migrations",
            )
        asked = ", ".join(f"has_table_privilege({literal(table)}, '{each}')" for each in _PRIVILEGES)
        (found,) = self.rows(f"SELECT {asked}")
        return [name for name, may in zip(_PRIVILEGES, found, strict=True) if may]

    def connections(self) -> tuple[int, int]:
        """Of the limits of server, role and database the least; our own connection is about to end."""
        ((limit, used, of_role, of_database),) = self.rows(_CONNECTIONS)
        own = [each for each in (of_role, of_database) if each is not None and each >= 0]
        return min([limit, *own]), max(int(used or 0) - 1, 0)

    def charset(self) -> str:
        return str(self.rows("SHOW server_encoding")[0][0])

    def timezone(self) -> str:
        return str(self.rows("SHOW timezone")[0][0])


def literal(text: str) -> str:
    """A text as it stands in a query."""
    doubled = text.replace("'", "''")
    if "\\" not in doubled:
        return f"'{doubled}'"
    escaped = doubled.replace("\\", "\\\\")
    return f"E'{escaped}'"
