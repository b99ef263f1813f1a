"""The router in a real app, asked through its ASGI interface."""

import asyncio
import threading
import time

import pytest
from fastapi import FastAPI

from orchestrator.integrations.fastapi import health_router
from orchestrator.status.state import StateDirectory

httpx = pytest.importorskip("httpx")


@pytest.fixture
def state(tmp_path, monkeypatch):
    monkeypatch.delenv("ORCHESTRATOR_DEGRADED", raising=False)
    monkeypatch.setenv("ORCHESTRATOR_STATE_DIR", str(tmp_path))
    return StateDirectory(str(tmp_path))


def ask(path, *, accept="*/*", method="GET", **options):
    app = FastAPI()
    app.include_router(health_router(**options))

    async def exchange():
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.request(method, path, headers={"Accept": accept})

    return asyncio.run(exchange())


def fails():
    raise RuntimeError("password=hush")


async def works():
    return True


def plainly():
    return works()


@pytest.mark.parametrize("path", ["/live", "/ready", "/startup"])
def test_without_an_engine_everything_is_well(path, monkeypatch):
    monkeypatch.delenv("ORCHESTRATOR_STATE_DIR", raising=False)
    answer = ask(path)
    assert (answer.status_code, answer.text) == (200, "ok\n")
    assert answer.headers["cache-control"] == "no-store"
    assert ask(path, method="HEAD").status_code == 200


@pytest.mark.parametrize(
    ("status", "live", "ready", "startup"),
    [
        ("starting", 200, 200, 503),  # the engine waits for `ready`: it must not wait for the engine
        ("ready", 200, 200, 200),
        ("degraded", 200, 200, 200),
        ("maintenance", 200, 503, 200),
        ("stopping", 200, 503, 200),
        ("failed", 200, 503, 503),
    ],
)
def test_the_engines_status_counts(state, status, live, ready, startup):
    state.write_state({"status": status})
    found = [ask(path).status_code for path in ("/live", "/ready", "/startup")]
    assert found == [live, ready, startup]


@pytest.mark.parametrize(
    ("dependency", "code"),
    [
        (works, 200),
        (lambda: None, 200),
        (lambda: True, 200),
        (lambda: False, 503),
        (fails, 503),
        (plainly, 200),
    ],
)
def test_dependencies_decide_about_ready_alone(dependency, code):
    assert ask("/ready", dependencies={"db": dependency}).status_code == code
    assert ask("/live", dependencies={"db": dependency}).status_code == 200


def test_a_dependency_that_hangs_fails_at_its_timeout():
    async def hangs():
        await asyncio.sleep(30)

    started = time.monotonic()
    assert ask("/ready", dependencies={"db": hangs}, timeout=0.1).status_code == 503
    assert time.monotonic() - started < 5


def test_a_dependency_of_a_degraded_feature_does_not_count(state):
    state.write_state({"status": "degraded", "degraded": ["search"]})
    answer = ask("/ready?verbose", dependencies={"search": fails, "db": works}, verbose=True)
    assert answer.status_code == 200
    assert answer.text == "[+]engine ok\n[+]db ok\n[~]feature:search is off\nready check passed\n"


def test_verbose_names_what_failed_and_withholds_why():
    answer = ask("/ready?verbose", dependencies={"db": fails}, verbose=True)
    assert answer.status_code == 503
    assert answer.text == "[+]engine ok\n[-]db failed: reason withheld\nready check failed\n"


def test_verbose_is_for_whom_it_is_allowed():
    dependencies = {"db": fails}
    assert ask("/ready?verbose", dependencies=dependencies).text == "not ready\n"
    asked = []
    allowed = ask(
        "/ready?verbose", dependencies=dependencies, verbose=lambda request: asked.append(request) or True
    )
    refused = ask("/ready?verbose", dependencies=dependencies, verbose=lambda request: False)
    assert "[-]db failed" in allowed.text
    assert refused.text == "not ready\n"
    assert asked[0].url.path == "/ready"


def test_health_json_is_given_to_who_asks_for_it(state):
    state.write_state({"status": "degraded", "degraded": ["search"]})
    answer = ask("/ready?verbose", accept="application/health+json", verbose=True, dependencies={"db": works})
    assert answer.headers["content-type"] == "application/health+json"
    assert answer.json() == {
        "status": "warn",
        "checks": {
            "engine": [{"status": "pass"}],
            "db": [{"status": "pass"}],
            "feature:search": [{"status": "warn"}],
        },
    }
    brief = ask("/ready", accept="text/html, application/json;q=0.9", dependencies={"db": fails})
    assert (brief.status_code, brief.json()) == (503, {"status": "fail"})
    assert brief.headers["content-type"] == "application/json"


def test_paths_and_prefix_can_be_chosen():
    assert ask("/ops/alive", prefix="/ops", live="/alive").status_code == 200
    assert ask("/live", prefix="/ops").status_code == 404


def test_a_plain_dependency_that_hangs_holds_one_thread_however_often_it_is_asked(state):
    """The threads are the app's, too: a probe every second would use them all up."""
    state.write_state({"status": "ready"})
    calls, release = [], threading.Event()

    def hangs():
        calls.append(1)
        release.wait(30)

    app = FastAPI()
    app.include_router(health_router(dependencies={"db": hangs}, timeout=0.05))

    async def ask_often():
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            before = [(await client.get("/ready")).status_code for _ in range(5)]
            during = len(calls)
            release.set()
            after = [(await client.get("/ready")).status_code for _ in range(100)]
            return before, during, after[-1]

    assert asyncio.run(ask_often()) == ([503] * 5, 1, 200)


def test_who_asks_at_the_same_time_shares_the_answer_and_an_exception_is_nobodys_news(state):
    state.write_state({"status": "ready"})
    calls = []

    def awaitable():
        calls.append(1)
        time.sleep(0.2)
        return works()

    app = FastAPI()
    app.include_router(health_router(dependencies={"db": awaitable, "cache": fails}))

    async def ask_at_once():
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await asyncio.gather(*[client.get("/ready") for _ in range(3)])

    assert {answer.status_code for answer in asyncio.run(ask_at_once())} == {503}
    assert len(calls) == 1
