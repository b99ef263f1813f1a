"""Asks an HTTP endpoint for its status within a deadline.

For the probe and the supervisor: raw sockets and builtins, because importing `socket` costs more than the request.
"""

import _socket
import _thread
import time

LONGEST_LINE = 8192

Address = tuple[int, str | tuple[str, int]]
"""A socket family and what to connect to."""


class Unanswered(Exception):
    """Why there is no status: a reason such as `timeout`, a colon, and what happened."""


def place(address: str | tuple[str, int]) -> str:
    """The address in a message."""
    if isinstance(address, str):
        return address
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def ask(family: int, address: str | tuple[str, int], request: bytes, timeout: float) -> tuple[int, str]:
    """Status and phrase of the answer, or 0 and the reason: `refused: …`, `timeout: …`.

    The timeout (seconds) covers everything, however slow the peer. Redirects are not followed, and nothing after the
    status line is read.
    """
    try:
        return _exchange(family, address, request, time.monotonic() + timeout, timeout)
    except Unanswered as why:
        return 0, str(why)


def ask_socket(path: str, request: bytes, timeout: float) -> tuple[int, str]:
    return ask(_socket.AF_UNIX, path, request, timeout)


def request(method: str, target: str, host: str, headers: tuple[str, ...] = ()) -> bytes:
    """The bytes of a request; `headers` are lines such as `Name: value`."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}"]
    if not any(line.lower().startswith("user-agent:") for line in headers):
        lines.append("User-Agent: orchestrator-health")
    if not any(line.lower().startswith("accept:") for line in headers):
        lines.append("Accept: */*")
    return "\r\n".join([*lines, *headers, "Connection: close", "", ""]).encode("utf-8", "surrogateescape")


def _exchange(
    family: int, address: str | tuple[str, int], request: bytes, end: float, timeout: float
) -> tuple[int, str]:
    connection = _socket.socket(family, _socket.SOCK_STREAM)
    try:
        connect(connection, address, end, timeout)
        return converse(connection, address, request, end, timeout)
    finally:
        connection.close()


def connect(connection: _socket.socket, address: str | tuple[str, int], end: float, timeout: float) -> None:
    where = place(address)
    try:
        connection.settimeout(max(end - time.monotonic(), 0.001))
        connection.connect(address)
    except TimeoutError:
        raise Unanswered(f"timeout: no connection to {where} within {timeout:g} s") from None
    except ConnectionRefusedError:
        raise Unanswered(f"refused: nothing listens on {where}") from None
    except FileNotFoundError:
        raise Unanswered(f"refused: there is no socket {where}") from None
    except OSError as error:
        raise Unanswered(f"unreachable: {where}: {error.strerror or error}") from None


def converse(
    connection: _socket.socket, address: str | tuple[str, int], request: bytes, end: float, timeout: float
) -> tuple[int, str]:
    """The exchange on an open connection, with or without TLS."""
    where = place(address)
    received = b""
    try:
        connection.settimeout(max(end - time.monotonic(), 0.001))
        connection.sendall(request)
        while True:
            status, phrase, received = _status(received)
            if status:
                return status, phrase
            connection.settimeout(max(end - time.monotonic(), 0.001))
            chunk = connection.recv(4096)
            if not chunk:
                raise Unanswered(f"closed: {where} ended the connection {_progress(received)}")
            received += chunk
            if time.monotonic() > end:
                raise TimeoutError
    except TimeoutError:
        raise Unanswered(
            f"timeout: {where} was reached, but {_slow(received)} within {timeout:g} s"
        ) from None
    except OSError as error:
        raise Unanswered(f"closed: {where} broke the connection: {error.strerror or error}") from None


def _status(received: bytes) -> tuple[int, str, bytes]:
    """The final status, its phrase and the rest; 0 until it has come. Skips interim answers (1xx)."""
    while True:
        line, newline, _ = received.partition(b"\n")
        _check(line, whole=bool(newline))
        if not newline:
            return 0, "", received
        version, _, rest = line.strip().partition(b" ")
        code, _, phrase = rest.partition(b" ")
        if len(code) != 3 or not code.isdigit() or version[5:6] not in b"123":
            raise Unanswered(f"protocol: not an HTTP answer: {_shown(line)}")
        if not 100 <= int(code) < 200 or int(code) == 101:
            return int(code), phrase.decode("latin-1"), received
        _, blank, behind = received.partition(b"\r\n\r\n")
        if not blank:
            return 0, "", received
        received = behind


def _check(line: bytes, *, whole: bool) -> None:
    """Fails at the first bytes that are not HTTP, not at the deadline."""
    start = b"HTTP/"
    if (whole and not line.startswith(start)) or line[:5] != start[: len(line)]:
        raise Unanswered(f"protocol: not an HTTP answer: {_shown(line)}")
    if len(line) > LONGEST_LINE:
        raise Unanswered("protocol: the status line does not end")


def _shown(line: bytes) -> str:
    return ascii(line[:40].decode("latin-1")) + ("..." if len(line) > 40 else "")


def _progress(received: bytes) -> str:
    return "in the middle of its status line" if received else "without an answer"


def _slow(received: bytes) -> str:
    return "did not finish its status line" if received else "did not answer"


_LOOPBACKS = {
    "*": ("127.0.0.1", "::1"),
    "::": ("::1", "127.0.0.1"),
    "0.0.0.0": ("127.0.0.1",),
    "": ("127.0.0.1",),
}


def loopbacks(host: str) -> tuple[str, ...]:
    """Where a server that listens on all addresses can be asked; any other host itself."""
    return _LOOPBACKS.get(host, (host,))


def loopback(host: str) -> str:
    """The address at which a server that listens on `host` is asked: a wildcard becomes loopback."""
    return loopbacks(host)[0]


def locate(host: str, port: int, end: float, timeout: float) -> list[Address]:
    """The addresses of a host. A look-up that is late is abandoned."""
    found: list[Address] = []
    for each in loopbacks(host):
        if ":" in each:
            found.append((_socket.AF_INET6, (each, port)))
        elif each.replace(".", "").isdigit():
            found.append((_socket.AF_INET, (each, port)))
        else:
            found += _looked_up(each, port, end, timeout)
    return found


def _looked_up(host: str, port: int, end: float, timeout: float) -> list[Address]:
    found: list[Address] = []
    problem: list[str] = []
    done = _thread.allocate_lock()
    done.acquire()

    def look_up() -> None:
        try:
            # As bytes: a text would be sent through `encodings.idna`, which imports half a library.
            name = host.encode("ascii") if host.isascii() else host.encode("idna")
            for family, _, _, _, address in _socket.getaddrinfo(name, port, 0, _socket.SOCK_STREAM):
                found.append((family, (str(address[0]), port)))
        except (OSError, UnicodeError) as error:
            problem.append(str(getattr(error, "strerror", "") or error))
        finally:
            done.release()

    # A resolver cannot be interrupted, only abandoned.
    _thread.start_new_thread(look_up, ())
    if not done.acquire(timeout=max(end - time.monotonic(), 0.001)):
        raise Unanswered(f"timeout: {host} was not looked up within {timeout:g} s")
    if not found:
        raise Unanswered(f"dns: cannot look up {host}: {''.join(problem)}")
    return found


def ask_host(host: str, port: int, request: bytes, timeout: float, tls: str = "") -> tuple[int, str]:
    """Asks the first of a host's addresses that accepts a connection.

    `tls` is the name that the certificate must be for, `-` for TLS with any certificate.
    """
    end = time.monotonic() + timeout
    why = ""
    try:
        for family, address in locate(host, port, end, timeout):
            connection = _socket.socket(family, _socket.SOCK_STREAM)
            try:
                connect(connection, address, end, timeout)
            except Unanswered as unanswered:
                why = why or str(unanswered)
                connection.close()
                continue
            return _over(connection, address, request, end, timeout=timeout, tls=tls)
    except Unanswered as unanswered:
        why = str(unanswered)
    return 0, why


def _over(
    connection: _socket.socket,
    address: str | tuple[str, int],
    request: bytes,
    end: float,
    *,
    timeout: float,
    tls: str,
) -> tuple[int, str]:
    if tls:
        connection = _secured(connection, address, tls, end, timeout)
    try:
        return converse(connection, address, request, end, timeout)
    finally:
        connection.close()


def _secured(
    connection: _socket.socket, address: str | tuple[str, int], name: str, end: float, timeout: float
) -> _socket.socket:
    """The connection with TLS. At the loopback address no certificate can be right: `-` accepts any."""
    import socket
    import ssl

    context = ssl.create_default_context()
    if name == "-":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    plain = socket.socket(fileno=connection.detach())
    try:
        plain.settimeout(max(end - time.monotonic(), 0.001))
        return context.wrap_socket(plain, server_hostname=None if name == "-" else name)
    except TimeoutError:
        plain.close()
        raise Unanswered(
            f"timeout: {place(address)} was reached, but TLS did not start within {timeout:g} s"
        ) from None
    except OSError as error:
        plain.close()
        why = getattr(error, "verify_message", "") or error.strerror or error
        raise Unanswered(f"tls: {place(address)}: {why}") from None
