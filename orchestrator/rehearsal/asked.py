"""What a wait asks with: the word it is written with, its address, a password, TLS. Pure: it asks nothing."""

from __future__ import annotations

from typing import Any

from orchestrator.spec.templated import any_pending

_LOGINS = ("postgres", "mysql", "redis", "amqp")
_SECURED = ("https", "amqps", "rediss", "valkeys")


def word(item: Any) -> str:
    """The kind as it is written, which is also the field that holds what is asked."""
    return str(type(item).__module__.rpartition(".")[2])


def address(item: Any) -> Any:
    """What is asked, once the variables in it have values; None where it is not known, or is no address."""
    found = getattr(item, word(item), None)
    known = found is not None and hasattr(found, "server") and not any_pending(found)
    return found if known else None


def socket_path(found: Any) -> str:
    """The path of the unix socket that is asked in place of a host, if one is."""
    if getattr(found, "unix", None):
        return str(found.unix)
    if hasattr(found, "socket"):
        return str(found.socket())
    server = found.server()
    return f"{server.host.rstrip('/')}/.s.PGSQL.{server.port}" if server.host.startswith("/") else ""


def place(found: Any) -> tuple[str, int]:
    """Host and port."""
    server = found.server()
    return server.host, server.port or (443 if server.scheme == "https" else 80)


def has_password(item: Any) -> bool:
    """Whether somebody logs in. Of an address that is a variable as a whole it is supposed: most hold a password."""
    kind, found = word(item), address(item)
    if kind not in (*_LOGINS, "http"):
        return False
    if found is None:
        return kind != "http"
    if kind == "http":
        return bool(found.server().user or found.auth) or any(
            name.lower() == "authorization" for name in found.headers or ()
        )
    server = found.server()
    if kind == "redis":
        return bool(server.password or server.query.get("password"))
    return bool(server.user or server.query.get("user"))


def secured(item: Any) -> bool:
    """Whether TLS is spoken from the first byte on, as far as that is known."""
    kind, found = word(item), address(item)
    if found is None or kind == "tls":
        return kind == "tls"
    return found.server().scheme in _SECURED or (kind in ("tcp", "redis") and bool(found.tls))
