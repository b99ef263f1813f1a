"""The implementation of `requires_feature`, apart because it imports FastAPI."""

# No postponed annotations: FastAPI reads those of an instance and does not resolve text.

from collections.abc import Callable, Iterable
from typing import Any

from fastapi import FastAPI, HTTPException, Request, Response, WebSocketException, routing
from fastapi.responses import JSONResponse
from starlette.requests import HTTPConnection

from orchestrator import startup
from orchestrator.integrations import _problem

METHODS = frozenset({"get", "put", "post", "delete", "options", "head", "patch", "trace"})


class FeatureOff(HTTPException):
    """Without `install_features` FastAPI answers with the same status and the detail alone."""

    def __init__(self, feature: str, detail: str) -> None:
        super().__init__(
            _problem.STATUS, detail or f"{feature} is off at the moment", _problem.headers(feature)
        )
        self.feature = feature


class RequiresFeature:
    """A dependency that rejects requests while its feature is off."""

    def __init__(self, feature: str, detail: str) -> None:
        self.feature = feature
        self.detail = detail

    async def __call__(self, connection: HTTPConnection) -> None:
        if not startup.degraded(self.feature):
            return
        off = FeatureOff(self.feature, self.detail)
        if connection.scope["type"] == "websocket":
            raise WebSocketException(_problem.TRY_AGAIN_LATER, off.detail)
        raise off


def install(app: FastAPI) -> None:
    app.add_exception_handler(FeatureOff, answer)
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        document = generate()
        for path, methods, features in required(app):
            for method in METHODS.intersection(document.get("paths", {}).get(path, {})):
                if method.upper() in methods:
                    describe(document["paths"][path][method]["responses"], features)
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # the way FastAPI documents


async def answer(request: Request, off: Exception) -> Response:
    assert isinstance(off, FeatureOff)
    document = _problem.document(off.feature, request.url.path, off.detail)
    return JSONResponse(document, off.status_code, off.headers, media_type=_problem.MEDIA_TYPE)


def required(app: FastAPI) -> Iterable[tuple[str, set[str], list[str]]]:
    """Every path and its methods, with the features that it requires."""
    # Newer versions of FastAPI include routers lazily and have a function that lists what is in them.
    flattened: Callable[[Any], Iterable[Any]] = getattr(routing, "iter_route_contexts", iter)
    for route in flattened(app.routes):
        methods = getattr(route, "methods", None)  # a WebSocket has none
        features = list(dict.fromkeys(_features(getattr(route, "dependant", None))))
        if methods and features:
            yield route.path_format, methods, features


def _features(dependant: Any) -> Iterable[str]:
    if dependant is None:
        return
    if isinstance(dependant.call, RequiresFeature):
        yield dependant.call.feature
    for dependency in dependant.dependencies:
        yield from _features(dependency)


def describe(responses: dict[str, Any], features: list[str]) -> None:
    """Adds the answer to an operation; keeps what the app documents about its own 503."""
    known = responses.setdefault("503", {"description": f"Off at the moment: {', '.join(features)}"})
    known.setdefault("headers", {}).setdefault(
        "Retry-After",
        {
            "description": "Seconds until the next attempt, if known",
            "schema": {"type": "integer"},
        },
    )
    known.setdefault("content", {}).setdefault(_problem.MEDIA_TYPE, {"schema": schema(features)})


def schema(features: list[str]) -> dict[str, Any]:
    """The problem as JSON Schema, derived from one."""
    example = _problem.document(features[0], "/path")
    kinds = {str: "string", int: "integer"}
    properties: dict[str, Any] = {name: {"type": kinds[type(value)]} for name, value in example.items()}
    properties["feature"]["enum"] = features
    return {"type": "object", "title": "Problem", "properties": properties, "required": list(example)}
