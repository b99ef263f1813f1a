"""What can go wrong with each kind of item: one word for each failure that is rehearsed. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestrator.rehearsal import asked, values

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestrator.engine.item import Work

EXPLAINED = {
    "missing": "it is not there",
    "invalid": "its value does not keep the contract",
    "outside": "its value is of the right type, and not one that the contract allows",
    "version": "another version is there",
    "import": "it raises when it is imported",
    "unwritable": "nothing can be written to it",
    "full": "there is no room in it",
    "content": "it holds something else",
    "limit": "the limit is not met",
    "in_use": "another process has it",
    "refused": "connections are refused",
    "timeout": "it does not answer in time",
    "dropped": "connections are accepted and closed",
    "protocol": "it answers nonsense",
    "auth": "it refuses the password",
    "dns": "its name cannot be found",
    "unexpected": "it says no",
    "exit": "it ends with 1",
    "boot": "it ends before it serves",
    "ended": "it is killed after it was ready",
    "stale": "it is too old",
    "failed": "it fails",
}
"""Each failure in words."""

_TALKING = ("refused", "timeout", "dropped", "protocol")
_WAITS = {
    "tcp": ("refused", "timeout"),
    "unix": ("missing", "refused"),
    "dns": ("dns",),
    "file": ("unexpected",),
    "command": ("unexpected", "timeout"),
    "python": ("unexpected", "timeout"),
    "http": (*_TALKING, "unexpected"), "tls": _TALKING, "postgres": _TALKING, "mysql": _TALKING, "redis": _TALKING, "amqp": _TALKING,
}  # fmt: skip
"""By the kind's word; what a plug-in waits for is at least refused and late."""


def failures(work: Work) -> tuple[str, ...]:
    """The failures of an item; none for one that cannot fail."""
    known = _KINDS.get(work.kind)
    return known(work.item) if known is not None else ("failed",)


def _variable(contract: Any) -> tuple[str, ...]:
    needed = contract.required or contract.required_when is not None
    given = contract.default is not None or contract.generate is not None
    ruled = contract.type not in ("string", "path", "list") or any(
        (contract.allowed, contract.pattern, contract.forbidden, contract.min_length)
    )
    if contract.removed or contract.renamed_to:
        return ()
    wrong = [
        ("missing", needed and not given),
        ("invalid", ruled),
        ("outside", bool(values.outside(contract))),
    ]
    return tuple(reason for reason, may_be in wrong if may_be)


def _package(item: Any) -> tuple[str, ...]:
    if item.consistent:
        return ("version",)
    ruled = item.requirement is not None and any(each in item.requirement for each in "<>=~!")
    return ("missing", "version") if ruled else ("missing",)


def _module(item: Any) -> tuple[str, ...]:
    return ("missing", "import") if item.depth == "importable" else ("missing",)


def _directory(item: Any) -> tuple[str, ...]:
    found = ("missing", "unwritable") if item.writable else ("missing",)
    return (*found, "full") if item.writable or item.min_free is not None else found


_OF_CONTENT = ("format", "schema_", "sha256", "contains", "min_size")


def _file(item: Any) -> tuple[str, ...]:
    ruled = any(getattr(item, each) for each in _OF_CONTENT)
    return ("missing", "content") if ruled and not item.template else ("missing",)


def _wait(item: Any) -> tuple[str, ...]:
    found, address = _WAITS.get(asked.word(item), ("refused", "timeout")), asked.address(item)
    login = ("auth",) if asked.has_password(item) else ()
    if address is not None and asked.socket_path(address):
        return (*_WAITS["unix"], *login)
    return (*found, *login)


def _check(item: Any) -> tuple[str, ...]:
    return ("unexpected",) if hasattr(item, "holds") else ("unexpected", "timeout")


def _step(item: Any) -> tuple[str, ...]:
    return ("exit", "timeout") if item.deadline is not None else ("exit",)


def _launch(launch: Any) -> tuple[str, ...]:
    first = "import" if launch.app is not None else "boot"
    return (first, "ended") if launch.mode == "supervise" else (first,)


def _health(endpoint: Any) -> tuple[str, ...]:
    return ("stale",) if endpoint.heartbeat is not None else ("unexpected", "timeout")


_KINDS: dict[str, Callable[[Any], tuple[str, ...]]] = {
    "variable": _variable, "package": _package, "module": _module, "directory": _directory, "file": _file, "wait": _wait,
    "check": _check, "step": _step, "launch": _launch, "health": _health,
    "python": lambda _: ("version",), "host": lambda _: ("limit",), "port": lambda _: ("in_use",),
}  # fmt: skip
"""By the first word of an id."""
