"""`sqlite`: a database file that is whole. A key of an item under `checks`."""

import sqlite3
from contextlib import closing
from typing import ClassVar
from urllib.parse import quote

from pydantic import Field

from orchestrator.plugins import Check, Context, Outcome, PathText, Templated, failed, ok


class Sqlite(Check):
    """An SQLite database that is whole and has the tables that the service needs. It is opened to read only."""

    example: ClassVar = {"name": "ledger", "sqlite": "data/ledger.db", "tables": ["entries"]}

    sqlite: Templated[PathText] = Field(description="The database file.", examples=["data/ledger.db"])
    tables: tuple[Templated[str], ...] = Field(
        (), description="Tables that it must have.", examples=[["entries"]]
    )

    def attempt(self, context: Context) -> Outcome:
        path = context.path(self.sqlite)
        try:
            with closing(
                sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True, timeout=context.timeout)
            ) as database:
                return self._judged(database)
        except sqlite3.Error as error:
            return failed(
                "ORC471",
                "sqlite",
                f"{self.sqlite} cannot be read: {error}",
                f"ls -l {path}; restore it from a backup",
            )

    def _judged(self, database: sqlite3.Connection) -> Outcome:
        said = [row[0] for row in database.execute("PRAGMA quick_check")]
        if said != ["ok"]:
            return failed(
                "ORC471",
                "corrupt",
                f"{self.sqlite} is damaged: {said[0]}",
                "restore it from a backup",
                details="\n".join(said[:20]),
            )
        there = {row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        missing = [name for name in self.tables if name not in there]
        if missing:
            return failed(
                "ORC471", "missing", f"{self.sqlite} has no table {', '.join(missing)}", "run the migrations"
            )
        return ok(f"{self.sqlite} is whole, {len(there)} tables")


KIND = Sqlite
