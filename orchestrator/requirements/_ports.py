"""Whether a port is free for the service's user, or who listens on it. Keeps nothing open."""

from __future__ import annotations

import errno
import os
import socket
from typing import TYPE_CHECKING

from orchestrator.core.outcome import failed, ok
from orchestrator.system.accounts import as_user, said
from orchestrator.system.sockets import owner

if TYPE_CHECKING:
    from orchestrator.core.context import Context
    from orchestrator.core.outcome import Outcome
    from orchestrator.requirements.checks import PortCheck

_STATES = {"tcp": "0A", "udp": "07"}
"""What /proc/net calls a socket that takes whatever comes."""
_KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}


def checked(asked: PortCheck, context: Context) -> Outcome:
    """One look."""
    return _listening(asked) if asked.state == "listening" else _free(asked, context)


def _free(asked: PortCheck, context: Context) -> Outcome:
    where = _where(asked)
    try:
        found = socket.getaddrinfo(
            asked.host or None, asked.port, type=_KINDS[asked.protocol], flags=socket.AI_PASSIVE
        )
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or str(error)
        return failed("ORC471", "address", f"cannot bind {where}: {why.lower()}", _OWN, final=True)
    family, kind, number, _, address = found[0]
    refused = as_user(context.user, lambda: _bind(family, kind, number, address, asked.reuse_address))
    if refused == 0:
        return ok(f"{where} is free")
    return _not_free(asked, where, refused, context)


_OWN = "`host` must be an address of this machine: 0.0.0.0 or :: for all of them"


def _bind(family: int, kind: int, number: int, address: object, reuse: bool) -> None:
    with socket.socket(family, kind, number) as bound:
        if reuse and kind == socket.SOCK_STREAM:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)  # type: ignore[arg-type]


def _not_free(asked: PortCheck, where: str, number: int, context: Context) -> Outcome:
    if number == errno.EADDRINUSE:
        who = owner(asked.port) if asked.protocol == "tcp" else ""
        summary = f"{where} is in use{f' by {who}' if who else ''}"
        return failed("ORC461", "in-use", summary, "stop it, or choose another port")
    if number in (errno.EACCES, errno.EPERM):
        summary = f"{said(context.user.uid)} may not bind {where}"
        hint = "ports below 1024 need CAP_NET_BIND_SERVICE: choose one from 1024 up and map it outside"
        return failed("ORC462", "permission", summary, hint, final=True)
    words = os.strerror(number).lower()
    return failed("ORC471", "address", f"cannot bind {where}: {words}", _OWN, final=True)


def _listening(asked: PortCheck) -> Outcome:
    """By the kernel's table: nothing is sent to whoever listens."""
    place = f"{asked.protocol} port {asked.port}"
    if not any(_has(f"{asked.protocol}{six}", asked) for six in ("", "6")):
        return failed(
            "ORC471", "not-listening", f"nothing listens on {place}", "start what should listen there"
        )
    who = owner(asked.port) if asked.protocol == "tcp" else ""
    if asked.by_process is not None and who.partition(" (pid ")[0] != asked.by_process:
        found = who or "a process that cannot be seen from here"
        summary = f"{found} listens on {place}, expected {asked.by_process}"
        return failed("ORC471", "process", summary, f"ss -ltnp 'sport = :{asked.port}' shows it, as root")
    return ok(f"{who or 'something'} listens on {place}")


def _has(table: str, asked: PortCheck) -> bool:
    try:
        with open(f"/proc/net/{table}", encoding="ascii") as lines:
            rows = [line.split() for line in lines][1:]
    except OSError:
        return False
    wanted = _STATES[asked.protocol]
    return any(row[3] == wanted and int(row[1].rpartition(":")[2], 16) == asked.port for row in rows)


def _where(asked: PortCheck) -> str:
    name = f"[{asked.host}]" if ":" in asked.host else asked.host
    return f"{asked.protocol} {name}:{asked.port}"
