"""Readiness is the truth about the database, liveness is not about the database at all."""

import sqlite3
from contextlib import closing


def unavailable(answer):
    assert answer.status_code == 503, answer.text
    body = answer.json()
    assert body["status"] == "unavailable"
    return body["reason"]


def test_well_is_ok(client):
    answer = client.get("/ready")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "degraded": []})


def test_a_database_that_is_gone_is_unavailable_and_is_not_made_anew(client, database):
    for file in database.parent.glob("bookmarks.db*"):
        file.unlink()
    assert "unable to open" in unavailable(client.get("/ready"))
    assert not database.exists()
    assert client.get("/live").status_code == 200


def test_a_file_that_is_no_database_is_unavailable(client, database):
    database.write_bytes(b"something else entirely" * 100)
    assert "not a database" in unavailable(client.get("/ready"))


def test_a_database_that_was_never_migrated_is_unavailable(client, database):
    database.unlink()
    with closing(sqlite3.connect(database)) as empty:
        empty.execute("PRAGMA user_version = 0")
    assert "no such table" in unavailable(client.get("/ready"))


def test_a_database_of_another_version_is_unavailable(client, database):
    with closing(sqlite3.connect(database)) as other:
        other.execute("PRAGMA user_version = 99")
    assert "version 99" in unavailable(client.get("/ready"))


def test_readiness_comes_back_with_the_database(client, database):
    aside = database.rename(database.with_suffix(".aside"))
    unavailable(client.get("/ready"))
    aside.rename(database)
    assert client.get("/ready").status_code == 200


def test_requests_without_a_database_are_answered_with_503(client, database):
    database.write_bytes(b"something else entirely" * 100)
    for answer in (
        client.get("/bookmarks"),
        client.get("/search?q=x"),
        client.post("/bookmarks", json={"url": "https://example.org", "title": "x"}),
    ):
        assert answer.status_code == 503
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["retry-after"] == "5"
