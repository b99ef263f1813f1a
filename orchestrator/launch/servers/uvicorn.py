"""`server: uvicorn`, in this very process, on the socket that was bound long before."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

from orchestrator.launch.servers import NotStarted

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable, Collection

    import uvicorn

    from orchestrator.launch.plan import LaunchPlan

STARTUP_FAILURE = 3
LINGER, TICK = 0.25, 0.005
FRAMEWORK = "starlette.applications"

OWNED = {
    "app": "set `launch.app`",
    "factory": "set `launch.factory`",
    "host": "set `launch.host`",
    "port": "set `launch.port`",
    "uds": "set `launch.unix`",
    "fd": "the orchestrator binds the socket: set `launch.host` and `launch.port`",
    "workers": "set `launch.workers`",
    "env_file": "the environment is final before the server starts: declare it under `variables`",
    "reload": "a supervised service does not reload itself",
    "reload_dirs": "a supervised service does not reload itself",
    "reload_delay": "a supervised service does not reload itself",
    "reload_includes": "a supervised service does not reload itself",
    "reload_excludes": "a supervised service does not reload itself",
    "callback_notify": "a function cannot be written in a spec",
    "ssl_context_factory": "a function cannot be written in a spec",
}


def options() -> dict[str, Any]:
    """The installed uvicorn's own settings and their defaults, without those that the launch decides."""
    import inspect

    import uvicorn

    parameters = inspect.signature(uvicorn.Config.__init__).parameters
    return {name: each.default for name, each in parameters.items() if name != "self" and name not in OWNED}


def prepare(plan: LaunchPlan) -> None:
    """Imports what serving will import, among it the loop and the protocols that the options choose."""
    import uvicorn.lifespan.on
    import uvicorn.server

    chosen = plan.options
    if chosen.get("http", "auto") == "auto":
        import uvicorn.protocols.http.auto
    if chosen.get("ws", "auto") == "auto":
        import uvicorn.protocols.websockets.auto
    if chosen.get("loop", "auto") == "auto":
        import uvicorn.loops.auto  # noqa: F401


def serve(app: Any, plan: LaunchPlan, listener: socket.socket, serving: Callable[[], None]) -> int:
    """Serves until told to end. 0 after a proper end."""
    import uvicorn

    server = _launched(uvicorn.Config(app, **settings(plan)), plan, listener, serving)
    server.run(sockets=[listener])
    return 0 if server.started else STARTUP_FAILURE


def settings(plan: LaunchPlan) -> dict[str, Any]:
    return {
        "timeout_graceful_shutdown": graceful(plan.grace),
        **plan.options,
        "host": plan.host,
        "port": plan.port,
        "factory": plan.factory,
        "workers": 1,
    }


def graceful(grace: float) -> float:
    """How long uvicorn waits for requests, which leaves the rest of the grace to the app's own shutdown."""
    return max(grace - min(2.0, grace / 4), 0.1)


def _launched(
    config: uvicorn.Config, plan: LaunchPlan, listener: socket.socket, serving: Callable[[], None]
) -> uvicorn.Server:
    import uvicorn

    from orchestrator.system.sockets import ready_to_listen

    class Launched(uvicorn.Server):
        """Tells when it serves, and prepares the socket between the lifespan's start and the listening."""

        said = ""
        """What the app has said of its failed start."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            if "lifespan" not in plan.options and is_framework_app(config.loaded_app):
                config.lifespan = "on"
            begin = self.lifespan.startup

            async def begin_and_prepare() -> None:
                await begin()
                if self.lifespan.should_exit:  # what uvicorn makes of it depends on its version
                    raise NotStarted(self.said)
                ready_to_listen(listener)

            self.lifespan.startup = begin_and_prepare
            if hasattr(self.lifespan, "send"):
                self.lifespan.send = self._heard(self.lifespan.send)
            await super().startup(sockets)
            serving()

        def _heard(self, send: Callable[[Any], Awaitable[None]]) -> Callable[[Any], Awaitable[None]]:
            async def heard(message: Any) -> None:
                if message["type"] == "lifespan.startup.failed":
                    self.said = message.get("message", "")
                await send(message)

            return heard

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            for server in self.servers:
                server.close()
            await accepted_have_asked(self.server_state.connections)
            await super().shutdown(sockets)

    return Launched(config)


async def accepted_have_asked(connections: Collection[Any]) -> None:
    """Lets who was accepted a moment ago send the request: uvicorn closes connections that have none."""
    import asyncio  # here, because who only asks for the options has no use for it

    end = time.monotonic() + LINGER
    while True:
        await asyncio.sleep(TICK)
        fresh = any(getattr(each, "cycle", each) is None for each in connections)
        if not fresh or time.monotonic() >= end:
            return


def is_framework_app(app: Any) -> bool:
    """Whether it is a FastAPI or Starlette app, below the wrappers that uvicorn itself puts around one.

    Such an app has a lifespan, so an exception in it is a failed start and not a missing protocol.
    """
    while type(app).__module__.startswith("uvicorn.") and hasattr(app, "app"):
        app = app.app
    framework = sys.modules.get(FRAMEWORK)
    return framework is not None and isinstance(app, framework.Starlette)
