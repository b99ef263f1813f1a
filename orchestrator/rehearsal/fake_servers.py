"""Servers that are unwell, and some that are well: real ones, for whatever asks. Knows nothing of specs."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NONSENSE = b"\x00rehearsal: nonsense\r\n\r\n"
_ASKED = 65536


@contextlib.contextmanager
def serving(host: str, port: int, talk: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server that lets `talk` have each connection, in a thread of its own."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family, backlog=64) as listener:
        threading.Thread(target=_accept, args=(listener, talk), daemon=True).start()
        yield listener.getsockname()[1]


@contextlib.contextmanager
def full(host: str, port: int) -> Iterator[None]:
    """A listener whose queue is full: connecting takes for ever."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as listener, contextlib.ExitStack() as queued:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(0)
        for _ in range(8):
            caller = queued.enter_context(socket.socket(family))
            caller.setblocking(False)
            caller.connect_ex((host, port))
        yield


@contextlib.contextmanager
def serving_socket(path: str, talk: Callable[[socket.socket], None]) -> Iterator[None]:
    """The same on a socket in the file system."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(64)
        threading.Thread(target=_accept, args=(listener, talk), daemon=True).start()
        yield


def _accept(listener: socket.socket, talk: Callable[[socket.socket], None]) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return  # the start is over
        threading.Thread(target=_one, args=(connection, talk), daemon=True).start()


def _one(connection: socket.socket, talk: Callable[[socket.socket], None]) -> None:
    with connection, contextlib.suppress(OSError):  # the other side may go when it likes
        talk(connection)


def silent(connection: socket.socket) -> None:
    """Hears, and never says a word."""
    while connection.recv(_ASKED):
        continue


def dropping(connection: socket.socket) -> None:
    """Closes at once."""


def nonsense(connection: socket.socket) -> None:
    connection.sendall(NONSENSE)
    connection.recv(_ASKED)


def answering(status: str) -> Callable[[socket.socket], None]:
    """HTTP that answers every request with a status."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n"

    def answer(connection: socket.socket) -> None:
        if connection.recv(_ASKED):
            connection.sendall(head.encode() + b"{}")

    return answer


well = answering("200 OK")
BEHAVIOURS: dict[str, Callable[[socket.socket], None]] = {
    "silent": silent, "healthy": well, "timeout": silent, "dropped": dropping, "protocol": nonsense,
    "unexpected": answering("500 Internal Server Error"), "auth": answering("401 Unauthorized"),
}  # fmt: skip
"""How a server behaves, by its word in `spec.breaking.Sandbox.serve`."""
