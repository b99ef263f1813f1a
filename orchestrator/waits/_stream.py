"""Connections under one deadline: name, connection, TLS and every byte. Knows no protocol and no kind."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, TypeVar

from orchestrator.system.container import place
from orchestrator.waits import _hints
from orchestrator.waits._failure import Deadline, Failure

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Callable, Mapping

CHUNK = 16 * 1024
T = TypeVar("T")
_PREFERRED = ("refused", "timeout", "unreachable")
"""Of the failures of several addresses the first of these says most."""


@dataclass(frozen=True, slots=True)
class Trust:
    """How the other side of a TLS connection is verified, and how it may verify this one."""

    name: str = ""
    """Whom the certificate must be for; empty: the host that is asked."""
    verify: bool = True
    ca: str = ""
    certificate: str = ""
    key: str = ""
    check_name: bool = True


def shown(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class Stream:
    """A connection whose every operation ends at the deadline; its errors are failures with a reason."""

    def __init__(self, connection: socket.socket, where: str, deadline: Deadline) -> None:
        self.connection = connection
        self.where = where
        self.deadline = deadline
        self.buffer = b""
        self.heard = False
        """Whether the other side has said anything."""

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

    def take(self, size: int) -> bytes:
        """What has arrived already, at most so many bytes of it."""
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
        """The failure of a connection that was closed too early. Before the first byte it is a refusal."""
        if self.heard:
            return Failure("protocol", f"{self.where} closed the connection in the middle of its answer")
        return Failure(
            "refused", f"{self.where} accepted the connection and closed it without a word", _hints.closed()
        )

    @property
    def _mute(self) -> str:
        said = "did not finish its answer" if self.heard else "did not answer"
        return f"{self.where} accepted the connection but {said}"

    def _broken(self, error: OSError) -> Failure:
        if isinstance(error, TimeoutError):
            return self.deadline.over(self._mute)
        if isinstance(error, ConnectionError):
            return self.ended()
        if getattr(error, "library", None) or error.__class__.__name__.startswith("SSL"):
            return _tls_failure(error, self.where)
        return Failure("unreachable", f"cannot reach {self.where}: {error.strerror or error}")


def connect(
    host: str, port: int, deadline: Deadline, environ: Mapping[str, str], *, family: str = ""
) -> Stream:
    """A connection to the first address of the host that takes one; `family` is `ipv4` or `ipv6` where one is meant."""
    addresses = _of_family(resolve(host, deadline, environ, port), family, host)
    failures: list[Failure] = []
    for index, (number, address) in enumerate(addresses):
        share = deadline.remaining(f"no connection to {shown(host, port)}") / (len(addresses) - index)
        try:
            return _connected(number, address, shown(host, port), deadline, share=share)
        except TimeoutError:
            failures.append(deadline.over(f"no connection to {shown(host, port)}", _hints.black_hole(host)))
        except OSError as error:
            failures.append(_not_connected(error, host, port, environ))
    raise min(failures, key=lambda each: _PREFERRED.index(each.reason))


def _of_family(found: list[tuple[int, Any]], family: str, host: str) -> list[tuple[int, Any]]:
    if not family:
        return found
    import socket

    wanted = socket.AF_INET if family == "ipv4" else socket.AF_INET6
    fitting = [each for each in found if each[0] == wanted]
    if not fitting:
        raise Failure("dns", f"{host} has no {family} address")
    return fitting


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
        return Failure(
            "refused",
            f"connection to {where} refused: nothing listens there",
            _hints.refused(host, port, environ),
        )
    if isinstance(error, ConnectionError):
        return Failure("refused", f"connection to {where} was broken off: {error.strerror}", _hints.closed())
    return Failure("unreachable", f"cannot reach {where}: {error.strerror or error}")


def connect_unix(path: str, deadline: Deadline) -> Stream:
    """A connection to a socket in the file system."""
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
        return Failure("unreachable", f"{path} is too long for a socket", "at most 107 bytes", final=True)
    if error.errno == errno.ENOENT:
        return Failure(
            "refused",
            f"there is no socket {path}",
            "is its directory shared with this container?" if place(os.environ) else "",
        )
    if error.errno == errno.ENOTDIR:
        return Failure("unreachable", f"{path} leads through something that is no directory")
    if error.errno == errno.ECONNREFUSED:
        return _nobody_behind(path)
    if error.errno == errno.EACCES:
        return Failure("unreachable", f"{path} may not be used by uid {os.geteuid()}", _owner(path))
    return Failure("unreachable", f"cannot reach {path}: {error.strerror or error}")


def _nobody_behind(path: str) -> Failure:
    if stat.S_ISSOCK(_mode(path)):
        return Failure(
            "refused", f"nothing listens on {path}", "the socket was left behind by a process that ended"
        )
    return Failure("unexpected", f"{path} is no socket")


def _mode(path: str) -> int:
    try:
        return os.stat(path).st_mode
    except OSError:
        return 0


def _owner(path: str) -> str:
    try:
        found = os.stat(path)
    except OSError:
        return f"a directory above {path} cannot be entered"
    return f"it belongs to {found.st_uid}:{found.st_gid} and has mode {stat.S_IMODE(found.st_mode):04o}"


def resolve(
    host: str, deadline: Deadline, environ: Mapping[str, str], port: int = 0
) -> list[tuple[int, Any]]:
    """The addresses of a name, each with its family, in the order in which they are to be tried."""
    import socket

    summary = f"the name server did not answer about {host}"
    deadline.remaining(summary)
    try:
        entries = in_time(lambda: socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM), deadline)
    except (OSError, UnicodeError) as error:
        raise _unresolved(host, error, environ) from None
    if entries is None:
        raise Failure(
            "dns", f"{summary} within {deadline.seconds:.3g} s", "check the name servers in /etc/resolv.conf"
        )
    return list(dict.fromkeys((int(each[0]), each[4]) for each in entries))


def in_time(call: Callable[[], T], deadline: Deadline) -> T | None:
    """What a call gives that cannot be interrupted, or None: at the deadline it is left alone in its thread."""
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

    number = getattr(error, "errno", None)
    if isinstance(error, UnicodeError):
        return Failure("dns", f"`{host}` cannot be a host name", "", final=True)
    if number in (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", -5)):
        return Failure("dns", f"the name {host} is not known", _hints.unknown_name(host, environ))
    if number == socket.EAI_AGAIN:
        return Failure(
            "dns", f"the name {host} cannot be looked up at the moment", _hints.unknown_name(host, environ)
        )
    return Failure("dns", f"cannot look up {host}: {getattr(error, 'strerror', None) or error}")


def secure(stream: Stream, host: str, trust: Trust) -> Stream:
    """The connection with TLS on it; the certificate must be for `trust.name`, else for the host."""
    name = trust.name or host
    plain = stream.connection
    try:
        context = tls_context(trust)
        plain.settimeout(stream.deadline.remaining(f"no TLS with {stream.where}"))
        stream.connection = context.wrap_socket(plain, server_hostname=name)
    except TimeoutError:
        plain.close()
        hint = "something listens there, but perhaps it does not speak TLS"
        raise stream.deadline.over(
            f"{stream.where} accepted the connection but did not begin TLS", hint
        ) from None
    except OSError as error:
        plain.close()
        raise _tls_failure(error, stream.where, name) from None
    except Failure:
        plain.close()
        raise
    return stream


def tls_context(trust: Trust) -> ssl.SSLContext:
    import ssl

    try:
        context = ssl.create_default_context(cafile=trust.ca or None)
    except OSError as error:
        raise Failure(
            "tls", f"cannot read the certificates of {trust.ca}: {error.strerror or error}"
        ) from None
    if not (trust.verify and trust.check_name):
        context.check_hostname = False
    if not trust.verify:
        context.verify_mode = ssl.CERT_NONE
    if trust.certificate:
        try:
            context.load_cert_chain(trust.certificate, trust.key or None, password="")
        except OSError as error:
            raise Failure(
                "tls", f"cannot use the certificate {trust.certificate}: {error.strerror or error}"
            ) from None
    return context


def _tls_failure(error: OSError, where: str, name: str = "") -> Failure:
    import ssl

    if isinstance(error, ssl.SSLCertVerificationError):
        return Failure(
            "tls",
            f"the certificate of {where} is refused: {error.verify_message}",
            _certificate_hint(error, name),
        )
    if isinstance(error, ssl.SSLEOFError | ConnectionError):
        return Failure("tls", f"{where} closed the connection while TLS began", _hints.closed(), final=False)
    if isinstance(error, ssl.SSLError):
        if error.reason in (
            "WRONG_VERSION_NUMBER",
            "RECORD_LAYER_FAILURE",
            "UNKNOWN_PROTOCOL",
            "PACKET_LENGTH_TOO_LONG",
        ):
            return Failure(
                "tls", f"{where} does not speak TLS", "use the address without TLS, or the port with it"
            )
        said = (error.reason or str(error)).lower().replace("_", " ")
        return Failure("tls", f"TLS with {where} failed: {said}")
    return Failure("unreachable", f"cannot reach {where}: {error.strerror or error}")


def _certificate_hint(error: ssl.SSLCertVerificationError, name: str) -> str:
    if error.verify_code in (18, 19, 20, 21):
        return "if it is your own, name the file of the authority that signed it: `ca: /path/ca.pem`"
    if error.verify_code == 10:
        return "renew the certificate"
    if error.verify_code == 9:
        return "its validity has not begun: compare the clocks of both sides"
    if error.verify_code in (62, 64):
        return f"it is not for {name}: ask for a name that it is for"
    return ""
