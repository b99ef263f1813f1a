"""One file for each server that can be launched; the file's name is the word under `launch.server`.

A server's module has `options()` (its own settings and their defaults), `OWNED` (settings that the launch
decides, and why) and `prepare(plan)` (imports ahead of time). One that serves in the importing process has
`serve(app, plan, listener, serving)`, which gives an exit code; one that takes its place has
`argv(plan, listener, app)`, where `listener` is the number of the bound socket, or negative, and `INHERITS`: whether
its public options take a socket. Such a server is driven by its command line alone.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, cast, runtime_checkable

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from orchestrator.launch.plan import LaunchPlan


class NotStarted(Exception):
    """The app's own start has failed, as it said: of a traceback, the last line."""

    def __init__(self, said: str) -> None:
        super().__init__("".join(said.strip().splitlines()[-1:])[:2000])


class Server(Protocol):
    OWNED: dict[str, str]

    def options(self) -> dict[str, Any]: ...

    def prepare(self, plan: LaunchPlan) -> None: ...


@runtime_checkable
class ExecServer(Server, Protocol):
    """Becomes a program of its own, which imports the app again."""

    INHERITS: bool

    def argv(self, plan: LaunchPlan, listener: int, app: Any) -> list[str]: ...


class InProcessServer(Server, Protocol):
    """Serves the app that was imported, in this very process; raises NotStarted."""

    def serve(
        self, app: Any, plan: LaunchPlan, listener: socket.socket, serving: Callable[[], None]
    ) -> int: ...


def load(name: str) -> ExecServer | InProcessServer:
    return cast("ExecServer | InProcessServer", import_module(f"{__name__}.{name}"))
