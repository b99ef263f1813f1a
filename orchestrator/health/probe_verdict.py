"""Whether an endpoint is healthy: by the service's status, the endpoint's answer and the engine's last verdict.

Reads the file `probe`, which `orchestrator.health.probe` describes.
"""

import posix
import time

from orchestrator.health import http_probe
from orchestrator.system import files

TIMEOUT = 2.0
"""Seconds, for a `--url`; an endpoint has its own."""

Finding = tuple[bool, str]


class Known:
    """What the file `probe` says."""

    def __init__(self, text: str) -> None:
        self.single = {"status": "", "reason": "", "pid": "0"}
        self.endpoints: dict[str, list[str]] = {}
        self.headers: dict[str, tuple[str, ...]] = {}
        self.verdicts: dict[str, str] = {}
        for line in text.split("\n"):
            self._take(line)
        self.status = self.single["status"]
        self.reason = self.single["reason"]
        self.pid = int(self.single["pid"])

    def _take(self, line: str) -> None:
        key, _, rest = line.partition(" ")
        name, _, more = rest.partition(" ")
        if key in self.single:
            self.single[key] = rest
        elif key == "endpoint":
            self.endpoints[name] = [decoded(word) for word in more.split(" ")]
        elif key == "header":
            self.headers[name] = (*self.headers.get(name, ()), more)
        elif key == "verdict":
            self.verdicts[name] = more


def decoded(word: str) -> str:
    if "%" not in word:
        return word
    first, *parts = word.encode("utf-8", "surrogateescape").split(b"%")
    plain = first + b"".join([bytes((int(part[:2], 16),)) + part[2:] for part in parts])
    return plain.decode("utf-8", "surrogateescape")


def judge(name: str, url: str, explicit: str | None) -> Finding:
    """Whether `name` is healthy, and why; `explicit` is the state directory from the environment, if any."""
    directory = files.find(explicit)
    if directory is None or not files.become_owner(directory):
        return ask_url(url) if url else (False, nothing_known(explicit))
    known = Known(files.read(directory + "/probe").decode("utf-8", "surrogateescape"))
    if gone(known.pid):
        return (
            ask_url(url)
            if url
            else (False, f"the engine (pid {known.pid}) is gone; {directory} is left over from it")
        )
    return by_status(name, known) or by_endpoint(name, url, known)


def nothing_known(explicit: str | None) -> str:
    where = ", ".join(files.candidates(explicit))
    return (
        f"no running engine found (looked in {where}): start it with `orchestrator run`, "
        "set ORCHESTRATOR_STATE_DIR to its state directory, or give --url http://127.0.0.1:PORT/PATH"
    )


def gone(pid: int) -> bool:
    try:
        posix.kill(pid, 0) if pid > 0 else None
    except ProcessLookupError:
        return True
    except PermissionError:
        return False  # it runs as another user
    return False


def by_status(name: str, known: Known) -> Finding | None:
    """The verdict that the status alone decides: an app that answers is not ready while it starts or stops."""
    says = (
        f"{known.status}: {known.reason}"
        if known.reason
        else f"{known.status}: the service is {shown(known)}"
    )
    if known.status in {"stopped", "failed"}:
        return False, says
    if name == "ready" and known.status not in {"ready", "degraded"}:
        return False, says
    if name == "live" and known.status == "maintenance":
        return True, "maintenance is served, which counts as alive"
    if name not in known.endpoints and name in {"ready", "live"}:
        return True, f"the service is {shown(known)}; it has no `{name}` endpoint"
    return None


def shown(known: Known) -> str:
    return {"maintenance": "in maintenance", "": "in no known state"}.get(known.status, known.status)


def by_endpoint(name: str, url: str, known: Known) -> Finding:
    if url:
        healthy, why = ask_url(url)
    elif name in known.endpoints:
        healthy, why = ask_endpoint(name, known)
    else:
        names = ", ".join(sorted({"live", "ready", *known.endpoints}))
        return False, f"no such endpoint; the endpoints are {names}"
    if healthy:
        healthy, why = by_verdict(name, known, why)
    if not healthy and known.status not in {"ready", "degraded"}:
        why += f" (the service is {shown(known)})"
    return healthy, why


