"""Binds the service's socket long before anything listens on it; knows nothing of servers."""

from __future__ import annotations

import errno
import os
import socket
import stat
from dataclasses import dataclass

from orchestrator.system.listener import open_to_all

LISTENING = "0A"
ATTEMPTS = 20


@dataclass(frozen=True, slots=True)
class BindError:
    """Why the service cannot have its address."""

    reason: str
    """`in_use`, `permission`, `address`, `path` or `failed`."""
    message: str
    hint: str = ""


def bind(host: str, port: int, unix: str | None = None) -> socket.socket | BindError:
    """A socket that owns the address and does not listen: who connects is refused until the server serves."""
    return _bind_unix(unix) if unix else _bind_tcp(host, port)


def ready_to_listen(listener: socket.socket) -> None:
    """Called just before listening: what is accepted must not keep the next start from the port."""
    if listener.family != socket.AF_UNIX:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)


def release(listener: socket.socket) -> None:
    """Gives up an address that was only tried, for a server that binds it itself."""
    path = listener.getsockname() if listener.family == socket.AF_UNIX else ""
    listener.close()
    if path:
        os.unlink(path)


def _bind_tcp(host: str, port: int) -> socket.socket | BindError:
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        return BindError(
            "address", f"cannot bind {host}: {getattr(error, 'strerror', None) or error}", _WHERE
        )
    family, _, _, _, address = found[0]
    try:
        return _claimed(family, address) if port else _any_port(family, address)
    except OSError as error:
        return _explained(error, host, port)


def _claimed(family: int, address: tuple[object, ...]) -> socket.socket:
    """Bound with SO_REUSEADDR, for connections linger; then without, or a rival with it could bind too."""
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
    except BaseException:
        listener.close()
        raise
    return listener


def _any_port(family: int, address: tuple[object, ...]) -> socket.socket:
    """Port 0. A port the kernel chose is lost with the end of listening, so it is bound by number."""
    for attempt in range(ATTEMPTS):
        with _claimed(family, address) as chosen:
            port = chosen.getsockname()[1]
        try:
            return _claimed(family, (address[0], port, *address[2:]))
        except OSError:
            if attempt == ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable")


_WHERE = "`host` must be an address of this machine: 0.0.0.0 or :: for all of them"


def _explained(error: OSError, host: str, port: int) -> BindError:
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    if error.errno == errno.EADDRINUSE:
        who = owner(port)
        by = f" by {who}" if who else ""
        return BindError(
            "in_use", f"cannot bind {where}: the port is in use{by}", "stop it, or choose another port"
        )
    if error.errno in {errno.EACCES, errno.EPERM}:
        hint = "ports below 1024 need CAP_NET_BIND_SERVICE: choose one from 1024 up and map it outside"
        return BindError("permission", f"cannot bind {where}: permission denied", hint)
    if error.errno in {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}:
        return BindError("address", f"cannot bind {where}: {error.strerror}", _WHERE)
    return BindError("failed", f"cannot bind {where}: {error.strerror or error}")


def _bind_unix(path: str) -> socket.socket | BindError:
    try:
        if not _vacated(path):
            return BindError(
                "in_use", f"cannot bind {path}: a server answers there", "stop it, or choose another path"
            )
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listener.bind(path)
            open_to_all(path)
        except BaseException:
            listener.close()
            raise
    except FileExistsError as error:
        return BindError("path", f"cannot bind {path}: {error}", "remove it, or choose another path")
    except PermissionError as error:
        return BindError(
            "permission", f"cannot bind {path}: {error.strerror}", "its directory must be writable"
        )
    except OSError as error:
        return BindError("path", f"cannot bind {path}: {error.strerror or error}", "its directory must exist")
    return listener


def _vacated(path: str) -> bool:
    """Whether nothing is in the way; a socket file that nobody answers on is removed."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return True
    if not stat.S_ISSOCK(mode):
        raise FileExistsError("something that is not a socket is there")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
        caller.settimeout(1.0)
        try:
            caller.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
            return True
        except TimeoutError:
            return False  # a full queue: somebody is there
    return False


def owner(port: int) -> str:
    """The process that listens on a port, as far as it can be seen."""
    inodes = {inode for table in ("tcp", "tcp6") for inode in _listening(table, port)}
    for pid in filter(str.isdigit, os.listdir("/proc")) if inodes else ():
        if _holds(pid, inodes):
            return f"{_name(pid)} (pid {pid})"
    return ""


def _listening(table: str, port: int) -> list[str]:
    try:
        with open(f"/proc/net/{table}", encoding="ascii") as lines:
            rows = [line.split() for line in lines][1:]
    except OSError:
        return []
    return [row[9] for row in rows if row[3] == LISTENING and int(row[1].rpartition(":")[2], 16) == port]


def _holds(pid: str, inodes: set[str]) -> bool:
    try:
        descriptors = os.listdir(f"/proc/{pid}/fd")
    except OSError:
        return False  # another user's, or gone
    for each in descriptors:
        try:
            target = os.readlink(f"/proc/{pid}/fd/{each}")
        except OSError:
            continue
        if target.removeprefix("socket:[").removesuffix("]") in inodes:
            return True
    return False


def _name(pid: str) -> str:
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return "a process"
