"""Connections under one deadline: name look-up, connecting, and every byte that is sent or read."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self, TypeVar

from orchestrator.system.container import place
from orchestrator.waits._failure import Deadline, Failure
from orchestrator.waits._tls import CLOSED, tls_context, tls_failure

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping

    from orchestrator.waits._tls import Trust

CHUNK = 16 * 1024
T = TypeVar("T")
_PREFERRED = ("refused", "timeout", "unreachable")
"""Which failure of several addresses is reported: the most telling one."""
_BLACK_HOLE = "packets get lost: a firewall, a network policy, or a wrong address"


def shown(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class Stream:
    """A connection whose every operation ends at the deadline. Errors are raised as `Failure`."""

    def __init__(self, connection: socket.socket, where: str, deadline: Deadline) -> None:
        self.connection = connection
        self.where = where
        self.deadline = deadline
        self.buffer = b""
        self.heard = False
        """Whether the server has sent anything."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def send(self, data: bytes) -> None:
        try:
            self.connection.settimeout(self.deadline.remaining(self._mute))
            self.connection.sendall(data)
        except OSError as error:
            raise self._broken(error) from None

    def more(self) -> bool:
        """Waits for more bytes; False at the end of the connection."""
        try:
            self.connection.settimeout(self.deadline.remaining(self._mute))
            chunk = self.connection.recv(CHUNK)
        except OSError as error:
            raise self._broken(error) from None
        self.buffer += chunk
        self.heard = self.heard or bool(chunk)
        return bool(chunk)

    def exactly(self, size: int) -> bytes:
        while len(self.buffer) < size:
            if not self.more():
                raise self.ended()
        return self.take(size)

    def skip(self, size: int) -> None:
        """Reads bytes without keeping them."""
        while size > len(self.buffer):
            size -= len(self.take(size))
            if not self.more():
                raise self.ended()
        self.take(size)

    def take(self, size: int) -> bytes:
        """At most so many of the bytes that have arrived already."""
        taken, self.buffer = self.buffer[:size], self.buffer[size:]
        return taken

    def line(self, limit: int = 8192) -> bytes:
        """Up to the next newline, without it and without a carriage return before it."""
        while b"\n" not in self.buffer:
            if len(self.buffer) > limit:
                raise Failure("protocol", f"{self.where} sent a line of more than {limit} bytes")
            if not self.more():
                raise self.ended()
        line, _, self.buffer = self.buffer.partition(b"\n")
        return line.removesuffix(b"\r")

    def ended(self) -> Failure:
        """The failure of a connection that was closed too early; before the first byte it counts as refused."""
        if self.heard:
            return Failure("protocol", f"{self.where} closed the connection in the middle of its answer")
        return Failure("refused", f"{self.where} accepted the connection and closed it at once", CLOSED)

    @property
    def _mute(self) -> str:
        what = "did not finish its answer" if self.heard else "did not answer"
        return f"{self.where} accepted the connection but {what}"

    def _broken(self, error: OSError) -> Failure:
        if isinstance(error, TimeoutError):
            return self.deadline.over(self._mute)
        if isinstance(error, ConnectionError):
            return self.ended()
        if getattr(error, "library", None) or error.__class__.__name__.startswith("SSL"):
            return tls_failure(error, self.where)
        return Failure("unreachable", f"cannot reach {self.where}: {error.strerror or error}")


def connect(
    host: str, port: int, deadline: Deadline, environ: Mapping[str, str], *, family: str = ""
) -> Stream:
    """A connection to the first address of the host that accepts one; `family` is `ipv4`, `ipv6` or either."""
    where = shown(host, port)
    addresses = resolve(host, deadline, environ, port, family=family)
    failures: list[Failure] = []
    for index, (number, address) in enumerate(addresses):
        share = deadline.remaining(f"no connection to {where}") / (len(addresses) - index)
        try:
            return _connected(number, address, where, deadline, share=share)
        except TimeoutError:
            failures.append(deadline.over(f"no connection to {where}", _BLACK_HOLE))
        except OSError as error:
            failures.append(_not_connected(error, host, port, environ))
    raise min(failures, key=lambda each: _PREFERRED.index(each.reason))


def _connected(family: int, address: Any, where: str, deadline: Deadline, *, share: float) -> Stream:
    import socket

    connection = socket.socket(family, socket.SOCK_STREAM)
    try:
        connection.settimeout(share)
        connection.connect(address)
    except BaseException:
        connection.close()
        raise
    return Stream(connection, where, deadline)


def _not_connected(error: OSError, host: str, port: int, environ: Mapping[str, str]) -> Failure:
    where = shown(host, port)
    if isinstance(error, ConnectionRefusedError):
        summary = f"connection to {where} refused: nothing listens there"
        return Failure("refused", summary, _refused_hint(host, port, environ))
    if isinstance(error, ConnectionError):
        return Failure("refused", f"connection to {where} was reset: {error.strerror}", CLOSED)
    return Failure("unreachable", f"cannot reach {where}: {error.strerror or error}")


def _refused_hint(host: str, port: int, environ: Mapping[str, str]) -> str:
    if not (host in {"localhost", "::1"} or host.startswith("127.")):
        return f"it may not have started yet, use another port, or listen on port {port} of its own loopback only"
    if where := place(environ):
        return (
            f"inside a {where}, {host} is the {where} itself, and nothing in it listens on port {port}: "
            "use the name of the service you mean"
        )
    return f"start what should listen on port {port} of this machine"


