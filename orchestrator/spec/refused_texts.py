"""Texts that a variable's contract refuses, for the rehearsal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_NONE_AT_ALL = ("made to fail by the rehearsal", "0", "-1", "99999999999", "x", "")
_OF_TYPE = {
    "integer": ("0", "-1", "99999999999"), "number": ("0", "-1", "99999999999", "0.5"), "port": ("65535", "1", "0"),
    "boolean": ("true", "false"), "url": ("rehearsal://rehearsal.invalid/", "https://rehearsal.invalid/"), "path": ("/rehearsal",),
    "duration": ("1ms", "8000h"), "size": ("1B", "100000TB"), "list": ("rehearsal",), "json": ("{}", "[]", "1"),
    "email": ("rehearsal@rehearsal.invalid", "a@b.c"),
}  # fmt: skip
"""Texts that are of a type, whatever else its contract says."""
_RULES = ("min", "max", "allowed", "pattern", "min_length", "forbidden", "schemes")


def wrong(contract: Any) -> str:
    """A text that the contract refuses, and that is not as good as none; empty where none is known."""
    return _first_refused(contract, (*_NONE_AT_ALL, *(contract.forbidden or ())))


def outside(contract: Any) -> str:
    """A text that is of the contract's type and that the rest of it refuses; for texts `wrong` is that already."""
    if contract.type not in _OF_TYPE or all(getattr(contract, rule) is None for rule in _RULES):
        return ""
    plain = contract.model_copy(update=dict.fromkeys(_RULES))
    return _first_refused(contract, (each for each in _beside(contract) if plain.judge(each) is None))


def _beside(contract: Any) -> Iterator[str]:
    """What lies just beyond the bounds tells most."""
    for bound, step in ((contract.min, -1), (contract.max, 1)):
        if isinstance(bound, int | float):
            yield str(bound + step)
    yield from _OF_TYPE[contract.type]
    yield from contract.forbidden or ()


def _first_refused(contract: Any, texts: Any) -> str:
    return next((str(text) for text in texts if text and contract.judge(text) is not None), "")
