"""One file for each server that can be launched; the file's name is the word under `launch.server`.

A server's module has `options()` (its own settings and their defaults), `OWNED` (settings that the launch
decides, and why), `prepare(plan)` (imports ahead of time) and `serve(app, plan, listener, serving)`, which
gives an exit code.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, cast

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from orchestrator.launch.plan import LaunchPlan


class ServerModule(Protocol):
    OWNED: dict[str, str]

    def options(self) -> dict[str, Any]: ...

    def prepare(self, plan: LaunchPlan) -> None: ...

    def serve(
        self, app: Any, plan: LaunchPlan, listener: socket.socket, serving: Callable[[], None]
    ) -> int: ...


def load(name: str) -> ServerModule:
    return cast("ServerModule", import_module(f"{__name__}.{name}"))
