import os
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from app.migrate import MIGRATIONS, TooNewError, migrate
from app.store import Store


def run(path):
    return subprocess.run(
        [sys.executable, "-m", "app.migrate"],
        env={**os.environ, "DATABASE_PATH": str(path)},
        capture_output=True,
        text=True,
    )


def test_the_second_run_has_nothing_to_do(tmp_path):
    path = tmp_path / "bookmarks.db"
    first = run(path)
    Store(path).add({"url": "https://example.org/", "title": "kept", "notes": "", "tags": []})
    second = run(path)
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert "0 -> 2" in first.stdout
    assert "nothing to do" in second.stdout
    assert Store(path).get(1)["title"] == "kept"


def test_several_containers_may_migrate_at_once(tmp_path):
    path = tmp_path / "bookmarks.db"
    environment = {**os.environ, "DATABASE_PATH": str(path)}
    runs = [
        subprocess.Popen(
            [sys.executable, "-m", "app.migrate"], env=environment, stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    said = [each.communicate(timeout=60)[0] for each in runs]
    assert [each.returncode for each in runs] == [0] * 4
    assert sum("0 -> 2" in each for each in said) == 1
    Store(path).ready()


def test_older_bookmarks_become_searchable(tmp_path, monkeypatch):
    path = tmp_path / "bookmarks.db"
    with monkeypatch.context() as patch:
        patch.setattr("app.migrate.MIGRATIONS", MIGRATIONS[:1])
        migrate(path)
    Store(path).add({"url": "https://example.org/", "title": "older", "notes": "", "tags": []})
    assert migrate(path) == (1, 2)
    assert [each["title"] for each in Store(path).matching('"older"', 5)] == ["older"]


def test_a_version_that_fails_leaves_nothing_behind(tmp_path, monkeypatch):
    path = tmp_path / "bookmarks.db"
    monkeypatch.setattr("app.migrate.MIGRATIONS", (("CREATE TABLE half (x)", "this is not SQL"),))
    with pytest.raises(sqlite3.OperationalError):
        migrate(path)
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT count(*) FROM sqlite_schema").fetchone() == (0,)


def test_a_database_of_a_later_version_is_left_alone(tmp_path):
    path = tmp_path / "bookmarks.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version = 99")
    with pytest.raises(TooNewError, match="version 99"):
        migrate(path)
    failed = run(path)
    assert failed.returncode == 1
    assert failed.stderr.startswith(f"cannot migrate {path}: ")
    assert "Traceback" not in failed.stderr


def test_a_directory_that_is_missing_is_said_in_a_line(tmp_path):
    failed = run(tmp_path / "nowhere" / "bookmarks.db")
    assert failed.returncode == 1
    assert failed.stderr.count("\n") == 1
    assert "unable to open database file" in failed.stderr
