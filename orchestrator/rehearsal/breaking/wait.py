"""Something that is waited for and does not answer: a real server of ours, at the very address that the spec names."""

from __future__ import annotations

import ipaddress
import os
import socket
from typing import TYPE_CHECKING, Any

from orchestrator.rehearsal import asked, fake_servers
from orchestrator.rehearsal.breaking._commands import failing
from orchestrator.rehearsal.names import here
from orchestrator.rehearsal.sandbox_filesystem import CannotBreak, milliseconds
from orchestrator.waits._stream import shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestrator.engine.item import Work
    from orchestrator.rehearsal.sandbox_filesystem import Place

SOON, ATTEMPT = 2.0, 0.5
"""Seconds: all attempts together, and one."""
_ANSWERS = ("auth", "unexpected")
"""The failures that a server tells in an answer of its protocol."""
_WELL = {"tcp": fake_servers.silent, "unix": fake_servers.silent, "http": fake_servers.well}
"""What a server of ours can be well as, by the kind's word."""
_FAILS = """import time
def fails():
    {how}
"""


def make(place: Place, work: Work, reason: str) -> None:
    item = place.item(work)
    item["deadline"] = milliseconds(min(work.item.deadline or SOON, SOON))
    item["timeout"] = milliseconds(min(work.item.timeout or ATTEMPT, ATTEMPT))
    word = asked.word(work.item)
    special = {"command": _command, "python": _python, "file": _file, "unix": _unix, "dns": _dns}.get(word)
    if special is not None:
        special(place, work, item, reason)
    else:
        _server(place, work, word, reason)
    _others_well(place, work)


def _server(place: Place, work: Work, word: str, reason: str) -> None:
    address = asked.address(work.item)
    if address is None:
        raise CannotBreak(f"nothing is known of what `{word}` asks")
    local = asked.socket_path(address)
    if reason in ("missing", "refused") and local:
        _socket(place.path(local), reason)
    elif reason == "timeout" and word == "tcp":
        host, port = asked.place(address)
        place.held.enter_context(fake_servers.full(here(host), port))
    elif reason != "refused":
        if reason in _ANSWERS:
            _answerable(place, work, word, reason)
        _listen(place, address, fake_servers.FAULTS[reason])


def _answerable(place: Place, work: Work, word: str, reason: str) -> None:
    """HTTP can be answered by a server of ours, without TLS: it has no certificate that would be trusted."""
    if word != "http":
        raise CannotBreak("only the real server can refuse a password, and a private copy cannot reach it")
    if reason == "auth" and not asked.has_password(work.item):
        raise CannotBreak("nobody logs in there")
    if asked.secured(work.item):
        host, port = asked.place(work.item.http)
        item = place.item(work)
        more = item["http"] if isinstance(item["http"], dict) else {}
        item["http"] = {**more, "url": f"http://{shown(host, port)}/"}


def _listen(place: Place, address: Any, talk: Callable[[socket.socket], None]) -> None:
    """A server of ours where the real one would be."""
    local = asked.socket_path(address)
    if local:
        path = place.path(local)
        _make_way(path)
        place.held.enter_context(fake_servers.serving_socket(path, talk))
    else:
        host, port = asked.place(address)
        place.held.enter_context(fake_servers.serving(here(host), port, talk))


def _command(place: Place, work: Work, item: dict[str, Any], reason: str) -> None:
    item["command"] = failing(place, item, reason, work.item.command)
    item.pop("exit_codes", None)


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
    _make_way(path)
    if reason == "refused":
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(path)


def _make_way(path: str) -> None:
    if os.path.lexists(path):
        os.unlink(path)
    os.makedirs(os.path.dirname(path), exist_ok=True)


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
    """The addresses that a `use` of the item takes: supposed to be well, where a server of ours can be."""
    for action in place.start.actions(work):
        other = action.instead_of(work.item) if action.replaces == "url" else None
        if other is not None:
            _well(place, work, other)


def _well(place: Place, work: Work, other: Any) -> None:
    word, address = asked.word(other), asked.address(other)
    if word == "dns":
        here(other.dns.host)
        return
    if word == "unix":
        address = other
    if address is None or word not in _WELL or asked.secured(other):
        raise CannotBreak("no server of ours can be well at the address that its `use` takes")
    place.item(work).pop("expect", None)  # what it must say is its own: of ours it is asked that it is well
    _listen(place, address, _WELL[word])
