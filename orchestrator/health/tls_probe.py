"""TLS for the probe, apart because almost nobody needs it and importing it costs more than all the rest."""

import _socket
import socket
import ssl
import time

from orchestrator.health.unanswered import Unanswered, place


def secured(
    connection: _socket.socket, address: str | tuple[str, int], name: str, end: float, timeout: float
) -> socket.socket:
    """The connection, wrapped; `name` is whom the certificate must be for, `-` trusts any.

    An endpoint of one's own is asked at the loopback address, for which no certificate can be right.
    """
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
        raise Unanswered(
            f"tls: {place(address)}: {getattr(error, 'verify_message', '') or error.strerror or error}"
        ) from None
