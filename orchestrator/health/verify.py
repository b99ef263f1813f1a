"""Asks a health endpoint once, with all expectations: for the engine, after the launch."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from orchestrator.core.context import Context
from orchestrator.health.http_probe import loopback, loopbacks
from orchestrator.waits import _http
from orchestrator.waits._failure import Deadline, Failure
from orchestrator.waits._tls import Trust
from orchestrator.waits.http import judge

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.core.outcome import Outcome
    from orchestrator.spec.expect import Expect

CODE = "ORC706"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where and how the launched service is asked."""

    path: str = "/"
    port: int = 8000
    host: str = "127.0.0.1"
    scheme: str = "http"
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    host_header: str = ""
    expect: Expect | None = None
    unix: str = ""
    """The path of the socket, if the service listens on one."""
    verify: bool = False
    """Whether to verify the certificate: none can be right for the loopback address."""

    @property
    def where(self) -> str:
        place = f"unix:{self.unix}:" if self.unix else self._authority
        return f"{self.scheme}://{place}{self.path.partition('?')[0]}"

    @property
    def _authority(self) -> str:
        return _http.authority(loopback(self.host), self.port, tls=self.scheme == "https")


def ask(endpoint: Endpoint, timeout: float, context: Context | None = None) -> Outcome:
    """One attempt, within `timeout` seconds in all. A failure has the health checks' code and a typed reason."""
    context = context or Context(environ={})
    deadline = Deadline(timeout)
    *others, last = loopbacks(endpoint.host)
    for host in others:
        outcome = _asked(endpoint, host, deadline, context)
        if outcome.reason not in ("refused", "unreachable"):
            return outcome
    return _asked(endpoint, last, deadline, context)


def _asked(endpoint: Endpoint, host: str, deadline: Deadline, context: Context) -> Outcome:
    try:
        answer = _http.fetch(_request(endpoint, host), deadline, context.environ)
        return judge(endpoint.where, endpoint.expect, answer)
    except Failure as failure:
        return replace(failure.outcome, code=CODE)


def _request(endpoint: Endpoint, host: str) -> _http.Request:
    return _http.Request(
        host,
        endpoint.port,
        endpoint.scheme == "https",
        _http.encoded(endpoint.path),
        endpoint.method,
        endpoint.headers,
        endpoint.host_header or ("localhost" if endpoint.unix else ""),
        endpoint.unix,
        Trust(verify=endpoint.verify),
    )
