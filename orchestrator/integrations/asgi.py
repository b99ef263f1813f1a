"""Middleware for paths of degraded features, for any ASGI app: Starlette, Quart, Django, Litestar.

app.add_middleware(FeatureMiddleware, features={"/search": "search"})
"""

from __future__ import annotations

from orchestrator.integrations import _problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, MutableMapping
    from typing import Any

    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

__all__ = ["FeatureMiddleware"]


class FeatureMiddleware:
    """Answers 503 with `application/problem+json` below the paths whose feature is off; the app gets the rest.

    `features` maps path to feature: `{"/search": "search"}` is `/search` and all below it. A WebSocket is denied with
    the same answer if the server supports that, else closed before it is accepted, which clients see as 403. An open
    one stays open.
    """

    def __init__(self, app: App, features: Mapping[str, str]) -> None:
        self.app = app
        self._prefixes = _problem.Prefixes(features)

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        feature = self._prefixes.off(scope["path"]) if scope["type"] in ("http", "websocket") else ""
        if not feature:
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            await _answer(feature, scope, send, "http.response")
        else:
            await _deny(feature, scope, receive, send)


async def _answer(feature: str, scope: MutableMapping[str, Any], send: Send, kind: str) -> None:
    headers, body = _problem.answer(feature, scope["path"])
    encoded = [(name.lower().encode(), value.encode()) for name, value in headers]
    await send({"type": f"{kind}.start", "status": _problem.STATUS, "headers": encoded})
    await send({"type": f"{kind}.body", "body": b"" if scope.get("method") == "HEAD" else body})


async def _deny(feature: str, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
    await receive()  # `websocket.connect`
    if "websocket.http.response" in (scope.get("extensions") or {}):
        await _answer(feature, scope, send, "websocket.http.response")
    else:
        await send({"type": "websocket.close", "code": _problem.TRY_AGAIN_LATER})
