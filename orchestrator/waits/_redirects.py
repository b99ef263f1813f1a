"""Follows redirects: each is a request of its own, under one deadline. Credentials go to nobody else."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from orchestrator.spec.errors import Problem
from orchestrator.waits import _http
from orchestrator.waits._address import parse_url
from orchestrator.waits._failure import Failure

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.spec.matching import Answer
    from orchestrator.waits._address import Server
    from orchestrator.waits._failure import Deadline

_SECRET = frozenset({"authorization", "cookie"})


def followed(request: _http.Request, hops: int, deadline: Deadline, environ: Mapping[str, str]) -> Answer:
    """The first answer that is no redirect; raises Failure where there are more than so many."""
    for _ in range(hops + 1):
        answer = _http.fetch(request, deadline, environ)
        location = answer.headers.get("location", "")
        if answer.status not in (301, 302, 303, 307, 308) or not location:
            return answer
        request = _next(request, answer.status, location)
    raise Failure("unexpected", f"more than {hops} redirects, the last to {location.partition('?')[0]}")


def _next(request: _http.Request, status: int, location: str) -> _http.Request:
    url = urljoin(f"{_place(request)}{request.target}", location)
    try:
        server = parse_url(url, ("http", "https"), 0)
    except Problem as error:
        raise Failure(
            "protocol", f"{_place(request)} redirects to nowhere: {error.context['message']}"
        ) from None
    tls = server.scheme == "https"
    if request.tls and not tls:
        raise Failure("unexpected", f"{_place(request)} redirects to plain HTTP, where everybody can listen")
    there = replace(
        request,
        host=server.host,
        port=server.port or (443 if tls else 80),
        tls=tls,
        target=_target(server, url),
    )
    if _place(there) != _place(request):
        kept = {
            name: value for name, value in request.headers.items() if name.lower() not in (*_SECRET, "host")
        }
        there = replace(there, headers=kept, host_header="", unix="", trust=replace(request.trust, name=""))
    if status == 303 or (status in (301, 302) and request.method == "POST"):
        there = replace(there, method="HEAD" if request.method == "HEAD" else "GET", body=None)
    return there


def _target(server: Server, url: str) -> str:
    query = url.partition("#")[0].partition("?")[2]
    return _http.encoded((server.path or "/") + (f"?{query}" if query else ""))


def _place(request: _http.Request) -> str:
    name = _http.authority(request.host, request.port, tls=request.tls)
    return f"{'https' if request.tls else 'http'}://{name}"