def secure(stream: Stream, host: str, trust: Trust) -> Stream:
    """The connection with TLS on it; it is closed if that fails."""
    name = trust.name or host
    plain = stream.connection
    try:
        if stream.buffer:  # somebody in between could put words into the server's mouth
            raise Failure("tls", f"{stream.where} sent data before TLS began")
        context = tls_context(trust)
        plain.settimeout(stream.deadline.remaining(f"no TLS with {stream.where}"))
        stream.connection = context.wrap_socket(plain, server_hostname=name)
    except TimeoutError:
        plain.close()
        raise stream.deadline.over(
            f"{stream.where} accepted the connection but did not begin TLS", "perhaps it does not speak TLS"
        ) from None
    except (OSError, ValueError) as error:  # ValueError: a name that no certificate can be for
        plain.close()
        raise tls_failure(error, stream.where, name) from None
    except Failure:
        plain.close()
        raise
    return stream


def connect_unix(path: str, deadline: Deadline) -> Stream:
    """A connection to a unix socket."""
    import socket

    try:
        share = deadline.remaining(f"no connection to {path}")
        return _connected(socket.AF_UNIX, path, path, deadline, share=share)
    except (TimeoutError, BlockingIOError):
        raise deadline.over(f"no connection to {path}", "its queue of connections is full") from None
    except OSError as error:
        raise _no_socket(error, path) from None


def _no_socket(error: OSError, path: str) -> Failure:
    if error.errno is None or error.errno == errno.ENAMETOOLONG:
        return Failure(
            "unreachable", f"the path {path} is too long for a socket", "at most 107 bytes", final=True
        )
    if error.errno == errno.ENOENT:
        hint = "is its directory shared with this container?" if place(os.environ) else ""
        return Failure("refused", f"there is no socket {path}", hint)
    if error.errno == errno.ENOTDIR:
        return Failure("unreachable", f"a part of {path} is not a directory")
    if error.errno == errno.ECONNREFUSED:
        return _nobody_behind(path)
    if error.errno == errno.EACCES:
        return Failure("unreachable", f"uid {os.geteuid()} may not use {path}", _owner(path))
    return Failure("unreachable", f"cannot reach {path}: {error.strerror or error}")


def _nobody_behind(path: str) -> Failure:
    with suppress(OSError):
        if stat.S_ISSOCK(os.stat(path).st_mode):
            hint = "the process that made the socket has ended"
            return Failure("refused", f"nothing listens on {path}", hint)
    return Failure("unexpected", f"{path} is not a socket")


def _owner(path: str) -> str:
    try:
        found = os.stat(path)
    except OSError:
        return f"a directory above {path} cannot be entered"
    return f"it belongs to {found.st_uid}:{found.st_gid} and has mode {stat.S_IMODE(found.st_mode):04o}"


def resolve(
    host: str, deadline: Deadline, environ: Mapping[str, str], port: int = 0, *, family: str = ""
) -> list[tuple[int, Any]]:
    """The addresses of a name, each with its family, in the order in which they are to be tried."""
    import socket

    wanted = {"ipv4": socket.AF_INET, "ipv6": socket.AF_INET6}.get(family, 0)
    summary = f"the name server did not answer about {host}"
    deadline.remaining(summary)
    try:
        entries = in_time(lambda: socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM), deadline)
    except (OSError, ValueError) as error:
        raise _unresolved(host, error, environ) from None
    if entries is None:
        raise Failure(
            "dns", f"{summary} within {deadline.seconds:.3g} s", "check the name servers in /etc/resolv.conf"
        )
    found = dict.fromkeys((int(each[0]), each[4]) for each in entries if wanted in (0, each[0]))
    if not found:
        raise Failure("dns", f"{host} has no {family} address")
    return list(found)


def in_time(call: Callable[[], T], deadline: Deadline) -> T | None:
    """The result of a call that cannot be interrupted, or None at the deadline: it goes on in its thread."""
    import _thread

    results: list[T] = []
    problems: list[BaseException] = []
    done = _thread.allocate_lock()
    done.acquire()

    def run() -> None:
        try:
            results.append(call())
        except BaseException as error:
            problems.append(error)
        finally:
            done.release()

    _thread.start_new_thread(run, ())
    if not done.acquire(timeout=max(deadline.left, 0.0)):
        return None
    if problems:
        raise problems[0]
    return results[0]


def _unresolved(host: str, error: Exception, environ: Mapping[str, str]) -> Failure:
    import socket

    if isinstance(error, ValueError):
        return Failure("dns", f"`{host}` cannot be a host name", final=True)
    number = getattr(error, "errno", None)
    if number in (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", -5)):
        return Failure("dns", f"the name {host} is not known", _name_hint(host, environ))
    if number == socket.EAI_AGAIN:
        return Failure("dns", f"the name {host} cannot be looked up now", _name_hint(host, environ))
    return Failure("dns", f"cannot look up {host}: {getattr(error, 'strerror', None) or error}")


def _name_hint(host: str, environ: Mapping[str, str]) -> str:
    where = place(environ)
    if "." in host:
        return f"check the spelling of {host}, and the name server in /etc/resolv.conf"
    if where == "pod":
        return f"is there a Service named {host} in this namespace? elsewhere it is {host}.NAMESPACE"
    if where:
        return f"is {host} a service in the same network as this container, and is it running?"
    return (
        f"{host} is neither in /etc/hosts nor in DNS here; names of Compose services exist only in containers"
    )
