"""A listening socket, with builtins alone: refusing connections while the address stays ours, and the mode of a unix one."""

from __future__ import annotations

import _socket
import posix

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket

SOCKET_MODE = 0o666
"""As uvicorn does: the proxy in front is often another user; the directory says who may enter."""


def open_to_all(path: str) -> None:
    """Gives a unix socket that was just bound its mode; a link or a file that somebody has put in its place is left alone."""
    there = posix.open(path, posix.O_PATH | posix.O_NOFOLLOW | posix.O_CLOEXEC)
    try:
        if posix.fstat(there).st_mode & 0o170000 == 0o140000:
            posix.chmod(f"/proc/self/fd/{there}", SOCKET_MODE)
    finally:
        posix.close(there)


def refuse(listener: _socket.socket | socket.socket) -> None:
    """Nobody is behind it: what knocks is refused, not queued. For TCP; a unix socket that was shut down stays so."""
    # Shared with the server that was: the next one expects it as it was given to the first.
    listener.setblocking(True)
    listener.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 0)
    # One that does not listen would keep the mark of it: whoever it accepts later would have hung up already.
    if listener.getsockopt(_socket.SOL_SOCKET, _socket.SO_ACCEPTCONN):
        listener.shutdown(_socket.SHUT_RD)
