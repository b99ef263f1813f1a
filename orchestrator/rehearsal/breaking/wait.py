"""Something that is waited for and does not answer: a real server of ours, at the very address that the spec names."""

from __future__ import annotations

import ipaddress
import os
import socket
from typing import TYPE_CHECKING, Any

from orchestrator.rehearsal import asked, certificates, fake_servers
from orchestrator.rehearsal.breaking._commands import failing
from orchestrator.rehearsal.names import here
from orchestrator.rehearsal.sandbox_filesystem import CannotBreak, milliseconds
from orchestrator.rehearsal.speaking import speaking

if TYPE_CHECKING:
    from orchestrator.engine.item import Work
    from orchestrator.rehearsal.sandbox_filesystem import Place
    from orchestrator.rehearsal.speaking import Talk

SOON, ATTEMPT = 2.0, 0.5
"""Seconds: all attempts together, and one."""
_ELSEWHERE = "elsewhere.rehearsal.invalid"
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
        known = fake_servers.FAULTS.get(reason) if reason != "unexpected" else None
        _listen(place, address, known if known is not None else _speaking(place, work, word, reason))


def _listen(place: Place, address: Any, talk: Talk) -> None:
    """A server of ours where the real one would be."""
    local = asked.socket_path(address)
    if local:
        path = place.path(local)
        _make_way(path)
        place.held.enter_context(fake_servers.serving_socket(path, talk))
    else:
        host, port = asked.place(address)
        place.held.enter_context(fake_servers.serving(here(host), port, talk))


def _speaking(place: Place, work: Work, word: str, reason: str) -> Talk:
    """A server that gets as far as the password or the certificate, and fails there."""
    if reason == "auth" and not asked.has_password(work.item):
        raise CannotBreak("nobody logs in there")
    trust, no = asked.trust(work.item), reason if reason in ("auth", "unexpected") else ""
    if trust is None:
        return _known(speaking(word, no=no), word)
    name = _ELSEWHERE if reason == "wrong_name" else trust.name or asked.place(asked.address(work.item))[0]
    path = place.tool(f"{reason}.pem", certificates.made(name, expired=reason == "expired"))
    _trusted(place, work, word, path)
    return _known(speaking(word, path, no), word)


def _known(talk: Talk | None, word: str) -> Talk:
    if talk is None:
        raise CannotBreak(f"no server of ours can speak as `{word}` does")
    return talk


def _trusted(place: Place, work: Work, word: str, path: str) -> None:
    """The wait trusts our certificate, so that nothing but what is broken is wrong with it."""
    if asked.own_authority(asked.address(work.item)):
        raise CannotBreak("its URL names the authority itself")
    if word == "tls" and not work.item.tls.chain:
        return  # it believes every certificate that is otherwise right
    item = place.item(work)
    if not isinstance(item[word], dict):
        item[word] = {type(asked.address(work.item)).shorthand: item[word]}
    item[word]["ca"] = path


def _command(place: Place, work: Work, item: dict[str, Any], reason: str) -> None:
    item["command"] = failing(place, item, reason, work.item.command)
    for each in ("exit_codes", "creates"):
        item.pop(each, None)


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
    """The addresses that a `use` of the item takes: supposed to be well, in so far as a server of ours can speak so."""
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
    if address is None:
        raise CannotBreak("no server of ours can be well at the address that its `use` takes")
    trust, path = asked.trust(other), ""
    if trust is not None:
        path = place.tool("well.pem", certificates.made(trust.name or asked.place(address)[0]))
        _trusted(place, work, word, path)
    place.item(work).pop("expect", None)  # what it must say is its own: of ours it is asked that it is well
    _listen(place, address, _known(speaking(word, path), word))
