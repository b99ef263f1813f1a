"""What authors of kinds test with: a clock that jumps, a project on disk, and ports that behave badly.

The world is real (files, sockets); only time is faked.
"""

from __future__ import annotations

import os
import select
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from orchestrator.core.context import Context

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = [
    "FakeClock",
    "Project",
    "answering_port",
    "closed_port",
    "dripping_port",
    "full_port",
    "served",
    "silent_port",
]


class FakeClock:
    """A clock in which sleeping takes no time; `slept` has the length of each sleep."""

    def __init__(self, start: float = 1000.0) -> None:
        self.time = start
        self.slept: list[float] = []

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0, f"slept {seconds} s"
        self.slept.append(seconds)
        self.time += seconds


class Project:
    """A directory with files, and contexts whose working directory it is."""

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = os.path.realpath(root)

    def path(self, name: str) -> str:
        return os.path.join(self.root, name)

    def write(self, name: str, content: str | bytes = "", mode: int | None = None) -> str:
        """Writes a file, with the directories above it; returns its path."""
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())
        if mode is not None:
            os.chmod(path, mode)
        return path

    def directory(self, name: str, mode: int | None = None) -> str:
        path = self.path(name)
        os.makedirs(path, exist_ok=True)
        if mode is not None:
            os.chmod(path, mode)
        return path

    def context(self, environ: dict[str, str] | None = None, **fields: Any) -> Context:
        """What an attempt gets; the environment has a PATH and nothing else unless it is given."""
        given = {"PATH": os.environ.get("PATH", os.defpath)} if environ is None else environ
        return Context(environ=given, cwd=self.root, **fields)


@contextmanager
def silent_port() -> Iterator[int]:
    """A port that accepts connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        yield _number(listener)


@contextmanager
def closed_port() -> Iterator[int]:
    """A port on which nobody listens, and on which nobody else can: connections are refused."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield _number(held)


@contextmanager
def full_port() -> Iterator[int]:
    """A port whose queue is full: connecting takes for ever, as with a black hole."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        queued = [_knock(_number(listener)) for _ in range(8)]
        try:
            yield _number(listener)
        finally:
            for each in queued:
                each.close()


@contextmanager
def served(handle: Callable[[socket.socket], object]) -> Iterator[int]:
    """A port where each connection is handed to `handle`, one after the other, and then closed."""
    stop, told = os.pipe()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_serve, args=(listener, stop, handle), daemon=True)
        thread.start()
        try:
            yield _number(listener)
        finally:
            os.close(told)
            thread.join(5)
            os.close(stop)


def answering_port(answer: bytes) -> Any:
    """A port that sends these bytes to whoever has said something."""

    def handle(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(answer)

    return served(handle)


def dripping_port(answer: bytes, pause: float = 0.1) -> Any:
    """A port that sends one byte at a time, with a pause after each, until the other side is gone."""
    gone = threading.Event()

    def handle(connection: socket.socket) -> None:
        for byte in answer:
            connection.sendall(bytes([byte]))
            gone.wait(pause)

    return served(handle)


def _serve(listener: socket.socket, stop: int, handle: Callable[[socket.socket], object]) -> None:
    while True:
        ready, _, _ = select.select([listener.fileno(), stop], [], [])
        if stop in ready:
            return
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(5)
            try:
                handle(connection)
            except OSError:
                continue  # the other side has gone, which is what many tests are about


def _knock(port: int) -> socket.socket:
    caller = socket.socket()
    caller.setblocking(False)
    caller.connect_ex(("127.0.0.1", port))
    return caller


def _number(bound: socket.socket) -> int:
    number: int = bound.getsockname()[1]
    return number
