"""Test helpers for authors of kinds: a fake clock, a project on disk, and ports that misbehave.

Files and sockets are real; only time is faked.
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
    """A directory with files, and contexts that use it as working directory."""

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = os.path.realpath(root)

    def path(self, name: str) -> str:
        return os.path.join(self.root, name)

    def write(self, name: str, content: str | bytes = "", mode: int | None = None) -> str:
        """Writes a file and the directories above it; returns its path."""
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
        """The context of an attempt; by default its environment has only PATH."""
        given = {"PATH": os.environ.get("PATH", os.defpath)} if environ is None else environ
        return Context(environ=given, cwd=self.root, **fields)


@contextmanager
def silent_port() -> Iterator[int]:
    """A port that accepts connections and never sends anything."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        yield _number(listener)


@contextmanager
def closed_port() -> Iterator[int]:
    """A reserved port without a listener: connections are refused."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield _number(held)


@contextmanager
def full_port() -> Iterator[int]:
    """A port whose queue is full: connecting hangs, as with dropped packets."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        queued = [_queued(_number(listener)) for _ in range(8)]
        try:
            yield _number(listener)
        finally:
            for connection in queued:
                connection.close()


@contextmanager
def served(handle: Callable[[socket.socket], object]) -> Iterator[int]:
    """A port whose connections are passed to `handle`, one after the other, and then closed."""
    stop, writer = os.pipe()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_serve, args=(listener, stop, handle), daemon=True)
        thread.start()
        try:
            yield _number(listener)
        finally:
            os.close(writer)
            thread.join(5)
            os.close(stop)


def answering_port(answer: bytes) -> Any:
    """A port that answers whatever it receives with these bytes."""

    def handle(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(answer)

    return served(handle)


def dripping_port(answer: bytes, pause: float = 0.1) -> Any:
    """A port that sends one byte at a time, with a pause (seconds) after each, until the peer is gone."""
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
                continue  # the peer is gone, as in many tests


def _queued(port: int) -> socket.socket:
    connection = socket.socket()
    connection.setblocking(False)
    connection.connect_ex(("127.0.0.1", port))
    return connection


def _number(bound: socket.socket) -> int:
    number: int = bound.getsockname()[1]
    return number
