"""`serve: maintenance`: answers on the service's own port while the service cannot, in a process of its own.

Standard library only, run by file name: what is missing may be uvicorn or a part of this package. It knows
nothing of why: its configuration is a handful of words, none of them secret.
"""

from __future__ import annotations

import html
import json
import math
import os
import selectors
import signal
import socket
import sys
import time
from collections import deque

CONNECTIONS = 256
"""At once; the oldest makes way for one more."""
HEAD = 16 << 10
"""The longest request line and headers."""
BODY = 16 << 20
"""How much of a request's body is taken and thrown away, so that its sender gets to read the answer."""
PATIENCE = 5.0
"""Seconds that a client has to send its request, and then again to read the answer and go."""
FAREWELL = 1.0
"""The same when the process is asked to end: the service itself is about to take over."""
SOON = 5
"""Seconds: sooner than that nobody is asked to come again, for a service that is checked now must still start."""


class Config:
    """What is said, and which path is the one that asks whether the container lives."""

    def __init__(
        self,
        service: str = "",
        live: str = "",
        ready: str = "",
        retry_after: int = 30,
        message: str = "The service is being started or repaired. There is nothing you need to do.",
        last: bool = False,
    ) -> None:
        self.service = service
        self.live = live
        self.ready = ready
        self.retry_after = retry_after
        """Seconds, as long as nobody says when the service is checked again."""
        self.message = message
        self.last = last
        """Whether the socket ends with it, because the server behind it binds one of its own."""


def command(fd: int, config: Config, control: int = -1) -> list[str]:
    """The argv that serves maintenance on the socket `fd`, which must be inherited as must `control`.

    The process ends when `control`, the reading end of a pipe that its parent holds, is at its end; what is
    written there is `announced`. The two numbers are the words -3 and -2: who keeps the list may put in others
    later without this module.
    """
    words = json.dumps(vars(config), separators=(",", ":"))
    return [sys.executable, "-I", "-S", os.path.abspath(__file__), str(fd), str(control), words]


def announced(when: float = 0.0, *, always: float = 0.0) -> bytes:
    """Tells the process when (`time.monotonic`: one clock for all of a machine) the service is checked again.

    Or that it is to say so many seconds `always`.
    """
    return f"{when:.1f} {always:.1f}\n".encode()


