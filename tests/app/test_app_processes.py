"""The two services as real processes under plain uvicorn: without the engine they are ordinary apps."""

import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

ROOT = Path(__file__).parents[2]


def get(address, body=None):
    request = Request(address, body and json.dumps(body).encode(), {"Content-Type": "application/json"})
    try:
        with urlopen(request, timeout=10) as answer:
            return answer.status, json.load(answer)
    except HTTPError as error:
        with error:
            return error.code, json.load(error)


def until_answering(process, port):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        assert process.poll() is None, "uvicorn ended"
        try:
            return get(f"http://127.0.0.1:{port}/live")
        except OSError:
            time.sleep(0.05)
    raise AssertionError("uvicorn does not answer")


@contextmanager
def serving(app, port, root=ROOT, **environment):
    command = [sys.executable, "-m", "uvicorn", app, "--port", str(port), "--log-level", "warning"]
    paths = {"PYTHONPATH": str(root)}
    process = subprocess.Popen(command, cwd=root, env={**os.environ, **paths, **environment})
    try:
        until_answering(process, port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture
def api(database, unused_port):
    with serving("app.main:app", unused_port(), DATABASE_PATH=str(database)) as address:
        yield address


def test_the_digest_shows_the_newest_by_day(api, unused_port):
    for index in range(3):
        get(f"{api}/bookmarks", {"url": f"https://example.org/{index}", "title": f"number {index}"})
    with serving("app.digest:app", unused_port(), API_URL=api + "/") as digest:
        assert get(f"{digest}/ready") == (200, {"status": "ok", "degraded": []})
        status, body = get(f"{digest}/digest?limit=2")
    assert (status, body["count"]) == (200, 2)
    shown = [bookmark["title"] for day in body["days"] for bookmark in day["bookmarks"]]
    assert shown == ["number 2", "number 1"]
    assert body["newest"].startswith(body["days"][0]["date"])


def test_the_digest_says_when_the_api_is_not_ready(api, database, unused_port):
    with serving("app.digest:app", unused_port(), API_URL=api) as digest:
        database.write_bytes(b"something else entirely" * 100)
        status, body = get(f"{digest}/ready")
        assert (status, body["status"]) == (503, "unavailable")
        assert "answered 503" in body["reason"]
        assert get(f"{digest}/digest")[0] == 502
        assert get(f"{digest}/live") == (200, {"status": "ok"})


def test_the_digest_says_when_nobody_answers(unused_port):
    with serving("app.digest:app", unused_port(), API_URL=f"http://127.0.0.1:{unused_port()}") as digest:
        status, body = get(f"{digest}/ready")
        assert (status, body["status"]) == (503, "unavailable")
        assert "refused" in body["reason"]


def test_the_api_lives_without_its_search_module(database, tmp_path, unused_port):
    copy = tmp_path / "copy"
    shutil.copytree(ROOT / "app", copy / "app", ignore=shutil.ignore_patterns("__pycache__", "search.py"))
    environment = {"DATABASE_PATH": str(database), "ORCHESTRATOR_DEGRADED": "search"}
    with serving("app.main:app", unused_port(), copy, **environment) as api:
        assert get(f"{api}/ready") == (200, {"status": "ok", "degraded": ["search"]})
        status, body = get(f"{api}/search?q=word")
        assert (status, body["title"]) == (503, "Service Unavailable")
        assert get(f"{api}/bookmarks", {"url": "https://example.org", "title": "works"})[0] == 201


def test_a_degraded_search_is_never_imported(database):
    program = (
        "import sys; import app.main; answer = app.main.search('word');"
        "assert answer.status_code == 503;"
        "assert 'app.search' not in sys.modules"
    )
    environment = {**os.environ, "DATABASE_PATH": str(database), "ORCHESTRATOR_DEGRADED": "search"}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
