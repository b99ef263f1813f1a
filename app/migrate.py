"""Brings the database to the version this app expects: `python -m app.migrate`. Standard library only.

Safe to run at every start, and by several containers at once.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """
        CREATE TABLE bookmark (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            url TEXT NOT NULL UNIQUE,
            title TEXT NOT NULL,
            notes TEXT NOT NULL,
            tags TEXT NOT NULL CHECK (json_valid(tags)),
            created_at TEXT NOT NULL,
            changed_at TEXT NOT NULL
        )
        """,
    ),
    (
        """
        CREATE VIRTUAL TABLE bookmark_text
        USING fts5(title, notes, tags, url, content='bookmark', content_rowid='id')
        """,
        """
        CREATE TRIGGER bookmark_added AFTER INSERT ON bookmark BEGIN
            INSERT INTO bookmark_text (rowid, title, notes, tags, url)
            VALUES (new.id, new.title, new.notes, new.tags, new.url);
        END
        """,
        """
        CREATE TRIGGER bookmark_removed AFTER DELETE ON bookmark BEGIN
            INSERT INTO bookmark_text (bookmark_text, rowid, title, notes, tags, url)
            VALUES ('delete', old.id, old.title, old.notes, old.tags, old.url);
        END
        """,
        """
        CREATE TRIGGER bookmark_changed AFTER UPDATE ON bookmark BEGIN
            INSERT INTO bookmark_text (bookmark_text, rowid, title, notes, tags, url)
            VALUES ('delete', old.id, old.title, old.notes, old.tags, old.url);
            INSERT INTO bookmark_text (rowid, title, notes, tags, url)
            VALUES (new.id, new.title, new.notes, new.tags, new.url);
        END
        """,
        "INSERT INTO bookmark_text (bookmark_text) VALUES ('rebuild')",
    ),
)
"""Each entry is one version, applied whole or not at all. Entries are only ever added."""


def database_path() -> Path:
    return Path(os.environ.get("DATABASE_PATH") or "data/bookmarks.db")


class TooNewError(Exception):
    """The database was written by a later version of the app."""


def migrate(path: Path) -> tuple[int, int]:
    """The version found and the version left behind."""
    with closing(sqlite3.connect(path, timeout=30, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        # The lock comes first and the version is read under it: whoever waited finds the work done.
        database.execute("BEGIN IMMEDIATE")
        (found,) = database.execute("PRAGMA user_version").fetchone()
        if found > len(MIGRATIONS):
            raise TooNewError(f"the database is at version {found}, this app knows {len(MIGRATIONS)}")
        for statements in MIGRATIONS[found:]:
            for statement in statements:
                database.execute(statement)
        database.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        database.execute("COMMIT")
    return found, len(MIGRATIONS)


def main() -> int:
    path = database_path()
    try:
        found, left = migrate(path)
    except (TooNewError, sqlite3.Error) as error:
        print(f"cannot migrate {path}: {error}", file=sys.stderr)
        return 1
    print(f"{path}: version {left}, nothing to do" if found == left else f"{path}: version {found} -> {left}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
