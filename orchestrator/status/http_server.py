"""A small HTTP server on an inherited socket, for the processes that answer beside the service. Standard library only.

Each connection has one request, of which the head alone matters, and one answer.
"""

from __future__ import annotations

import os
import selectors
import signal
import socket
import time
from collections import deque

CONNECTIONS = 256
"""At a time; when there is one more, the oldest is closed."""
HEAD = 16 << 10
"""Bytes of the longest request line and headers."""
BODY = 16 << 20
"""Bytes of a request's body that are discarded, so that its sender gets to read the answer."""
PATIENCE = 5.0
"""Seconds that a client has to send its request, and again to read the answer and close."""
FAREWELL = 1.0
"""The same once the process is asked to end."""
PHRASES = {200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed", 503: "Service Unavailable"}  # fmt: skip


class Client:
    """One connection: its request is read and answered, then it has time to read the answer."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.received = bytearray()
        self.answer = b""
        self.answered = False
        self.discarded = 0
        self.end = time.monotonic() + PATIENCE


class Server:
    """One thread and a selector. SIGTERM and the end of the control pipe end it; subclasses answer."""

    def __init__(self, listener: socket.socket, control: int, *, last: bool = False) -> None:
        """`control` is the reading end of a pipe, or -1; `last` closes the socket for a server that binds its own."""
        self.listener = listener
        self.control = control
        self.last = last
        self.clients: deque[Client] = deque()
        self.selector = selectors.DefaultSelector()
        self.ending = False
        listener.setblocking(False)
        if listener.family != socket.AF_UNIX:  # connections in TIME_WAIT must not keep us from listening
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.listen(1024)
        self.selector.register(listener, selectors.EVENT_READ, "listener")
        if control >= 0:
            self.selector.register(control, selectors.EVENT_READ, "control")

    def respond(self, head: bytes) -> bytes:
        """The whole answer to a request, by its head, which is empty if it was too long or incomplete."""
        raise NotImplementedError

    def announce(self, data: bytes) -> None:
        """What the parent wrote to the control pipe."""

    def end_on_sigterm(self) -> None:
        """SIGTERM becomes a byte to read, like the end of the control pipe."""
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        signal.signal(signal.SIGTERM, lambda *_: None)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        self.selector.register(reading, selectors.EVENT_READ, "end")

    def serve(self) -> None:
        while not self.ending or self.clients:
            for key, _ in self.selector.select(self._timeout()):
                self.handle(key)
            now = time.monotonic()
            for client in [client for client in self.clients if client.end <= now]:
                self._close(client)

    def _timeout(self) -> float | None:
        if not self.clients:
            return None
        return max(min(client.end for client in self.clients) - time.monotonic(), 0.001)

    def handle(self, key: selectors.SelectorKey) -> None:
        if key.data == "listener":
            if not self.ending:
                self._accept()
        elif key.data == "end":
            self.stop()
        elif key.data == "control":
            data = os.read(self.control, 65536)  # all that a pipe holds
            self.announce(data) if data else self.stop()
        elif key.data in self.clients:  # it may have been closed a moment ago
            self._attend(key.data)

    def _accept(self) -> None:
        try:
            connection, _ = self.listener.accept()
        except (BlockingIOError, ConnectionError):
            return  # it has gone, or another process took it
        except OSError:
            if self.clients:  # out of descriptors: close the oldest; this one waits in the queue
                self._close(self.clients[0])
            return
        connection.setblocking(False)
        if len(self.clients) >= CONNECTIONS:
            self._close(self.clients[0])
        client = Client(connection)
        self.clients.append(client)
        self.selector.register(connection, selectors.EVENT_READ, client)

    def stop(self) -> None:
        """Accepts no more connections; those that are open get their answers."""
        if self.ending:
            return
        self.ending = True
        if self.last:
            self._drain_queue()
        for key in [key for key in self.selector.get_map().values() if not isinstance(key.data, Client)]:
            self.selector.unregister(key.fileobj)
        if self.last:  # the parent learns by the end of the pipe that the address is free
            self.listener.close()
            if self.control >= 0:
                os.close(self.control)
        for client in self.clients:
            client.end = min(client.end, time.monotonic() + FAREWELL)

    def _drain_queue(self) -> None:
        """Accepts what waits in the queue, for nobody else will, then refuses all connections."""
        before = -1
        while before != len(self.clients) < CONNECTIONS:
            before = len(self.clients)
            self._accept()
        self.listener.shutdown(socket.SHUT_RD)

    def _attend(self, client: Client) -> None:
        try:
            if client.answer:
                self._send(client)
            elif self._receive(client):
                self._close(client)
        except BlockingIOError:
            return
        except OSError:
            self._close(client)  # the connection broke: there is nobody to tell

    def _receive(self, client: Client) -> bool:
        """Reads what has come; true when the client is done."""
        chunk = client.connection.recv(65536)
        if client.answered:
            client.discarded += len(chunk)
            return not chunk or client.discarded > BODY
        client.received += chunk
        head, blank, _ = bytes(client.received).replace(b"\r\n", b"\n").partition(b"\n\n")
        if blank or len(client.received) > HEAD:
            client.answer = self.respond(head if blank else b"")
            self.selector.modify(client.connection, selectors.EVENT_WRITE, client)
            return False
        return not chunk

    def _send(self, client: Client) -> None:
        client.answer = client.answer[client.connection.send(client.answer) :]
        if client.answer:
            return  # continued when there is room
        # Closing now could discard the answer: unread bytes turn a close into a reset. So only our side is closed,
        # and input is discarded until the client has read the answer and closes, too.
        client.answered = True
        client.received.clear()
        client.end = time.monotonic() + (FAREWELL if self.ending else PATIENCE)
        client.connection.shutdown(socket.SHUT_WR)
        self.selector.modify(client.connection, selectors.EVENT_READ, client)

    def _close(self, client: Client) -> None:
        self.clients.remove(client)
        self.selector.unregister(client.connection)
        client.connection.close()


def request_line(head: bytes) -> tuple[str, str]:
    """Method and path of a request, without the query; empty if it is not one."""
    words = head.decode("latin-1").lstrip("\n").partition("\n")[0].split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/"):
        return "", ""
    method, target, _ = words
    if "://" in target:
        target = "/" + target.partition("://")[2].partition("/")[2]
    return method, target.partition("?")[0]


def message(status: int, kind: str, body: str, method: str, *headers: str) -> bytes:
    """An HTTP/1.1 answer with the common headers and these; without the body for HEAD."""
    content = body.encode("utf-8", "replace")
    lines = [
        f"HTTP/1.1 {status} {PHRASES[status]}",
        f"Date: {time.strftime('%a, %d %b %Y %H:%M:%S GMT', time.gmtime())}",
        f"Content-Type: {kind}",
        f"Content-Length: {len(content)}",
        "Cache-Control: no-store",
        "X-Content-Type-Options: nosniff",
        "Connection: close",
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (b"" if method == "HEAD" else content)