def by_verdict(name: str, known: Known, why: str) -> Finding:
    """The engine judges what takes more than a status; its last verdict counts until it expires."""
    verdict = known.verdicts.get(name)
    if verdict is None:
        if known.endpoints.get(name, [""])[0] == "command":
            return False, "the engine has not run its command yet"
        return True, why
    word, _, rest = verdict.partition(" ")
    expires, _, text = rest.partition(" ")
    if float(expires.partition("=")[2] or 0) < time.time():
        return False, f"{why}, but the engine's last verdict ({word}) has expired"
    if word != "ok":
        return False, f"{why}, but the engine found: {text or word}"
    return True, why


def ask_endpoint(name: str, known: Known) -> Finding:
    kind, *words = known.endpoints[name]
    if kind == "heartbeat":
        return heartbeat(words[0], float(words[1]))
    if kind == "command":
        return True, "judged by the engine"
    host, port, method, target, statuses, timeout, header = words[:7]
    if header == "-":
        header = "localhost" if kind == "unix" else http_probe.place((http_probe.loopback(host), int(port)))
    request = http_probe.request(method, target, header, known.headers.get(name, ()))
    started = time.monotonic()
    if kind == "unix":
        status, phrase = http_probe.ask_socket(host, request, float(timeout))
    else:
        tls = "-" if kind == "https" else ""
        status, phrase = http_probe.ask_host(host, int(port), request, float(timeout), tls)
    return finding(status, phrase, statuses, started)


def finding(status: int, phrase: str, statuses: str, started: float) -> Finding:
    if not status:
        return False, phrase
    taken = f"{status} in {(time.monotonic() - started) * 1000:.0f} ms"
    return (True, taken) if expected(status, statuses) else (False, f"{taken}, expected {statuses}")


def expected(status: int, statuses: str) -> bool:
    for part in statuses.split(","):
        first, _, last = part.partition("-")
        if int(first) <= status <= int(last or first):
            return True
    return False


def heartbeat(path: str, max_age: float) -> Finding:
    try:
        age = time.time() - posix.stat(path).st_mtime
    except OSError as error:
        return False, f"missing: {path}: {error.strerror}"
    healthy = age <= max_age
    return healthy, f"{path} is {max(age, 0):.1f} s old" + (
        "" if healthy else f", expected at most {max_age:g} s"
    )


def ask_url(url: str) -> Finding:
    try:
        scheme, host, port, target = taken_apart(url)
    except ValueError as error:
        return False, f"cannot ask `{url.rpartition('@')[2]}`: {error}"
    started = time.monotonic()
    shown_port = "" if port == {"http": 80, "https": 443}[scheme] else f":{port}"
    header = (f"[{host}]" if ":" in host else host) + shown_port
    request = http_probe.request("GET", target, header)
    status, phrase = http_probe.ask_host(host, port, request, TIMEOUT, host if scheme == "https" else "")
    return finding(status, phrase, "200-299", started)


def taken_apart(url: str) -> tuple[str, str, int, str]:
    """Scheme, host, port and target of a URL."""
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in {"http", "https"}:
        raise ValueError("expected http://HOST:PORT/PATH")
    rest = rest.partition("#")[0]
    if any(char <= " " or char == "\x7f" for char in rest):
        raise ValueError("it has blanks or control characters; write %20 for a blank")
    cut = min([at for at in (rest.find("/"), rest.find("?")) if at >= 0], default=len(rest))
    authority, target = rest[:cut], rest[cut:]
    if "@" in authority:
        raise ValueError("a user in it is not supported")
    host, _, port = (
        authority.rpartition(":") if authority.rstrip("0123456789")[-1:] == ":" else (authority, "", "")
    )
    host = host.removeprefix("[").removesuffix("]")
    number = int(port or {"http": 80, "https": 443}[scheme])
    if not host or not 0 < number < 65536:
        raise ValueError("expected http://HOST:PORT/PATH")
    return scheme, host, number, "/" + encoded(target.removeprefix("/"))


def encoded(target: str) -> str:
    raw = target.encode("utf-8", "surrogateescape")
    return "".join([chr(byte) if byte < 128 else f"%{byte:02X}" for byte in raw])
