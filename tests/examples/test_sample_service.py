"""The sample service and its digest, started by the engine as real processes."""

import json
from urllib.error import HTTPError

import pytest


def test_the_service_starts_with_a_migrated_database(bookmarks):
    bookmarks.start("--env", "production")
    bookmarks.until_healthy()
    assert bookmarks.get("/ready") == {"status": "ok", "degraded": []}
    assert bookmarks.get("/bookmarks")["total"] == 0
    assert bookmarks.status_of("step:migrate") == "ok"
    assert bookmarks.stop() == 0, bookmarks.stderr


def test_a_second_start_finds_nothing_to_migrate(bookmarks):
    for _ in range(2):
        bookmarks.start()
        bookmarks.until_healthy()
        assert bookmarks.get("/ready") == {"status": "ok", "degraded": []}
        assert bookmarks.stop() == 0, bookmarks.stderr
    assert "nothing to do" in bookmarks.stderr


def test_without_search_the_service_serves_and_says_so(bookmarks):
    (bookmarks.root / "app/search.py").unlink()
    bookmarks.start()
    bookmarks.until_healthy()
    assert bookmarks.get("/ready") == {"status": "ok", "degraded": ["search"]}
    with pytest.raises(HTTPError) as refused:
        bookmarks.get("/search?q=word")
    with refused.value as answer:
        assert answer.code == 503
        assert answer.headers["Content-Type"] == "application/problem+json"
    assert bookmarks.report()["degraded"] == ["search"]


def test_a_migration_that_fails_ends_with_3_and_what_it_said(bookmarks):
    (bookmarks.root / "data").mkdir()
    (bookmarks.root / "data/bookmarks.db").write_bytes(b"something else entirely" * 100)
    bookmarks.start()
    assert bookmarks.ends() == 3, bookmarks.stderr
    assert "file is not a database" in bookmarks.stderr
    assert bookmarks.status_of("step:migrate") == "failed"


def test_health_follows_the_database(bookmarks):
    bookmarks.start()
    bookmarks.until_healthy()
    database = bookmarks.root / "data/bookmarks.db"
    aside = database.rename(database.with_suffix(".aside"))
    asked = bookmarks.command("health")
    assert (asked.returncode, "503" in asked.stdout + asked.stderr) == (1, True), asked
    assert bookmarks.command("health", "live").returncode == 0
    aside.rename(database)
    assert bookmarks.command("health").returncode == 0


def test_the_production_overlay_serves_maintenance_until_the_directory_is_mended(bookmarks):
    obstacle = bookmarks.root / "data"
    obstacle.write_text("a file where a directory belongs")
    bookmarks.start("--env", "production")
    bookmarks.until(lambda: served(bookmarks, "/ready") == 503)
    assert bookmarks.command("health").returncode == 1
    assert bookmarks.command("health", "live").returncode == 0
    obstacle.unlink()
    bookmarks.until_healthy()
    assert bookmarks.get("/bookmarks")["total"] == 0
    assert bookmarks.stop() == 0, bookmarks.stderr


def test_the_digest_waits_for_an_api_that_comes_late(bookmarks, digest):
    digest.start("-f", "digest.yaml")
    digest.until(lambda: "api" in digest.stderr)
    bookmarks.start()
    digest.until_healthy()
    assert digest.get("/digest") == {"newest": None, "count": 0, "days": []}
    assert digest.stop() == 0, digest.stderr


def test_a_stop_while_waiting_ends_with_143(digest):
    digest.start("-f", "digest.yaml")
    digest.until(lambda: "api" in digest.stderr)
    assert digest.stop() == 143, digest.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("validate", "--fail-on", "note"),
        ("--env", "production", "validate", "--fail-on", "note"),
        ("-f", "digest.yaml", "validate", "--fail-on", "note"),
    ],
)
def test_the_contracts_have_no_findings(bookmarks, digest, words):
    place = digest if "digest.yaml" in words else bookmarks
    done = place.command(*words)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_production_overlay_says_less(bookmarks):
    spec = json.loads(bookmarks.command("--env", "production", "config", "--format", "json").stdout)["spec"]
    assert spec["variables"]["LOG_LEVEL"]["default"] == "warning"
    assert spec["directories"][0]["min_free"] == "50MB"


def served(service, path):
    try:
        service.get(path)
    except HTTPError as error:
        with error:
            return error.code
    except OSError:
        return None
    return 200
