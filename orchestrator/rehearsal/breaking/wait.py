"""Something that is waited for and does not answer: a real server of ours, at the very address that the spec names."""

from __future__ import annotations

import ipaddress
import os
import socket
from typing import TYPE_CHECKING, Any

from orchestrator.rehearsal import faulty
from orchestrator.rehearsal.breaking._commands import failing
from orchestrator.rehearsal.names import here
from orchestrator.rehearsal.place import CannotBreak, milliseconds

if TYPE_CHECKING:
    from orchestrator.engine.work import Work
    from orchestrator.rehearsal.place import Place

SOON, ATTEMPT = 2.0, 0.5
"""Seconds: all attempts together, and one."""
_SPOKEN = ("tcp", "http", "redis")
"""What a server of ours can be asked and be well."""
_FAILS = """import time
def fails():
    {how}
"""


def make(place: Place, work: Work, reason: str) -> None:
    item = place.item(work)
    item["deadline"] = milliseconds(min(work.item.deadline or SOON, SOON))
    item["timeout"] = milliseconds(min(work.item.timeout or ATTEMPT, ATTEMPT))
    word = type(work.item).__module__.rpartition(".")[2]
    special = {"command": _command, "python": _python, "file": _file, "unix": _unix, "dns": _dns}.get(word)
    if special is not None:
        special(place, work, item, reason)
    else:
        _server(place, work, word, reason)
    _others_well(place, work)


def _server(place: Place, work: Work, word: str, reason: str) -> None:
    address: Any = getattr(work.item, word, None)
    if getattr(address, "unix", None):
        _socket(place.path(address.unix), reason)
        return
    if not hasattr(address, "server"):
        raise CannotBreak(f"nothing is known of what `{word}` asks")
    server = address.server()
    host = here(server.host)
    if reason == "timeout" and word == "tcp":
        place.held.enter_context(faulty.full(host, server.port))
    elif reason != "refused":
        place.held.enter_context(faulty.serving(host, server.port, faulty.FAULTS[reason]))


def _command(place: Place, work: Work, item: dict[str, Any], reason: str) -> None:
    item["command"] = failing(place, item, reason, work.item.command)
    item.pop("codes", None)


def _python(place: Place, work: Work, item: dict[str, Any], reason: str) -> None:
    del work
    how = "time.sleep(3600)" if reason == "timeout" else "return False"
    item["python"] = place.module("orchestrator_rehearsal_wait", _FAILS.format(how=how)) + ":fails"
    item.pop("expect", None)


def _file(place: Place, work: Work, item: dict[str, Any], reason: str) -> None:
    del item, reason
    path = place.path(work.item.file.path)
    if work.item.file.absent:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "a", encoding="utf-8"):
            return
    if os.path.isdir(path):
        raise CannotBreak("it is a directory")
    if os.path.lexists(path):
        os.unlink(path)


def _unix(place: Place, work: Work, item: dict[str, Any], reason: str) -> None:
    del item
    _socket(place.path(work.item.unix), reason)


def _socket(path: str, reason: str) -> None:
    """No socket, or one that nobody listens on."""
    if os.path.lexists(path):
        os.unlink(path)
    if reason == "refused":
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(path)


def _dns(place: Place, work: Work, item: dict[str, Any], reason: str) -> None:
    """The private network knows no names but those of its own file."""
    del place, item, reason
    name = work.item.dns.host
    if name == "localhost" or _is_address(name):
        raise CannotBreak(f"{name} is known without being asked for")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _others_well(place: Place, work: Work) -> None:
    """The address that a `use` of the item takes: supposed to be well, in so far as a server of ours can speak so."""
    for action in place.start.actions(work):
        url = action.use.url if action.word == "use" else None  # type: ignore[attr-defined]
        if url and "://" in url:
            from urllib.parse import urlsplit

            if type(work.item).__module__.rpartition(".")[2] not in _SPOKEN:
                raise CannotBreak("no server of ours can be well at the address that its `use` takes")

            parts = urlsplit(url)
            port = parts.port or {"redis": 6379, "https": 443}.get(parts.scheme, 80)
            place.held.enter_context(faulty.serving(here(parts.hostname or "localhost"), port, faulty.well))
