"""A small HTTP client: one request, one answer, one deadline. Redirects are not followed."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orchestrator.spec.matching import Answer
from orchestrator.waits._failure import Deadline, Failure
from orchestrator.waits._stream import connect, connect_unix, secure
from orchestrator.waits._tls import Trust

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.waits._stream import Stream

BODY_LIMIT = 64 * 1024
HEADER_LIMIT = 64 * 1024
AGENT = "orchestrator"


@dataclass(frozen=True, slots=True)
class Request:
    """A request and where to send it. The headers may hold secrets and are not shown."""

    host: str
    port: int
    tls: bool = False
    target: str = "/"
    """Path and query, encoded."""
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    host_header: str = ""
    unix: str = ""
    """The path of a socket to connect to instead of host and port."""
    trust: Trust = field(default_factory=Trust)
    body: bytes | None = field(default=None, repr=False)


def fetch(request: Request, deadline: Deadline, environ: Mapping[str, str]) -> Answer:
    """The answer to a request, its body read to 64 KiB; raises Failure."""
    started = time.monotonic()
    with _connected(request, deadline, environ) as stream:
        stream.send(_bytes(request))
        status, headers = _final_head(stream)
        body, whole = _body(stream, request.method, status, headers)
    return Answer(status, headers, body, time.monotonic() - started, whole)


def _connected(request: Request, deadline: Deadline, environ: Mapping[str, str]) -> Stream:
    if request.unix:
        stream = connect_unix(request.unix, deadline)
    else:
        stream = connect(request.host, request.port, deadline, environ)
    return secure(stream, request.host, request.trust) if request.tls else stream


def _bytes(request: Request) -> bytes:
    host = authority(request.host, request.port, tls=request.tls)
    headers = {
        "Host": request.host_header or host,
        "User-Agent": AGENT,
        "Accept": "*/*",
        "Accept-Encoding": "identity",
        "Connection": "close",
    }
    given = {name.lower() for name in request.headers}
    kept = {name: value for name, value in headers.items() if name.lower() not in given}
    if request.body is not None or request.method in ("POST", "PUT", "PATCH"):
        kept["Content-Length"] = str(len(request.body or b""))
    lines = [f"{name}: {value}" for name, value in (kept | dict(request.headers)).items()]
    head = "\r\n".join([f"{request.method} {request.target} HTTP/1.1", *lines, "", ""])
    return head.encode("utf-8", "surrogateescape") + (request.body or b"")


def authority(host: str, port: int, *, tls: bool) -> str:
    name = f"[{host}]" if ":" in host else host
    return name if port == (443 if tls else 80) else f"{name}:{port}"


def _final_head(stream: Stream) -> tuple[int, dict[str, str]]:
    """Status and headers; interim answers (1xx) are skipped."""
    for _ in range(20):
        status = _status(stream)
        headers = _headers(stream)
        if not 100 <= status < 200:
            return status, headers
    raise Failure("protocol", f"{stream.where} sent only interim answers")


def _status(stream: Stream) -> int:
    while len(stream.buffer) < 5 and stream.buffer == b"HTTP/"[: len(stream.buffer)]:
        if not stream.more():
            raise stream.ended()
    if not stream.buffer.startswith(b"HTTP/"):
        raise _no_http(stream)
    words = stream.line().split(b" ", 2)
    if len(words) < 2 or len(words[1]) != 3 or not words[1].isdigit():
        raise _no_http(stream, b" ".join(words))
    return int(words[1])


def _no_http(stream: Stream, line: bytes = b"") -> Failure:
    start = (line or stream.buffer)[:40]
    if start[:2] == b"\x15\x03":
        return Failure("protocol", f"{stream.where} answers in TLS", "use https://")
    return Failure("protocol", f"{stream.where} does not answer in HTTP: {start.decode('latin-1')!a}")


def _headers(stream: Stream) -> dict[str, str]:
    headers: dict[str, str] = {}
    size = 0
    while line := stream.line(HEADER_LIMIT):
        size += len(line)
        if size > HEADER_LIMIT:
            raise Failure("protocol", f"{stream.where} sent more than 64 KiB of headers")
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon or name != name.strip():
            raise Failure("protocol", f"{stream.where} sent an invalid header: {name[:40]!a}")
        key = name.lower()
        headers[key] = f"{headers[key]}, {value.strip()}" if key in headers else value.strip()
    return headers


def _body(stream: Stream, method: str, status: int, headers: Mapping[str, str]) -> tuple[bytes, bool]:
    """The body and whether it is all of it."""
    if method == "HEAD" or status in (204, 304):
        return b"", True
    if headers.get("transfer-encoding", "identity").lower() != "identity":
        return _chunked(stream)
    length = headers.get("content-length", "").partition(",")[0]
    if not length:
        return _until_the_end(stream)
    if not (length.isascii() and length.isdecimal()) or len(length) > 18:
        raise Failure("protocol", f"{stream.where} sent the content length {length[:40]!a}")
    return stream.exactly(min(int(length), BODY_LIMIT)), int(length) <= BODY_LIMIT


def _until_the_end(stream: Stream) -> tuple[bytes, bool]:
    while len(stream.buffer) <= BODY_LIMIT:
        if not stream.more():
            return stream.take(BODY_LIMIT), True
    return stream.take(BODY_LIMIT), False


def _chunked(stream: Stream) -> tuple[bytes, bool]:
    body = b""
    while len(body) <= BODY_LIMIT:
        length = stream.line().partition(b";")[0].strip()
        try:
            size = int(length, 16)
        except ValueError:
            size = -1
        if size < 0 or len(length) > 16:
            raise Failure("protocol", f"{stream.where} sent a chunk without a valid size")
        if size == 0:
            return body, True
        body += stream.exactly(min(size, BODY_LIMIT + 1))
        if size <= BODY_LIMIT and stream.line():
            raise Failure("protocol", f"{stream.where} sent a chunk that is longer than its size")
    return body[:BODY_LIMIT], False


def basic(user: str, password: str) -> str:
    """The value of `Authorization` for a user and a password."""
    from binascii import b2a_base64

    return "Basic " + b2a_base64(f"{user}:{password}".encode(), newline=False).decode()


def encoded(target: str) -> str:
    """A path and query in which nothing is left that a request line cannot hold."""
    return "".join(
        chr(each) if 32 < each < 127 else f"%{each:02X}" for each in target.encode("utf-8", "surrogateescape")
    )


def start_of(body: bytes) -> str:
    """The first lines of a body, for details."""
    return body[:1000].decode("utf-8", "replace")
