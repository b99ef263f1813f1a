"""Names and addresses of others, made ours in a private network."""

from __future__ import annotations

import ipaddress
from itertools import count

from orchestrator.rehearsal import sandbox
from orchestrator.spec.breaking import CannotBreak

_HOSTS = "/etc/hosts"
_free = count(2)
_known: dict[str, str] = {}


def here(host: str) -> str:
    """The address at which a server of ours is what the host's would be."""
    if host not in _known:
        _known[host] = _made_ours(host)
    return _known[host]


def _made_ours(host: str) -> str:
    if host == "localhost":
        return "127.0.0.1"
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        ours = f"127.0.1.{next(_free)}"
        _name(host, ours)
        return ours
    if not address.is_loopback and not address.is_unspecified:
        if address.version != 4:
            raise CannotBreak(f"the private network cannot have the address {host}")
        sandbox.own_address(host, next(_free))
    return host


def _name(host: str, address: str) -> None:
    with open(_HOSTS, encoding="utf-8") as file:
        others = [line for line in file if host not in line.split("#")[0].split()[1:]]
    with open(_HOSTS, "w", encoding="utf-8") as file:
        file.writelines([f"{address} {host}\n", *others])
