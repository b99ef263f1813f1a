"""What a MySQL or MariaDB tells of itself, over a connection of the driver. Judges nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection

_ME = "CONCAT(\"'\", SUBSTRING_INDEX(CURRENT_USER(), '@', 1), \"'@'\", SUBSTRING_INDEX(CURRENT_USER(), '@', -1), \"'\")"
_PRIVILEGES = (
    f"SELECT privilege_type FROM information_schema.user_privileges WHERE grantee = {_ME}"  # noqa: S608 - of constants alone
    f" UNION SELECT privilege_type FROM information_schema.schema_privileges WHERE grantee = {_ME} AND %s LIKE table_schema"
    f" UNION SELECT privilege_type FROM information_schema.table_privileges"
    f" WHERE grantee = {_ME} AND table_schema = %s AND table_name = %s"
)


class Facts:
    """The database that a connection is in."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    def rows(self, query: str, *values: Any) -> list[list[Any]]:
        with self.connection.cursor() as cursor:
            cursor.execute(query, values or None)
            return [list(row) for row in cursor.fetchall()]

    def version(self) -> str:
        """Without what MariaDB writes before and behind it."""
        found = str(self.connection.get_server_info()).removeprefix("5.5.5-")
        return found.partition("-")[0]

    def writable(self) -> bool:
        return bool(self.rows("SELECT @@GLOBAL.read_only = 0")[0][0])

    def has_table(self, name: str) -> bool:
        schema, table = self._parted(name)
        asked = "SELECT 1 FROM information_schema.tables WHERE table_schema = %s AND table_name = %s"
        return bool(self.rows(asked, schema, table))

    def has_schema(self, name: str) -> bool:
        return bool(self.rows("SELECT 1 FROM information_schema.schemata WHERE schema_name = %s", name))

    def privileges(self, table: str) -> Collection[str]:
        schema, name = self._parted(table)
        return [str(row[0]).lower() for row in self.rows(_PRIVILEGES, schema, schema, name)]

    def connections(self) -> tuple[int, int]:
        """What a user alone may open is less, where it is limited; our own connection is about to end."""
        limit, of_user = self.rows("SELECT @@GLOBAL.max_connections, @@max_user_connections")[0]
        used = int(self.rows("SHOW GLOBAL STATUS LIKE 'Threads_connected'")[0][1])
        return min(int(limit), int(of_user) or int(limit)), max(used - 1, 0)

    def charset(self) -> str:
        return str(self.rows("SELECT @@character_set_database")[0][0])

    def timezone(self) -> str:
        found, of_system = self.rows("SELECT @@time_zone, @@system_time_zone")[0]
        return str(of_system if found == "SYSTEM" else found)

    def _parted(self, name: str) -> tuple[str, str]:
        schema, dot, table = name.partition(".")
        return (schema, table) if dot else (str(self.rows("SELECT DATABASE()")[0][0] or ""), name)
