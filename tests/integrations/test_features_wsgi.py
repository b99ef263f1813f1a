"""The middleware before a WSGI app, served by the standard library's server."""

import wsgiref.validate

import httpx
import pytest
import served

from orchestrator.integrations.wsgi import FeatureMiddleware


def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]


@pytest.fixture
def address(engine):
    guarded = FeatureMiddleware(app, {"/search": "search", "/größe": "sizes"})
    with served.wsgi(wsgiref.validate.validator(guarded)) as address:
        yield f"http://{address}"


def test_a_feature_that_is_off_is_a_problem_until_it_comes_back(address, engine):
    assert httpx.get(f"{address}/search").text == "hello"
    engine.degraded("search", recheck=0.4)
    answer = httpx.get(f"{address}/search/all")
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["retry-after"] == "1"
    assert (answer.json()["instance"], answer.json()["feature"]) == ("/search/all", "search")
    assert httpx.get(f"{address}/searching").text == "hello"
    engine.well()
    assert httpx.get(f"{address}/search").text == "hello"


def test_head_is_the_same_without_a_body(address, engine):
    engine.degraded("search")
    head = httpx.head(f"{address}/search")
    assert (head.status_code, head.content) == (503, b"")


def test_paths_are_compared_as_they_are_read(address, engine):
    engine.degraded("sizes")
    assert httpx.get(f"{address}/größe/xl").status_code == 503


def test_without_an_engine_everything_is_on(alone):
    with served.wsgi(FeatureMiddleware(app, {"/": "all"})) as address:
        assert httpx.get(f"http://{address}/").text == "hello"
