"""Django under gunicorn, a Celery worker and beat: three roles of one contract, started for real with a real Redis."""

import contextlib
import importlib.util
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import uuid
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, ProxyHandler, Request, build_opener

import pytest
import servers

LACKING = [
    name
    for name in ("celery", "django", "gunicorn", "redis", "whitenoise")
    if importlib.util.find_spec(name) is None
]
pytestmark = [
    pytest.mark.skipif(not servers.REDIS, reason="redis-server is not installed"),
    pytest.mark.skipif(bool(LACKING), reason=f"not installed: {', '.join(LACKING)}"),
    pytest.mark.timeout(300),
]
PARTS = ("shop", "counting", "manage.py", "requirements.txt", "startup.yaml")
PASSWORD = "c0rrect-horse"
STEPS = ("migrate", "collectstatic", "superuser")
_direct = build_opener(ProxyHandler({}))


@pytest.fixture(scope="module")
def redis(tmp_path_factory):
    running = servers.PrivateRedis(tmp_path_factory.mktemp("redis")).start()
    yield running
    running.stop()


def role(copied, redis, name, beside=None):
    """A role of a fresh copy, or of the one that another runs in: they share its data, as by a volume."""
    service = copied(f"{name}-{uuid.uuid4().hex[:6]}", "examples/django-celery", *(() if beside else PARTS))
    if beside:
        service.root = beside.root
    else:
        service.change_spec(as_whoever_tests)
    service.environment |= {
        "REDIS_URL": redis.url,
        "HEARTBEAT": str(service.output.with_name("heartbeat")),
        "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
    }
    return service


@pytest.fixture(scope="module")
def shop(copied_for_all, redis):
    """A web and a worker that was there before it, on an empty volume."""
    worker = role(copied_for_all, redis, "worker")
    worker.start(words=["worker"])
    worker.until(lambda: "check:schema" in worker.stderr)
    assert worker.command("health").returncode == 1
    web = role(copied_for_all, redis, "web", beside=worker)
    web.start()
    web.until_healthy()
    worker.until_healthy()
    return web, worker


@pytest.fixture
def web(shop):
    return shop[0]


@pytest.fixture
def worker(shop):
    return shop[1]


def as_whoever_tests(spec):
    """The user `app` is one of the image; and a directory of this machine may be on no mount."""
    del spec["user"]
    spec["variables"]["SECRET_KEY"]["generate"]["ephemeral"] = True


def ask(service, path, body=None, opener=_direct):
    content = body and json.dumps(body).encode()
    asked = Request(f"http://localhost:{service.port}{path}", content, {"Content-Type": "application/json"})
    with opener.open(asked, timeout=15) as answer:
        return answer.read().decode()


def post(service, content):
    return json.loads(ask(service, "/texts", {"content": content}))


def words_of(service, text):
    return json.loads(ask(service, f"/texts/{text['id']}"))["words"]


def rows(service, query):
    connection = sqlite3.connect(service.root / "data/shop.sqlite3")
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def log_in(service, password):
    """What a browser does; the page that it comes to."""
    cookies = CookieJar(DefaultCookiePolicy(allowed_domains=["localhost.local", "localhost"]))
    browser = build_opener(ProxyHandler({}), HTTPCookieProcessor(cookies))
    form = ask(service, "/admin/login/", opener=browser)
    (token,) = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', form)
    sent = {"csrfmiddlewaretoken": token, "username": "admin", "password": password, "next": "/admin/"}
    with browser.open(
        f"http://localhost:{service.port}/admin/login/", urlencode(sent).encode(), timeout=15
    ) as answer:
        return answer.read().decode()


