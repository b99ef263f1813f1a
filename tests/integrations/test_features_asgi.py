"""The middleware before a plain ASGI app and a Starlette app, served by uvicorn."""

import asyncio

import httpx
import pytest
import served
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from orchestrator.integrations.asgi import FeatureMiddleware

OFF = {"/search": "search", "/live/": "chat"}


async def plain(scope, receive, send):
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": "hello"})
        await send({"type": "websocket.close", "code": 1000})
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else b"hello"})


@pytest.fixture
def address(engine):
    with served.asgi(FeatureMiddleware(plain, OFF)) as address:
        yield f"http://{address}"


def test_a_feature_that_is_off_is_a_problem_that_says_when_to_try_again(address, engine):
    engine.degraded("search", recheck=30.0)
    answer = httpx.get(f"{address}/search/für?q=1")
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["retry-after"] == "30"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json() == {
        "type": "about:blank",
        "title": "Service Unavailable",
        "status": 503,
        "detail": "search is off at the moment",
        "instance": "/search/f%C3%BCr",
        "feature": "search",
    }


def test_a_feature_that_is_never_tried_again_names_no_time(address, engine):
    engine.degraded("search")
    answer = httpx.get(f"{address}/search")
    assert answer.status_code == 503
    assert "retry-after" not in answer.headers


def test_why_it_is_off_is_nobodys_business(address, engine):
    engine.degraded("search", summary="the secret host refused")
    answer = httpx.get(f"{address}/search")
    assert "secret" not in answer.text + str(answer.headers)


@pytest.mark.parametrize("path", ["/", "/searching", "/Search", "/a/search", "/live", "/live/x"])
def test_other_paths_are_the_apps(address, engine, path):
    engine.degraded("search")
    assert httpx.get(address + path).text == "hello"


def test_head_is_the_same_without_a_body(address, engine):
    engine.degraded("search")
    got, head = httpx.get(f"{address}/search"), httpx.head(f"{address}/search")
    assert (head.status_code, head.content) == (503, b"")
    assert head.headers["content-length"] == got.headers["content-length"]


def test_a_feature_that_comes_back_and_goes_again_is_seen_at_the_next_request(address, engine):
    engine.degraded("search")
    with httpx.Client(base_url=address) as client:
        found = [client.get("/search").status_code]
        engine.well()
        found.append(client.get("/search").status_code)
        engine.degraded("search")
        found.append(client.post("/search", content=b"x" * 100_000).status_code)
        engine.well()
        found.append(client.get("/search").status_code)
    assert found == [503, 200, 503, 200]


def test_without_an_engine_everything_is_on(alone):
    with served.asgi(FeatureMiddleware(plain, OFF)) as address:
        assert httpx.get(f"http://{address}/search").text == "hello"


def test_a_websocket_of_a_feature_that_is_off_is_denied_with_the_same_answer(address, engine):
    url = address.replace("http", "ws") + "/live/room"
    with connect(url) as connection:
        assert connection.recv() == "hello"
    engine.degraded("chat", recheck=5.0)
    with pytest.raises(InvalidStatus) as denied:
        connect(url)
    assert denied.value.response.status_code == 503
    assert denied.value.response.headers["retry-after"] == "5"
    assert b'"feature": "chat"' in denied.value.response.body


def test_a_websocket_is_closed_where_the_server_cannot_say_more(engine):
    engine.degraded("chat")
    sent = []

    async def receive():
        return {"type": "websocket.connect"}

    async def send(message):
        sent.append(message)

    asyncio.run(FeatureMiddleware(plain, OFF)({"type": "websocket", "path": "/live/x"}, receive, send))
    assert sent == [{"type": "websocket.close", "code": 1013}]


def test_starlette_takes_it_as_a_middleware_and_mounted_apps_are_behind_it(engine):
    async def page(request):
        return PlainTextResponse(request.url.path)

    app = Starlette(routes=[Mount("/shop", routes=[Route("/search", page), Route("/cart", page)])])
    app.add_middleware(FeatureMiddleware, features={"/shop/search": "search"})
    engine.degraded("search")
    with served.asgi(app) as address:
        assert httpx.get(f"http://{address}/shop/search").status_code == 503
        assert httpx.get(f"http://{address}/shop/cart").text == "/shop/cart"


def test_the_lifespan_is_the_apps():
    seen = []

    async def app(scope, receive, send):
        seen.append(scope["type"])

    asyncio.run(FeatureMiddleware(app, {"/": "all"})({"type": "lifespan"}, None, None))
    assert seen == ["lifespan"]


def test_a_path_without_a_slash_is_a_mistake_that_is_told():
    with pytest.raises(ValueError, match="a path must start with a slash, got `search`"):
        FeatureMiddleware(plain, {"search": "search"})


def test_the_root_is_everything(engine):
    engine.degraded("all")
    with served.asgi(FeatureMiddleware(plain, {"/": "all"})) as address:
        assert [httpx.get(f"http://{address}{path}").status_code for path in ("/", "/a/b")] == [503, 503]
