"""Middleware for paths of degraded features, for any WSGI app: Flask, Django.

app.wsgi_app = FeatureMiddleware(app.wsgi_app, {"/search": "search"})
"""

from __future__ import annotations

from orchestrator.integrations import _problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["FeatureMiddleware"]


class FeatureMiddleware:
    """Answers 503 with `application/problem+json` below the paths whose feature is off; the app gets the rest.

    `features` maps path to feature: `{"/search": "search"}` is `/search` and all below it.
    """

    def __init__(self, app: WSGIApplication, features: Mapping[str, str]) -> None:
        self.app = app
        self._prefixes = _problem.Prefixes(features)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        # WSGI passes bytes as Latin-1.
        path = (environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")).encode("latin-1")
        readable = path.decode("utf-8", "replace")
        feature = self._prefixes.off(readable)
        if not feature:
            return self.app(environ, start_response)
        headers, body = _problem.answer(feature, readable)
        start_response(f"{_problem.STATUS} Service Unavailable", headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]