class Client:
    """One connection: its request is read and answered, then it has time to read the answer."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.received = bytearray()
        self.answer = b""
        self.answered = False
        self.taken = 0
        self.end = time.monotonic() + PATIENCE


class Server:
    """One thread and a selector; `end` is set by SIGTERM and by the control pipe."""

    def __init__(self, listener: socket.socket, control: int, config: Config) -> None:
        self.listener = listener
        self.config = config
        self.clients: deque[Client] = deque()
        self.selector = selectors.DefaultSelector()
        self.ending = False
        listener.setblocking(False)
        if (
            listener.family != socket.AF_UNIX
        ):  # what lingers from the server before must not keep us from listening
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.listen(1024)
        self.selector.register(listener, selectors.EVENT_READ, "listener")
        self.control = control
        self.due = self.always = 0.0
        """What was announced."""
        if control >= 0:
            self.selector.register(control, selectors.EVENT_READ, "control")

    def serve(self) -> None:
        while not self.ending or self.clients:
            for key, _ in self.selector.select(self.patience()):
                self.act(key)
            self.part_with_the_slow()

    def patience(self) -> float | None:
        now = time.monotonic()
        return (
            max(min((each.end for each in self.clients), default=now) - now, 0.001) if self.clients else None
        )

    def act(self, key: selectors.SelectorKey) -> None:
        if key.data == "listener":
            if not self.ending:
                self.accept()
        elif key.data == "end" or (key.data == "control" and not self.hears()):
            self.take_leave()
        elif key.data in self.clients:  # not one that made way a moment ago
            self.attend(key.data)

    def hears(self) -> bool:
        """Takes what was announced; false at the end of the pipe. The last word counts."""
        said = os.read(self.control, 65536).split()  # all that a pipe holds: no word is cut
        if said:
            self.due, self.always = float(said[-2]), float(said[-1])
        return bool(said)

    def again(self) -> int:
        """Seconds after which a client may try again."""
        if self.always:
            return math.ceil(self.always)
        return max(math.ceil(self.due - time.monotonic()), SOON) if self.due else self.config.retry_after

    def accept(self) -> None:
        try:
            connection, _ = self.listener.accept()
        except (BlockingIOError, ConnectionError):
            return  # it has gone, or another process took it
        except OSError:
            if self.clients:  # descriptors are short: the oldest makes way, this one waits in the queue
                self.part(self.clients[0])
            return
        connection.setblocking(False)
        if len(self.clients) >= CONNECTIONS:
            self.part(self.clients[0])
        client = Client(connection)
        self.clients.append(client)
        self.selector.register(connection, selectors.EVENT_READ, client)

    def take_leave(self) -> None:
        """Accepts no more; those who are here get their answers."""
        if self.ending:
            return
        self.ending = True
        if self.config.last:
            self.refuse()
        for key in [key for key in self.selector.get_map().values() if not isinstance(key.data, Client)]:
            self.selector.unregister(key.fileobj)
        if self.config.last:
            self.let_go()
        for client in self.clients:
            client.end = min(client.end, time.monotonic() + FAREWELL)

    def let_go(self) -> None:
        """The address is free for a server that binds it by itself; who holds the pipe hears so by its end."""
        self.listener.close()
        if self.control >= 0:
            os.close(self.control)

    def refuse(self) -> None:
        """Who waits in the queue is let in, for nobody else will; from here on who knocks is refused at once."""
        waiting = -1
        while waiting != len(self.clients) < CONNECTIONS:
            waiting = len(self.clients)
            self.accept()
        self.listener.shutdown(socket.SHUT_RD)

    def attend(self, client: Client) -> None:
        try:
            if client.answer:
                self.send(client)
            elif self.receive(client):
                self.part(client)
        except BlockingIOError:
            return
        except OSError:
            self.part(client)  # it broke the connection; nobody is there to be told

    def receive(self, client: Client) -> bool:
        """Takes what has come; true when the client has nothing more to say."""
        chunk = client.connection.recv(65536)
        if client.answered:
            client.taken += len(chunk)
            return not chunk or client.taken > BODY
        client.received += chunk
        head, blank, _ = bytes(client.received).replace(b"\r\n", b"\n").partition(b"\n\n")
        if blank or len(client.received) > HEAD:
            client.answer = self.respond(head if blank else b"")
            self.selector.modify(client.connection, selectors.EVENT_WRITE, client)
            return False
        return not chunk

    def respond(self, head: bytes) -> bytes:
        """The whole answer to a request, by its head; empty when that was too long or not complete."""
        self.config.retry_after = self.again()
        return answer(head, self.config)

    def send(self, client: Client) -> None:
        client.answer = client.answer[client.connection.send(client.answer) :]
        if client.answer:
            return  # it reads slowly: sent on when there is room
        # Closing now could throw the answer away: unread bytes turn a close into a reset. So only our side is
        # closed, and what still comes is taken until the client has read all and closes too.
        client.answered = True
        client.received.clear()
        client.end = time.monotonic() + (FAREWELL if self.ending else PATIENCE)
        client.connection.shutdown(socket.SHUT_WR)
        self.selector.modify(client.connection, selectors.EVENT_READ, client)

    def part_with_the_slow(self) -> None:
        now = time.monotonic()
        for client in [each for each in self.clients if each.end <= now]:
            self.part(client)

    def part(self, client: Client) -> None:
        self.clients.remove(client)
        self.selector.unregister(client.connection)
        client.connection.close()


def answer(head: bytes, config: Config) -> bytes:
    """The whole answer to a request, of which only the method, the path and `Accept` matter."""
    method, target = request_line(head)
    if not method:
        return response(400, "text/plain", "This is not an HTTP request.\n", config, method="GET")
    path = path_of(target)
    if config.live and path == config.live != config.ready:
        return response(200, "application/json", document(config, 200), config, method)
    if prefers_page(accepted(head.decode("latin-1").lstrip("\n").split("\n")[1:])):
        return response(503, "text/html; charset=utf-8", page(config), config, method)
    return response(503, "application/problem+json", document(config, 503), config, method)


def request_line(head: bytes) -> tuple[str, str]:
    """Method and target of a request; empty when it is none."""
    words = head.decode("latin-1").lstrip("\n").partition("\n")[0].split(" ")
    return (words[0], words[1]) if len(words) == 3 and words[2].startswith("HTTP/") else ("", "")


def path_of(target: str) -> str:
    if "://" in target:
        target = "/" + target.partition("://")[2].partition("/")[2]
    return target.partition("?")[0]


def accepted(headers: list[str]) -> str:
    pairs = [line.partition(":") for line in headers]
    return ",".join([value for name, _, value in pairs if name.strip().lower() == "accept"])


def prefers_page(accept: str) -> bool:
    """Whether it is a person's browser: HTML is asked for by name, and not less than JSON."""
    weights = {"html": 0.0, "json": 0.0}
    for part in accept.lower().split(","):
        name, _, parameters = part.strip().partition(";")
        kind = "html" if name.strip() in {"text/html", "application/xhtml+xml"} else "json"
        if kind == "html" or name.strip().endswith("json"):
            weights[kind] = max(weights[kind], weight(parameters))
    return weights["html"] > 0 and weights["html"] >= weights["json"]


