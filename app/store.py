"""Bookmarks in SQLite. Knows nothing about HTTP; the table itself is made by `app.migrate`."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from app.migrate import MIGRATIONS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATIENCE = 2.0
"""Seconds to wait for another writer before a request fails."""


class UnavailableError(Exception):
    """The database cannot be asked, or is not the one this version of the app expects."""


class DuplicateError(Exception):
    """Another bookmark has this URL."""


class Store:
    """A connection for each operation: a database that is gone is noticed by the next request."""

    def __init__(self, path: Path) -> None:
        # `rw`, not `rwc`: a database that is missing is an error, never a new and empty one.
        self.address = f"{path.absolute().as_uri()}?mode=rw"

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self.address, uri=True, timeout=PATIENCE)) as database, database:
                database.row_factory = sqlite3.Row
                yield database
        except sqlite3.IntegrityError:
            raise
        except sqlite3.DatabaseError as error:
            raise UnavailableError(f"the database cannot be used: {error}") from error

    def ready(self) -> None:
        """Asks the database for real; raises UnavailableError with the reason."""
        with self.transaction() as database:
            (version,) = database.execute("PRAGMA user_version").fetchone()
            database.execute("SELECT max(id) FROM bookmark").fetchone()
        if version != len(MIGRATIONS):
            raise UnavailableError(
                f"the database is at version {version}, this app expects {len(MIGRATIONS)}"
            )

    def add(self, fields: dict[str, Any]) -> dict[str, Any]:
        now = _now()
        row = {**_columns(fields), "created_at": now, "changed_at": now}
        with _unique(), self.transaction() as database:
            return _bookmark(
                database.execute(
                    "INSERT INTO bookmark (url, title, notes, tags, created_at, changed_at)"
                    " VALUES (:url, :title, :notes, :tags, :created_at, :changed_at) RETURNING *",
                    row,
                ).fetchone()
            )

    def get(self, number: int) -> dict[str, Any] | None:
        with self.transaction() as database:
            row = database.execute("SELECT * FROM bookmark WHERE id = ?", (number,)).fetchone()
        return row and _bookmark(row)

    def change(self, number: int, fields: dict[str, Any]) -> dict[str, Any] | None:
        columns = {**_columns(fields), "changed_at": _now()}
        # The names are those of the model's own fields.
        assignments = ", ".join(f"{name} = :{name}" for name in columns)
        statement = f"UPDATE bookmark SET {assignments} WHERE id = :id RETURNING *"  # noqa: S608
        with _unique(), self.transaction() as database:
            row = database.execute(statement, {**columns, "id": number}).fetchone()
            return row and _bookmark(row)

    def remove(self, number: int) -> bool:
        with self.transaction() as database:
            return database.execute("DELETE FROM bookmark WHERE id = ?", (number,)).rowcount == 1

    def page(self, limit: int, before: int | None, tag: str | None) -> tuple[list[dict[str, Any]], int, bool]:
        """The newest below `before`, how many there are in all, and whether more follow."""
        wanted = {"before": before, "tag": tag, "limit": limit + 1}
        tagged = "(:tag IS NULL OR EXISTS (SELECT 1 FROM json_each(tags) WHERE value = :tag))"
        with self.transaction() as database:
            (total,) = database.execute(
                f"SELECT count(*) FROM bookmark WHERE {tagged}",  # noqa: S608
                wanted,
            ).fetchone()
            rows = database.execute(
                f"SELECT * FROM bookmark WHERE (:before IS NULL OR id < :before) AND {tagged}"  # noqa: S608
                " ORDER BY id DESC LIMIT :limit",
                wanted,
            ).fetchall()
        return [_bookmark(row) for row in rows[:limit]], total, len(rows) > limit

    def matching(self, expression: str, limit: int) -> list[dict[str, Any]]:
        """Best match first; the expression is one of SQLite's full text search."""
        with self.transaction() as database:
            rows = database.execute(
                "SELECT bookmark.* FROM bookmark_text JOIN bookmark ON bookmark.id = bookmark_text.rowid"
                " WHERE bookmark_text MATCH ? ORDER BY bookmark_text.rank LIMIT ?",
                (expression, limit),
            ).fetchall()
        return [_bookmark(row) for row in rows]


@contextmanager
def _unique() -> Iterator[None]:
    try:
        yield
    except sqlite3.IntegrityError as error:
        raise DuplicateError("another bookmark has this URL") from error


def _columns(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: json.dumps(value) if name == "tags" else value for name, value in fields.items()}


def _bookmark(row: sqlite3.Row) -> dict[str, Any]:
    return {**dict(row), "tags": json.loads(row["tags"])}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
