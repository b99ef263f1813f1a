"""What stands in for `python -m granian`: the same program, on the socket that was bound long before.

granian binds by itself and has no option for a socket that is there. What it hands to its workers is one, though,
and they listen on it only when the app has started, which it tells. A worker shows where it hangs before it is killed.
"""

from __future__ import annotations

import os
import socket
import sys
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

if __name__ == "__main__":
    if not sys.flags.safe_path:
        sys.path[0] = os.getcwd()  # not our own folder: a server has the name of its file there
    # Found without the installation, too; behind everything else, so that nothing of the user's is shadowed.
    sys.path.append(os.path.abspath(os.path.join(os.path.dirname(__file__), *[os.pardir] * 3)))

from orchestrator.launch import stack_dump
from orchestrator.launch.servers._reporting import Teller, Telling
from orchestrator.launch.stack_requests import ask
from orchestrator.system.sockets import ready_to_listen

if TYPE_CHECKING:
    from collections.abc import Callable


def on_the_socket(server: type[Any], number: int, teller: Teller) -> type[Any]:
    """The server, which takes a bound socket for the one that it would have bound."""
    load = import_module("granian._internal").load_target
    holder = import_module("granian._granian").SocketHolder

    class Inheriting(server):  # type: ignore[misc] # it is known when it runs
        def _init_shared_socket(self) -> None:
            self._ssp = None  # nothing for a worker to bind
            self._sfd = number
            self._shd = holder(number, self.bind_uds is not None, self.backlog)
            # Closed as it ends. Handed on where workers are spawned, by being pickled; to nothing that the app runs.
            self._sso = socket.socket(fileno=number)
            self._sso.set_inheritable(False)
            ready_to_listen(self._sso)
            if self.bind_uds and self.uds_permissions is not None:
                self.bind_uds.chmod(self.uds_permissions)

        def serve(self, *_: Any, **__: Any) -> None:
            loader = partial(load, self.target, wd=self.working_dir, factory=self.factory)
            asgi = getattr(self.interface, "value", self.interface) == "asgi"
            super().serve(target_loader=Loader(loader, teller, asgi=asgi), wrap_loader=False)

    return Inheriting


class Loader:
    """Imports the app in a worker, and tells when that has started it."""

    def __init__(self, load: Callable[[], Any], teller: Teller, *, asgi: bool) -> None:
        self._load, self._teller, self._asgi = load, teller, asgi

    def __call__(self) -> Any:
        app = self._load()
        if self._asgi:
            return Telling(app, self._teller)
        self._teller.serving()
        return app


def ask_before_a_kill(worker: type[Any]) -> None:
    """It kills who does not end in time: that is too late for a word."""
    kill = worker.kill

    def asked(self: Any) -> Any:
        if self.inner.is_alive():
            ask(self.inner.pid)
        return kill(self)

    worker.kill = asked


if __name__ in ("__main__", "__mp_main__"):  # a worker that is spawned and not forked, too
    stack_dump.offer_when_asked()

if __name__ == "__main__":
    cli: Any = import_module("granian.cli")
    listener, teller = int(sys.argv.pop(1)), Teller(int(sys.argv.pop(1)))
    cli.Server = on_the_socket(cli.Server, listener, teller)
    ask_before_a_kill(import_module("granian.server.mp").WorkerProcess)
    sys.argv[0] = "granian"
    cli.entrypoint()
