"""How a wait for a server fails: the failures of its address, and each of them brought about there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestrator.spec.breaking import CannotBreak
from orchestrator.spec.templated import any_pending

if TYPE_CHECKING:
    from orchestrator.spec.breaking import Sandbox
    from orchestrator.waits._base import Asking

_TLS = ("https", "amqps", "rediss", "valkeys")


def address(wait: Asking) -> Any:
    """What is asked, once the variables in it have values; None where it is not known, or is no address."""
    found = getattr(wait, wait.word, None)
    return found if found is not None and hasattr(found, "server") and not any_pending(found) else None


def place(found: Any) -> tuple[str, int] | str:
    """Host and port, or the path of the unix socket that is asked in their place."""
    if getattr(found, "unix", None):
        return str(found.unix)
    if hasattr(found, "socket") and (path := found.socket()):
        return str(path)
    server = found.server()
    if server.host.startswith("/"):
        return f"{server.host.rstrip('/')}/.s.PGSQL.{server.port}"
    return server.host, server.port or (443 if server.scheme == "https" else 80)


def has_user(wait: Asking) -> bool:
    """Whether somebody logs in to a database or broker. An address that is one variable mostly holds a password."""
    found = address(wait)
    if found is None:
        return True
    server = found.server()
    return bool(server.user or server.query.get("user"))


def speaks_tls(wait: Asking) -> bool:
    """Whether TLS is spoken from the first byte on, by the address."""
    found = address(wait)
    return found is not None and found.server().scheme in _TLS


def failures(wait: Asking) -> tuple[str, ...]:
    found = address(wait)
    local = found is not None and isinstance(place(found), str)
    login = ("auth",) if wait.logs_in() else ()
    return (*(("missing", "refused") if local else wait.ways), *login)


def make_fail(wait: Asking, failure: str, sandbox: Sandbox) -> None:
    found = address(wait)
    if found is None:
        raise CannotBreak(f"nothing is known of what `{wait.word}` asks")
    if failure in ("auth", "unexpected"):
        wait.make_answerable(failure, sandbox)
    at = place(found)
    if isinstance(at, str):
        break_socket(sandbox.path(at), failure, sandbox)
    elif failure != "refused":  # nobody listens in a private network
        sandbox.serve(at, failure)


def break_socket(path: str, failure: str, sandbox: Sandbox) -> None:
    if failure == "missing":
        sandbox.remove(path)
    else:
        sandbox.serve(path, "gone" if failure == "refused" else failure)