def weight(parameters: str) -> float:
    for parameter in parameters.split(";"):
        name, _, value = parameter.strip().partition("=")
        if name == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0


def response(status: int, kind: str, body: str, config: Config, method: str) -> bytes:
    more = ["Vary: Accept", "Referrer-Policy: no-referrer", f"Content-Security-Policy: {policy(kind)}"]
    if status == 503:
        more.append(f"Retry-After: {config.retry_after}")
    return message(status, kind, body, method, *more)


PHRASES = {200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed", 503: "Service Unavailable"}  # fmt: skip


def message(status: int, kind: str, body: str, method: str, *headers: str) -> bytes:
    """An answer of HTTP/1.1, with what all of ours say and these headers; without the body for HEAD."""
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


def document(config: Config, status: int) -> str:
    """For machines: a problem of RFC 9457; the state alone where only a sign of life was asked."""
    if status == 200:
        return json.dumps({"status": "maintenance", "service": config.service}) + "\n"
    problem = {
        "type": "about:blank",
        "title": "Service Unavailable",
        "status": status,
        "detail": config.message,
        "service": config.service,
        "retry_after": config.retry_after,
    }
    return json.dumps(problem) + "\n"


STYLE = """
:root {
  color-scheme: light dark;
  --paper: #f7f5f1; --ink: #1f2529; --quiet: #565f66; --accent: #1b5a7d; --on-accent: #ffffff;
  --line: #dbd7ce; --sky: #c9dde6; --sun: #e6b45c;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #13171a; --ink: #e8e6e1; --quiet: #a3acb2; --accent: #8cc6e8; --on-accent: #0f1a21;
    --line: #2e363c; --sky: #2b4656; --sun: #d9a955;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  margin: 0; min-height: 100vh; min-height: 100svh; display: grid; place-items: center;
  padding: clamp(1.25rem, 6vw, 3rem);
  background: var(--paper); color: var(--ink);
  font: 1.0625rem/1.65 system-ui, -apple-system, "Segoe UI", "Helvetica Neue", "DejaVu Sans", sans-serif;
}
main { width: 100%; max-width: 33rem; overflow-wrap: anywhere; }
svg { display: block; width: 6rem; height: auto; margin: 0 0 1.75rem; }
.sky { stroke: var(--sky); } .sun { fill: var(--sun); } .sea { stroke: var(--accent); }
h1 {
  font-size: clamp(1.75rem, 1.35rem + 2vw, 2.375rem); line-height: 1.2; letter-spacing: -0.015em;
  font-weight: 650; margin: 0 0 0.875rem; text-wrap: balance;
}
p { margin: 0 0 1.75rem; text-wrap: pretty; }
.service { color: var(--quiet); font-size: 0.9375rem; margin: 0 0 0.375rem; }
a {
  display: inline-block; padding: 0.625rem 1.375rem; border: 1px solid transparent; border-radius: 0.5rem;
  background: var(--accent); color: var(--on-accent); font-weight: 600; text-decoration: none;
}
a:hover { text-decoration: underline; text-underline-offset: 0.2em; }
a:focus-visible { outline: 3px solid var(--accent); outline-offset: 3px; }
.status {
  color: var(--quiet); font-size: 0.875rem; border-top: 1px solid var(--line); padding-top: 1rem; margin: 0;
}
@media (prefers-reduced-motion: no-preference) {
  .sun { animation: rise 1.6s ease-out both; }
  @keyframes rise { from { transform: translateY(7px); } }
}
"""
"""Plain CSS; the page's policy allows this text alone, by its hash."""

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>Back shortly: {service}</title>
<style>{style}</style>
</head>
<body>
<main>
<svg viewBox="0 0 96 52" aria-hidden="true" focusable="false" fill="none" stroke-width="3" stroke-linecap="round">
<defs><clipPath id="horizon"><path d="M0 0h96v38H0z"></path></clipPath></defs>
<g clip-path="url(#horizon)"><path class="sky" d="M16 38a32 32 0 0 1 64 0"></path>
<circle class="sun" cx="48" cy="36" r="17"></circle></g>
<path class="sea" d="M4 38h88M22 48h52"></path>
</svg>
<p class="service">{service}</p>
<h1>We will be back shortly</h1>
<p>{message}</p>
<p><a href="">Try again</a></p>
<p class="status">Your connection is fine. A good time to try again is in {wait}.<br>Status 503, {now} UTC.</p>
</main>
</body>
</html>
"""


def page(config: Config) -> str:
    """For people: no script, nothing fetched from elsewhere, no automatic reload under a reader's eyes."""
    return PAGE.format(
        style=STYLE,
        service=html.escape(config.service or "This service"),
        message=html.escape(config.message),
        wait=spoken(config.retry_after),
        now=time.strftime("%H:%M", time.gmtime()),
    )


def policy(kind: str) -> str:
    """What a browser may do with an answer: nothing, but for the page's own style."""
    own = f"style-src 'sha256-{digest(STYLE)}'; " if kind.startswith("text/html") else ""
    return f"default-src 'none'; {own}base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


def digest(text: str) -> str:
    import binascii
    import hashlib

    return binascii.b2a_base64(hashlib.sha256(text.encode()).digest(), newline=False).decode()


def spoken(seconds: int) -> str:
    if seconds < 120:
        return f"{seconds} seconds" if seconds != 1 else "a second"
    return f"{round(seconds / 60)} minutes"


def main(argv: list[str]) -> int:
    descriptor, control, words = int(argv[0]), int(argv[1]), json.loads(argv[2])
    # SIGTERM becomes a byte to read, like the end of the parent: one place to notice either.
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; the engine decides
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    # The engine may have blocked it across the exec; what came meanwhile arrives now.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    server = Server(socket.socket(fileno=descriptor), control, Config(**words))
    server.selector.register(reading, selectors.EVENT_READ, "end")
    server.serve()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
