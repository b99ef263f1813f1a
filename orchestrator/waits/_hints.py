"""What may help where something does not answer. Says only what is true of the place it runs in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.system.container import place

if TYPE_CHECKING:
    from collections.abc import Mapping


def is_loopback(host: str) -> bool:
    return host in {"localhost", "::1"} or host.startswith("127.")


def refused(host: str, port: int, environ: Mapping[str, str]) -> str:
    where = place(environ)
    if is_loopback(host):
        if where:
            itself = (
                f"inside a {where} {host} is the {where} itself, and nothing in it listens on port {port}"
            )
            return f"{itself}: write the name of the service that is meant"
        return f"start what should listen on port {port} of this machine"
    return f"it must listen on port {port} of all its addresses (0.0.0.0), not on its own loopback alone"


def unknown_name(host: str, environ: Mapping[str, str]) -> str:
    where = place(environ)
    if "." in host:
        return f"check the spelling of {host}, and the name server in /etc/resolv.conf"
    if where == "pod":
        return f"is there a Service named {host} in this namespace? elsewhere it is {host}.NAMESPACE"
    if where:
        return f"is {host} a service in the same network as this container, and is it running?"
    return (
        f"{host} is in neither /etc/hosts nor DNS here; names of Compose services exist in containers alone"
    )


def black_hole(host: str) -> str:
    return f"the packets are lost: a firewall, a network policy, or another address than that of {host}"


def closed() -> str:
    return "a proxy with nothing behind it does this, and a server that wants TLS and is not spoken to in TLS"
