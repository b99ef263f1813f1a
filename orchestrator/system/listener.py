"""A listening socket, with builtins alone: refusing connections while the address stays ours, and the mode of a unix one."""

from __future__ import annotations

import _socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket

SOCKET_MODE = 0o666
"""As uvicorn does: the proxy in front is often another user; the directory says who may enter."""


def refuse(listener: _socket.socket | socket.socket) -> None:
    """Nobody is behind it: what knocks is refused, not queued. For TCP; a unix socket that was shut down stays so."""
    # Shared with the server that was: the next one expects it as it was given to the first.
    listener.setblocking(True)
    listener.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 0)
    # One that does not listen would keep the mark of it: whoever it accepts later would have hung up already.
    if listener.getsockopt(_socket.SOL_SOCKET, _socket.SO_ACCEPTCONN):
        listener.shutdown(_socket.SHUT_RD)
