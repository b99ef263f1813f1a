"""For FastAPI apps: health endpoints that know the result of the start, and endpoints that need a feature.

app.include_router(health_router(dependencies={"db": ping}))

install_features(app)
@app.get("/search", dependencies=[Depends(requires_feature("search"))])
"""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from orchestrator import startup

if TYPE_CHECKING:
    from fastapi import APIRouter, FastAPI, Request, Response
    from starlette.requests import HTTPConnection

__all__ = ["Dependency", "health_router", "install_features", "requires_feature"]

Dependency = Callable[[], object | Awaitable[object]]
"""Called without arguments, plain or `async`. False and an exception mean failure."""


def requires_feature(name: str, *, detail: str = "") -> "Callable[[HTTPConnection], Awaitable[None]]":
    """A dependency that answers 503 while the feature is off, with Retry-After if it is rechecked.

    `detail` is shown to visitors. A WebSocket is closed with 1013, "try again later", before it is accepted.
    `install_features` turns the answer into a problem of RFC 9457.
    """
    from orchestrator.integrations._fastapi_features import RequiresFeature

    return RequiresFeature(name, detail)


def install_features(app: "FastAPI") -> None:
    """Makes `requires_feature` answer with `application/problem+json`, and documents that in OpenAPI."""
    from orchestrator.integrations._fastapi_features import install

    install(app)


class _Check(NamedTuple):
    name: str
    status: str
    """`pass`, `warn` (a feature that is off) or `fail`."""


def health_router(
    prefix: str = "",
    *,
    live: str = "/live",
    ready: str = "/ready",
    started: str = "/startup",
    dependencies: Mapping[str, Dependency] | None = None,
    timeout: float = 2.0,
    verbose: "bool | Callable[[Request], bool]" = False,
) -> "APIRouter":
    """A router with three endpoints, 200 or 503 each.

    `live`: the process answers. `startup`: the start has finished. `ready`: the service is not stopping or in
    maintenance, and every dependency succeeds within `timeout` seconds. While the engine starts it waits for `ready`, so
    then the dependencies alone decide. A dependency with the name of a degraded feature is ignored while that is off.
    Without an engine the service counts as ready.

    `?verbose` lists the checks for those whom `verbose` allows to see them: nobody, everybody, or whoever passes the
    function, which gets the request. A plain dependency is called in a thread, and not again while that call runs: one
    that hangs does not use up the app's threads. On request all answer in `application/health+json`.
    """
    from fastapi import APIRouter, Request

    async def answer_live(request: Request) -> "Response":
        return _response(request, "live", [_Check("process", "pass")], verbose)

    async def answer_ready(request: Request) -> "Response":
        checks = [_engine({"stopping", "stopped", "maintenance", "failed"})]
        checks += await _dependencies(dependencies or {}, timeout, threads)
        return _response(request, "ready", checks + _features(), verbose)

    async def answer_started(request: Request) -> "Response":
        return _response(request, "startup", [_engine({"starting", "failed"}), *_features()], verbose)

    threads: dict[str, asyncio.Future[object]] = {}
    router = APIRouter(prefix=prefix)
    for path, endpoint in ((live, answer_live), (ready, answer_ready), (started, answer_started)):
        router.add_api_route(
            path, endpoint, methods=["GET", "HEAD"], include_in_schema=False, response_model=None
        )
    return router


def _engine(failing: set[str]) -> _Check:
    return _Check("engine", "fail" if startup.status() in failing else "pass")


def _features() -> list[_Check]:
    return [_Check(f"feature:{name}", "warn") for name in startup.degraded_features()]


async def _dependencies(
    dependencies: Mapping[str, Dependency], seconds: float, threads: "dict[str, asyncio.Future[object]]"
) -> list[_Check]:
    """All concurrently."""
    counted = [name for name in dependencies if not startup.degraded(name)]
    works = await asyncio.gather(*[_works(name, dependencies[name], seconds, threads) for name in counted])
    return [_Check(name, "pass" if ok else "fail") for name, ok in zip(counted, works, strict=True)]


async def _works(
    name: str, dependency: Dependency, seconds: float, threads: "dict[str, asyncio.Future[object]]"
) -> bool:
    called = (
        _awaited(dependency)
        if inspect.iscoroutinefunction(dependency)
        else _in_its_thread(name, dependency, threads)
    )
    try:
        return await asyncio.wait_for(called, seconds) is not False
    except Exception:
        return False  # any exception means that it does not work


async def _awaited(dependency: Dependency) -> object:
    found = dependency()
    return await found if inspect.isawaitable(found) else found


async def _in_its_thread(
    name: str, dependency: Dependency, threads: "dict[str, asyncio.Future[object]]"
) -> object:
    """The result of the running call, if there is one: threads cannot be ended, so there is at most one."""
    running = threads.get(name)
    if running is None or running.done() or running.get_loop() is not asyncio.get_running_loop():
        running = threads[name] = asyncio.ensure_future(_threaded(dependency))
        # The request may be over: retrieve the exception, so that asyncio does not log it.
        running.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
    return await asyncio.shield(running)


async def _threaded(dependency: Dependency) -> object:
    found = await asyncio.to_thread(dependency)
    return await found if inspect.isawaitable(found) else found


def _response(
    request: "Request", name: str, checks: list[_Check], verbose: "bool | Callable[[Request], bool]"
) -> "Response":
    from fastapi import Response
    from fastapi.responses import JSONResponse

    ok = all(check.status != "fail" for check in checks)
    allowed = verbose(request) if callable(verbose) else verbose
    shown = checks if allowed and "verbose" in request.query_params else []
    headers = {"Cache-Control": "no-store", "Vary": "Accept"}
    code = 200 if ok else 503
    kind = _kind(request.headers.get("accept", ""))
    if kind:
        return JSONResponse(_document(checks, shown), code, headers, media_type=kind)
    return Response(_text(name, shown, ok=ok), code, headers, media_type="text/plain")


def _kind(accept: str) -> str:
    """The JSON type that is accepted by name, if any."""
    named = [part.partition(";")[0].strip().lower() for part in accept.split(",")]
    return next((kind for kind in ("application/health+json", "application/json") if kind in named), "")


def _document(checks: list[_Check], shown: list[_Check]) -> dict[str, object]:
    found = {check.status for check in checks}
    worst = next(status for status in ("fail", "warn", "pass") if status in found)
    if not shown:
        return {"status": worst}
    return {"status": worst, "checks": {check.name: [{"status": check.status}] for check in shown}}


def _text(name: str, shown: list[_Check], *, ok: bool) -> str:
    if not shown:
        return "ok\n" if ok else f"not {name}\n"
    words = {"pass": "[+]{} ok", "warn": "[~]{} is off", "fail": "[-]{} failed: reason withheld"}
    lines = [words[check.status].format(check.name) for check in shown]
    return "\n".join([*lines, f"{name} check {'passed' if ok else 'failed'}"]) + "\n"