def below(service):
    """The processes of the launched server, the first of them first."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            pid, parent = int(path.parent.name), int(path.read_text().rpartition(")")[2].split()[1])
            found.setdefault(parent, []).append(pid)
    all_of_them, queue = [], [service.process.pid]
    while queue:
        children = sorted(found.get(queue.pop(0), []))
        all_of_them += children
        queue += children
    return all_of_them


def test_the_web_has_its_tables_its_static_files_and_its_first_superuser(web):
    assert [web.status_of(f"step:{name}") for name in STEPS] == ["ok"] * 3
    assert rows(web, "select username, is_superuser from auth_user") == [("admin", 1)]
    (style,) = re.findall(r'href="(/static/admin/css/login\.\w+\.css)"', ask(web, "/admin/login/"))
    assert ".login" in ask(web, style)
    assert "Site administration" in log_in(web, PASSWORD)
    assert "Please enter the correct username" in log_in(web, "another")


def test_the_password_of_the_superuser_is_shown_nowhere_and_not_handed_to_the_server(web):
    gunicorn = [pid for pid in below(web) if "gunicorn" in Path(f"/proc/{pid}/cmdline").read_text()]
    assert len(gunicorn) >= 3, "a parent and two workers"
    for pid in gunicorn:
        environment = Path(f"/proc/{pid}/environ").read_text()
        assert "DJANGO_SETTINGS_MODULE=shop.settings" in environment
        assert PASSWORD not in environment
    assert PASSWORD not in web.stderr + json.dumps(web.report())


def test_the_worker_waited_for_the_migration_of_the_web_and_does_its_jobs(web, worker):
    assert worker.status_of("check:schema") == "ok"
    text = post(web, "one two three")
    assert text["queued"]
    worker.until(lambda: words_of(web, text) == 3)


@pytest.mark.long
def test_a_worker_that_hangs_is_not_well_and_well_again_once_it_goes_on(worker):
    hanging = below(worker)
    for pid in hanging:
        os.kill(pid, signal.SIGSTOP)
    try:
        worker.until(lambda: worker.command("health").returncode == 1)
    finally:
        for pid in hanging:
            os.kill(pid, signal.SIGCONT)
    worker.until_healthy()


@pytest.mark.long
def test_words_behind_the_role_are_arguments_of_the_worker(copied, redis, web):
    high = role(copied, redis, "high", beside=web)
    high.start(words=["worker", "--", "-Q", "high", "--hostname", "high@here"])
    high.until_healthy()
    queues = subprocess.run(
        [sys.executable, "-m", "celery", "-A", "shop", "inspect", "active_queues", "--json",
         "--destination", "high@here", "--timeout", "20"],
        cwd=high.root, env=high.environment | {"SECRET_KEY": "x"}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    (heard,) = json.loads(queues.stdout.splitlines()[-1]).values()
    assert [each["name"] for each in heard] == ["high"], queues.stderr
    assert high.stop() == 0, high.stderr


def test_the_next_start_finds_everything_done_and_no_second_superuser(copied, redis, web):
    again = role(copied, redis, "again", beside=web)
    again.environment["DJANGO_SUPERUSER_PASSWORD"] = "another-one"
    again.start()
    again.until_healthy()
    assert [again.status_of(f"step:{name}") for name in STEPS] == ["skipped"] * 3
    assert "Site administration" in log_in(again, PASSWORD), "its secret key is that of the first"
    assert rows(web, "select username, is_superuser from auth_user") == [("admin", 1)]
    assert again.stop() == 0, again.stderr


@pytest.mark.long
def test_a_web_without_redis_serves_without_jobs_and_beat_finds_what_was_left(copied, tmp_path):
    redis = servers.PrivateRedis(tmp_path)
    web = role(copied, redis, "web")
    web.change_spec(lambda spec: spec["roles"]["web"]["wait_for"][0].update(deadline="1s"))
    web.start()
    web.until_healthy()
    assert web.report()["degraded"] == ["jobs"]
    text = post(web, "left for later")
    assert (text["queued"], words_of(web, text)) == (False, None)
    redis.start()
    try:
        worker, beat = (role(copied, redis, name, beside=web) for name in ("worker", "beat"))
        worker.start(words=["worker"])
        beat.start(words=["beat"])
        beat.until_healthy()
        worker.until(lambda: words_of(web, text) == 3)
        worker.until_healthy()
        redis.stop()
        worker.until(lambda: worker.command("health").returncode == 1)
        redis.start()
        worker.until_healthy()
        assert (beat.stop(), worker.stop(), web.stop()) == (0, 0, 0), beat.stderr + worker.stderr + web.stderr
    finally:
        redis.stop()


def test_a_worker_without_redis_ends_with_75(copied, tmp_path):
    worker = role(copied, servers.PrivateRedis(tmp_path), "worker")
    worker.change_spec(lambda spec: spec["roles"]["worker"]["wait_for"][0].update(deadline="1s"))
    worker.start(words=["worker"])
    assert worker.ends() == 75, worker.stderr
    assert worker.status_of("wait:redis") == "failed"
    assert worker.status_of("check:schema") == "blocked"


def test_a_password_that_everybody_knows_is_refused(copied, redis):
    web = role(copied, redis, "web")
    web.environment["DJANGO_SUPERUSER_PASSWORD"] = "changeme"
    web.start()
    assert web.ends() == 3, web.stderr
    assert web.status_of("variable:DJANGO_SUPERUSER_PASSWORD") == "failed"
