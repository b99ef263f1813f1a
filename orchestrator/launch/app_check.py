"""Whether what was imported is the app that is meant: callable, of its interface, with its routes. Calls nothing."""

from __future__ import annotations

from typing import Any

MOST_WRAPPED = 20
_INSTEAD = "take `routes_present` out, and ask the endpoints themselves under `health`"
_REQUEST = {"method": "GET", "root_path": "", "headers": [], "path_params": {}, "query_string": b""}


def wrong(name: str, app: Any, asked: dict[str, Any], *, factory: bool) -> tuple[str, str] | None:
    """What is wrong with the app `module:attribute`, and the hint; None when nothing is."""
    if not callable(app):
        hint = "name the app itself, or with `factory: true` a function that makes it"
        return f"`{name}` is of type {type(app).__name__}, which no server can call", hint
    speaks = _other_interface(app, asked.get("interface", "auto"), factory=factory)
    if speaks:
        hint = f"write `interface: {speaks}` and a server that speaks it, or name another app"
        return f"`{name}` speaks {speaks.upper()}, expected {asked['interface'].upper()}", hint
    routes = asked.get("routes_present") or ()
    return _lacking(name, app, routes) if routes else None


def _other_interface(app: Any, wanted: str, *, factory: bool) -> str:
    """What it speaks, where that is certain and not what is wanted."""
    if wanted == "auto":
        return ""
    from orchestrator.launch.servers._apps import is_asgi

    found = is_asgi(app, factory=factory)
    return "" if found in (None, wanted == "asgi") else "asgi" if found else "wsgi"


def _lacking(name: str, app: Any, wanted: list[str]) -> tuple[str, str] | None:
    try:
        there = [_has_route(app, each) for each in wanted]
    except Exception as error:  # whatever the routes of a framework do when they are asked is a finding
        said = f"the routes of `{name}` cannot be asked: {type(error).__name__}: {error}"
        return said, _INSTEAD
    if None in there:
        return f"`{name}` does not tell its routes", _INSTEAD
    missing = [each for each, found in zip(wanted, there, strict=True) if not found]
    if not missing:
        return None
    said = f"`{name}` has no route {', '.join(missing)}"
    return said, "include the router that has it, or correct `routes_present`"


def _has_route(app: Any, path: str) -> bool | None:
    """Whether it would answer at a path; None where it does not tell. What wraps it is looked through."""
    for _ in range(MOST_WRAPPED):
        if hasattr(app, "url_map"):  # Flask and Quart
            written = path in {str(rule) for rule in app.url_map.iter_rules()}
            return written or bool(app.url_map.bind("localhost").allowed_methods(path))
        routes = getattr(app, "routes", None)
        if isinstance(routes, list | tuple):  # Starlette and FastAPI
            return any(
                _matches(routes, {**_REQUEST, "type": each, "path": path}) for each in ("http", "websocket")
            )
        app = getattr(app, "app", None) or getattr(app, "wsgi_app", None)
    return None


def _matches(routes: Any, request: dict[str, Any]) -> bool:
    """Asks the routes as a request would; another method is the same route."""
    for route in routes:
        matched, more = route.matches(dict(request)) if hasattr(route, "matches") else (None, {})
        if matched is None or not matched.value:
            continue
        inner = getattr(route, "routes", None)
        if not inner or _matches(inner, request | more):
            return True
    return False
