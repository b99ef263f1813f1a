"""How a server that is a program of its own tells that it serves: through the pipe of the importing process, handed on.

Knows nothing of the servers: who stands in for one says when its app is there, and whether its lifespan will be asked.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from orchestrator.launch.servers import NotStarted

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Receive = Callable[[], Awaitable[Any]]
    Send = Callable[[Any], Awaitable[None]]


class Teller:
    """One word, of whichever worker is first; the others have nobody to tell it to."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        if descriptor >= 0:
            os.set_inheritable(descriptor, False)  # no business of what the app runs

    def serving(self) -> None:
        self._tell({"event": "serving"})

    def failed(self, message: str) -> None:
        """The start of the app has failed, and this is what it said."""
        said = str(NotStarted(message))
        self._tell({"event": "failed", "id": "launch", "reason": "startup", "message": said})

    def _tell(self, event: dict[str, str]) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor < 0:
            return
        try:
            os.write(descriptor, json.dumps(event).encode() + b"\n")
        except BrokenPipeError:
            return  # it has been told long ago, by the worker before this one
        finally:
            os.close(descriptor)

    def __getstate__(self) -> Any:
        """For workers that are spawned: only what is pickled is handed on."""
        from multiprocessing.reduction import DupFd

        return DupFd(self._descriptor) if self._descriptor >= 0 else None

    def __setstate__(self, state: Any) -> None:
        self._descriptor = state.detach() if state is not None else -1


class Telling:
    """An ASGI app around another, which tells when that has started."""

    def __init__(self, app: Any, teller: Teller) -> None:
        self._app = app
        self._teller = teller

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _live(self, scope: Any, receive: Receive, send: Send) -> None:
        async def heard(message: Any) -> None:
            if message["type"] == "lifespan.startup.failed":
                self._teller.failed(message.get("message", ""))
            await send(message)
            if message["type"] == "lifespan.startup.complete":
                self._teller.serving()

        try:
            await self._app(scope, receive, heard)
        except Exception:
            self._teller.serving()  # who knows no lifespan is served all the same
            raise
        self._teller.serving()
