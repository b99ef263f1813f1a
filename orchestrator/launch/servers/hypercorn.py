"""`server: hypercorn`, in this very process, on the socket that was bound long before."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from orchestrator.launch.servers import NotStarted
from orchestrator.launch.servers._apps import is_asgi

if TYPE_CHECKING:
    import asyncio
    import socket
    from collections.abc import Callable

    from orchestrator.launch.plan import LaunchPlan

SHUTDOWN_FAILURE = 3
STOPS = (15, 2)
LOOPS = ("asyncio", "uvloop")
LINGER = 0.25
CONNECTION = "_server_callback"
"""The coroutine of hypercorn's that a connection is."""

_BOUND = "the orchestrator binds the socket: set `launch.host` and `launch.port`"
OWNED = {
    "application_path": "set `launch.app`",
    "bind": _BOUND,
    "insecure_bind": _BOUND,
    "quic_bind": "one socket is served, and that is no datagram socket",
    "workers": "set `launch.workers`",
    "user": "set `launch.user`",
    "group": "set `launch.user`",
    "umask": "set `launch.umask`",
    "daemon": "a supervised service stays in the foreground",
    "pid_path": "the state directory tells the process",
    "use_reloader": "a supervised service does not reload itself",
    "debug": "set `PYTHONASYNCIODEBUG` under `variables`",
    "logger_class": "a class cannot be written in a spec",
}


def options() -> dict[str, Any]:
    """The installed hypercorn's own settings and their defaults, without those that the launch decides."""
    plain = {
        name: value
        for name, value in vars(import_module("hypercorn.config").Config).items()
        if not name.startswith("_") and not callable(value) and not isinstance(value, property | classmethod)
    }
    return {name: value for name, value in {**plain, "root_path": ""}.items() if name not in OWNED}


def prepare(plan: LaunchPlan) -> None:
    """Imports what serving will import."""
    import_module("hypercorn.asyncio")
    loop = plan.options.get("worker_class", "asyncio")
    if loop == "uvloop":
        import_module("uvloop")
    if loop not in LOOPS:
        raise ValueError(f"`worker_class` is one of {', '.join(LOOPS)}, got {loop!r}")


def serve(app: Any, plan: LaunchPlan, listener: socket.socket, serving: Callable[[], None]) -> int:
    """Serves until told to end. 0 after a proper end, 3 when the app's own end failed."""
    import asyncio

    if plan.factory:
        app = app()
    mode = "wsgi" if is_asgi(app) is False else "asgi"
    begun = False

    def begins() -> None:
        nonlocal begun
        begun = True
        serving()

    told = _until_told(begins, listener)
    served = import_module("hypercorn.asyncio").serve(
        app, settings(plan, listener), shutdown_trigger=told, mode=mode
    )
    with asyncio.Runner(loop_factory=_loop_factory(plan)) as runner:
        try:
            runner.run(served)
        except import_module("hypercorn.utils").LifespanFailureError as error:
            said = _said(error)
            print(said, file=sys.stderr, flush=True)  # it says so to nobody else
            if not begun:
                raise NotStarted(said) from None
            return SHUTDOWN_FAILURE
    return 0


def _said(error: Exception) -> str:
    """What the app has said, which hypercorn puts between quotes behind its own words."""
    return str(error).partition(". ")[2].strip("'\n") or str(error)


def settings(plan: LaunchPlan, listener: socket.socket) -> Any:
    """A hypercorn Config. It is asked for its sockets once the app has started, and not before."""
    from orchestrator.system.sockets import ready_to_listen

    module = import_module("hypercorn.config")
    config = module.Config()
    config.graceful_timeout = graceful(plan.grace)
    for name, value in plan.options.items():
        setattr(config, name, value)

    def create_sockets() -> Any:
        ready_to_listen(listener)
        listener.setblocking(False)
        secure, insecure = ([listener], []) if config.ssl_enabled else ([], [listener])
        return module.Sockets(secure, insecure, [])

    config.create_sockets = create_sockets
    return config


def graceful(grace: float) -> float:
    """How long it waits for requests, which leaves the rest of the grace to the app's own shutdown."""
    return max(grace - min(2.0, grace / 4), 0.1)


def _loop_factory(plan: LaunchPlan) -> Callable[[], asyncio.AbstractEventLoop] | None:
    if plan.options.get("worker_class") != "uvloop":
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = import_module("uvloop").new_event_loop
    return factory


def _until_told(serving: Callable[[], None], listener: socket.socket) -> Callable[..., Any]:
    """What hypercorn waits for when it has begun to serve."""

    async def told() -> None:
        import asyncio

        asked = asyncio.Event()
        for number in STOPS:
            asyncio.get_running_loop().add_signal_handler(number, asked.set)
        serving()
        await asked.wait()
        await accepted_have_asked(listener)

    return told


async def accepted_have_asked(listener: socket.socket) -> None:
    """Lets who was accepted a moment ago send the request: hypercorn closes connections that have none."""
    import asyncio

    loop = asyncio.get_running_loop()
    if not isinstance(loop, asyncio.SelectorEventLoop):
        return  # uvloop's accepting cannot be ended from outside
    loop.remove_reader(listener)
    _no_longer_listen(listener)
    if any(CONNECTION in getattr(each.get_coro(), "__qualname__", "") for each in asyncio.all_tasks()):
        await asyncio.sleep(LINGER)


def _no_longer_listen(listener: socket.socket) -> None:
    """Who connects from now on is refused by nobody's listening. The descriptor stays one, for hypercorn to close."""
    nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    os.dup2(nothing, listener.fileno(), inheritable=False)
    os.close(nothing)
