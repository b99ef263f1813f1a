"""What an imported app is, told without calling it: real frameworks, and what is no app."""

from importlib import import_module

import pytest
from fastapi import APIRouter, FastAPI
from starlette.applications import Starlette
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Mount, Route

from orchestrator.launch.app_check import wrong


async def asgi(scope, receive, send):
    raise AssertionError("it must not be called")


def wsgi(environ, start_response):
    raise AssertionError("it must not be called")


def judge(app, *, factory=False, **asked):
    found = wrong("main:app", app, asked, factory=factory)
    return found and found[0]


def test_what_cannot_be_called_is_no_app():
    assert judge(3) == "`main:app` is of type int, which no server can call"
    assert judge("app", factory=True) == "`main:app` is of type str, which no server can call"
    assert judge(asgi) is None


@pytest.mark.parametrize(
    ("app", "interface", "said"),
    [
        (asgi, "asgi", None),
        (FastAPI(), "asgi", None),
        (wsgi, "wsgi", None),
        (wsgi, "auto", None),
        (wsgi, "asgi", "`main:app` speaks WSGI, expected ASGI"),
        (FastAPI(), "wsgi", "`main:app` speaks ASGI, expected WSGI"),
        (print, "asgi", None),
    ],
)
def test_its_interface_is_told_where_it_is_certain(app, interface, said):
    assert judge(app, interface=interface) == said


@pytest.mark.parametrize("framework", ["flask.Flask", "quart.Quart"])
def test_the_routes_of_flask_and_quart_are_looked_for_as_a_request_would(framework):
    module, _, name = framework.partition(".")
    app = getattr(import_module(module), name)("shop")
    app.add_url_rule("/orders/<int:number>", "order", wsgi, methods=["POST"])
    there = ["/orders/<int:number>", "/orders/17", "/static/logo.png"]
    assert judge(app, routes_present=there) is None
    assert (
        judge(app, routes_present=["/orders/none", "/ready"])
        == "`main:app` has no route /orders/none, /ready"
    )


def test_routes_are_looked_for_as_the_app_writes_them():
    router = APIRouter(prefix="/orders")
    router.add_api_route("/{number}", asgi)
    app = FastAPI()
    app.include_router(router)
    app.mount("/static", Starlette(routes=[Route("/logo", asgi), Mount("/deep", routes=[Route("/x", asgi)])]))
    there = ["/orders/{number}", "/static/logo", "/static/deep/x", "/openapi.json"]
    assert judge(app, routes_present=there) is None
    assert judge(app, routes_present=["/orders/17"]) is None
    assert judge(app, routes_present=["/static/deep/y"]) == "`main:app` has no route /static/deep/y"
    assert judge(CORSMiddleware(app), routes_present=there) is None
    missing = judge(app, routes_present=["/orders/{number}", "/health", "/ready"])
    assert missing == "`main:app` has no route /health, /ready"


def test_an_app_that_does_not_tell_its_routes_is_said():
    assert judge(asgi, routes_present=["/"]) == "`main:app` does not tell its routes"
