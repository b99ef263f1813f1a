"""For a FastAPI app: health endpoints that know the start's result, and endpoints of features that may be off.

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
"""Called without arguments, plain or `async`. False and an exception mean that it does not work."""


def requires_feature(name: str, *, detail: str = "") -> "Callable[[HTTPConnection], Awaitable[None]]":
    """A dependency that answers 503 while the feature is off, with Retry-After where it is tried again.

    `detail` is what a visitor is told. A WebSocket is closed with 1013, "try again later", before it is
    accepted. `install_features` makes the answer a problem of RFC 9457.
    """
    from orchestrator.integrations._fastapi_features import RequiresFeature

    return RequiresFeature(name, detail)


def install_features(app: "FastAPI") -> None:
    """Lets the app answer `requires_feature` with `application/problem+json`, and show it in its OpenAPI document."""
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

    `live`: the process answers. `startup`: the engine has finished the start. `ready`: the engine is not
    taking traffic away (while it stops, or serves maintenance) and every dependency works within `timeout`
    seconds. While the engine starts, `ready` is what it waits for, so then the dependencies alone decide. A
    dependency named like a degraded feature does not count while that feature is off. Without an engine all
    is as if it were ready.

    `?verbose` lists the checks one by one for those to whom `verbose` allows it: nobody, everybody, or who
    passes the function, which is given the request. A plain function is called in a thread, and not again
    while that has no answer yet: one that hangs does not use up the app's threads. Asked for `application/health+json`, all three answer in
    that form.
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


def _engine(unwell: set[str]) -> _Check:
    return _Check("engine", "fail" if startup.status() in unwell else "pass")


def _features() -> list[_Check]:
    return [_Check(f"feature:{name}", "warn") for name in startup.degraded_features()]


async def _dependencies(
    dependencies: Mapping[str, Dependency], seconds: float, threads: "dict[str, asyncio.Future[object]]"
) -> list[_Check]:
    """All at once: the slowest decides how long it takes."""
    counted = [name for name in dependencies if not startup.degraded(name)]
    works = await asyncio.gather(*[_works(name, dependencies[name], seconds, threads) for name in counted])
    return [_Check(name, "pass" if each else "fail") for name, each in zip(counted, works, strict=True)]


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
        return False  # whatever it raises, it says that it does not work; why is for its own log


async def _awaited(dependency: Dependency) -> object:
    found = dependency()
    return await found if inspect.isawaitable(found) else found


async def _in_its_thread(
    name: str, dependency: Dependency, threads: "dict[str, asyncio.Future[object]]"
) -> object:
    """The answer of the call that runs, if one does: a thread cannot be ended, so there is at most one."""
    running = threads.get(name)
    if running is None or running.done() or running.get_loop() is not asyncio.get_running_loop():
        running = threads[name] = asyncio.ensure_future(_threaded(dependency))
        # Whoever asked may have gone: an exception that nobody hears is no news for the app's log.
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

    well = all(check.status != "fail" for check in checks)
    allowed = verbose(request) if callable(verbose) else verbose
    shown = checks if allowed and "verbose" in request.query_params else []
    headers = {"Cache-Control": "no-store", "Vary": "Accept"}
    code = 200 if well else 503
    kind = _kind(request.headers.get("accept", ""))
    if kind:
        return JSONResponse(_document(checks, shown), code, headers, media_type=kind)
    return Response(_text(name, shown, well=well), code, headers, media_type="text/plain")


def _kind(accept: str) -> str:
    """The JSON type that is asked for by name, if any."""
    named = [part.partition(";")[0].strip().lower() for part in accept.split(",")]
    return next((kind for kind in ("application/health+json", "application/json") if kind in named), "")


def _document(checks: list[_Check], shown: list[_Check]) -> dict[str, object]:
    found = {check.status for check in checks}
    worst = next(status for status in ("fail", "warn", "pass") if status in found)
    if not shown:
        return {"status": worst}
    return {"status": worst, "checks": {check.name: [{"status": check.status}] for check in shown}}


def _text(name: str, shown: list[_Check], *, well: bool) -> str:
    if not shown:
        return "ok\n" if well else f"not {name}\n"
    words = {"pass": "[+]{} ok", "warn": "[~]{} is off", "fail": "[-]{} failed: reason withheld"}
    lines = [words[check.status].format(check.name) for check in shown]
    return "\n".join([*lines, f"{name} check {'passed' if well else 'failed'}"]) + "\n"
