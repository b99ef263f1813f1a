"""`serve: maintenance`: answers on the service's own port while the service cannot, in a process of its own.

Standard library only, run by file name: what cannot be imported may be the reason for it.
"""

from __future__ import annotations

import html
import json
import math
import os
import signal
import socket
import sys
import time

if __name__ == "__main__":
    # The interpreter runs without site-packages. Last, so that nothing of Python's is shadowed.
    sys.path.append(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from orchestrator.status.http_server import Server, message, request_line

SOONEST = 5
"""Seconds: the shortest Retry-After, because a service that is checked now must still start."""


class Config:
    """What is answered, and on which paths. None of it is secret."""

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
        """Seconds, until the time of the next check is announced."""
        self.message = message
        self.last = last
        """Whether the socket is closed at the end, because the next server binds its own."""


def command(fd: int, config: Config, control: int = -1) -> list[str]:
    """The argv that serves maintenance on the socket `fd`, which must be inherited as must `control`.

    `control` is the reading end of a pipe: the process ends at its end, and what is written there is `announced`. The
    two numbers are the words -3 and -2: whoever keeps the list may replace them later without this module.
    """
    words = json.dumps(vars(config), separators=(",", ":"))
    return [sys.executable, "-I", "-S", os.path.abspath(__file__), str(fd), str(control), words]


def announced(when: float = 0.0, *, always: float = 0.0) -> bytes:
    """Tells the process when (`time.monotonic`) the service is checked again, or to answer `always` seconds."""
    return f"{when:.1f} {always:.1f}\n".encode()


class Maintenance(Server):
    """Answers 503 and when to come back; 200 on the live path."""

    def __init__(self, listener: socket.socket, control: int, config: Config) -> None:
        super().__init__(listener, control, last=config.last)
        self.config = config
        self.due = self.always = 0.0
        """What was announced."""

    def announce(self, data: bytes) -> None:
        words = data.split()
        self.due, self.always = float(words[-2]), float(words[-1])

    def respond(self, head: bytes) -> bytes:
        if self.always:
            self.config.retry_after = math.ceil(self.always)
        elif self.due:
            self.config.retry_after = max(math.ceil(self.due - time.monotonic()), SOONEST)
        return answer(head, self.config)


def answer(head: bytes, config: Config) -> bytes:
    """The whole answer to a request, of which only the method, the path and `Accept` matter."""
    method, path = request_line(head)
    if not method:
        return response(400, "text/plain", "This is not an HTTP request.\n", config, method="GET")
    if config.live and path == config.live != config.ready:
        state = json.dumps({"status": "maintenance", "service": config.service}) + "\n"
        return response(200, "application/json", state, config, method)
    if prefers_page(accepted(head.decode("latin-1").lstrip("\n").split("\n")[1:])):
        return response(503, "text/html; charset=utf-8", page(config), config, method)
    return response(503, "application/problem+json", problem(config), config, method)


def accepted(headers: list[str]) -> str:
    pairs = [line.partition(":") for line in headers]
    return ",".join([value for name, _, value in pairs if name.strip().lower() == "accept"])


def prefers_page(accept: str) -> bool:
    """Whether it is a person's browser: it asks for HTML by name, with no less weight than for JSON."""
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


def problem(config: Config) -> str:
    """For machines: a problem of RFC 9457."""
    document = {
        "type": "about:blank",
        "title": "Service Unavailable",
        "status": 503,
        "detail": config.message,
        "service": config.service,
        "retry_after": config.retry_after,
    }
    return json.dumps(document) + "\n"


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
    """For people: no script, nothing fetched, no automatic reload."""
    return PAGE.format(
        style=STYLE,
        service=html.escape(config.service or "This service"),
        message=html.escape(config.message),
        wait=spoken(config.retry_after),
        now=time.strftime("%H:%M", time.gmtime()),
    )


def policy(kind: str) -> str:
    """What a browser may do with an answer: nothing, except the page's own style."""
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
    server = Maintenance(socket.socket(fileno=descriptor), control, Config(**words))
    server.end_on_sigterm()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; the engine decides
    # The engine may have blocked it across the exec; what is pending arrives now.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    server.serve()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
