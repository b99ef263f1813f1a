"""What a wait asks with: the word it is written with, its address, a password, TLS. Pure: nothing is asked here."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from orchestrator.core.context import Context

if TYPE_CHECKING:
    from orchestrator.waits._stream import Trust

_LOGINS = ("postgres", "mysql", "redis", "amqp")


def word(item: Any) -> str:
    """The kind as it is written, which is also the field that holds what is asked."""
    return str(type(item).__module__.rpartition(".")[2])


def address(item: Any) -> Any:
    """What is asked, once the variables in it have values; None where it is not known, or is no address."""
    found = getattr(item, word(item), None)
    known = found is not None and hasattr(found, "server") and not _is_pending(found)
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


def _is_pending(found: Any) -> bool:
    from orchestrator.waits._address import pending

    return any(pending(value) for value in vars(found).values())


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


def trust(item: Any) -> Trust | None:
    """How the certificate of the other side is verified; None where TLS is not spoken, or not known."""
    found = address(item)
    if found is None:
        return None
    of_kind = _TRUSTS.get(word(item))
    verified: Trust | None = of_kind(found, Context({}, cwd="/")) if of_kind is not None else None
    return verified


def _of_http(found: Any, context: Context) -> Any:
    return found.trust(context) if found.server().scheme == "https" else None


def _of_amqp(found: Any, context: Context) -> Any:
    return found.trust(context) if found.secured() else None


def _of_postgres(found: Any, context: Context) -> Any:
    return found.trust(context) if found.mode() in ("require", "verify-ca", "verify-full") else None


def _of_mysql(found: Any, context: Context) -> Any:
    return found.trust(context) if found.tls or found.ca or own_authority(found) else None


def _of_tls(found: Any, context: Context) -> Any:
    return replace(found.trust(context), anchor="" if found.chain else "its own")


def _of_redis(found: Any, context: Context) -> Any:
    return found.security(context)


_TRUSTS = {
    "http": _of_http, "amqp": _of_amqp, "postgres": _of_postgres, "mysql": _of_mysql, "tls": _of_tls, "redis": _of_redis,
}  # fmt: skip


def own_authority(found: Any) -> str:
    """The authority that a URL names itself, in the words of its driver."""
    if getattr(found, "url", None) is None:
        return ""
    query = found.server().query
    names = ("ssl_ca", "ssl-ca", "ssl_ca_certs")
    return next((query[each] for each in names if query.get(each)), "")
