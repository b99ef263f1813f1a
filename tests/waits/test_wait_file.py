"""`file` with real files."""

import os
import time

import pytest


@pytest.fixture
def place(tmp_path):
    return tmp_path / "ready"


def test_a_path_that_is_there_is_well(attempt, place):
    place.write_text("")
    assert attempt("file", str(place)).ok
    assert attempt("file", "ready", cwd=str(place.parent)).ok
    assert attempt("file", str(place.parent)).ok


def test_a_path_that_is_not_there_is_waited_for(attempt, place):
    for path in (str(place), str(place) + "/below"):
        outcome = attempt("file", path)
        assert (outcome.reason, outcome.code, outcome.final) == ("unexpected", "ORC508", False)
        assert outcome.summary == f"there is no {path}"


def test_a_path_that_must_go_is_waited_for(attempt, place):
    place.write_text("")
    assert attempt("file", {"path": str(place), "absent": True}).summary == f"{place} is still there"
    place.unlink()
    assert attempt("file", {"path": str(place), "absent": True}).ok


def test_size_age_and_content_are_judged(attempt, place):
    place.write_text("done: yes")
    path = str(place)
    assert attempt("file", {"path": path, "min_size": "9B", "max_age": "1h", "contains": "yes"}).ok
    assert attempt("file", {"path": path, "min_size": "10B"}).summary.endswith("has 9 bytes, expected 10")
    assert "does not contain" in attempt("file", {"path": path, "contains": "no"}).summary
    os.utime(place, (time.time() - 100, time.time() - 100))
    assert "was changed 100 s ago" in attempt("file", {"path": path, "max_age": "99s"}).summary


def test_a_pipe_is_not_read(attempt, place):
    os.mkfifo(place)
    assert (
        attempt("file", {"path": str(place), "contains": "x"}).summary
        == f"{place} is no file that can be read"
    )
