"""Which of an image's roles the words behind `run` mean, and what the other words are for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orchestrator.core.exceptions import Usage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.spec.loading import Loaded


@dataclass(frozen=True, slots=True)
class Choice:
    """The spec of the role, its name, and the words it was given."""

    loaded: Loaded
    role: str = ""
    words: tuple[str, ...] = field(default=())
    instead: tuple[str, ...] = ()
    """A command that takes the launch's place, without steps (`unknown_role: exec`)."""


def choose(loaded: Loaded, role: str, words: Sequence[str] = ()) -> Choice:
    """The role by name, by default, or by the rule for unknown words; raises Usage."""
    spec = loaded.spec
    if spec is None:
        return Choice(loaded, role, tuple(words))
    known = spec.roles or {}
    wanted = role or spec.default_role or ""
    if not wanted or wanted in known:
        chosen = Choice(loaded.for_role(wanted), wanted, tuple(words))
    elif spec.unknown_role == "exec":
        return Choice(loaded, "", (), (role, *words))
    elif spec.unknown_role in known:
        chosen = Choice(loaded.for_role(spec.unknown_role), spec.unknown_role, (role, *words))
    else:
        there = f"there are: {', '.join(known)}" if known else "the spec has no roles"
        raise Usage(f"there is no role `{role}`; {there}")
    _refuse_useless(chosen)
    return chosen


def _refuse_useless(chosen: Choice) -> None:
    if not chosen.words or chosen.loaded.failed:
        return  # the errors of the spec are shown first: the launch may be part of it
    launch = chosen.loaded.spec.launch if chosen.loaded.spec is not None else None
    if launch is None or launch.command is None:
        raise Usage(
            f"the words behind `--` are for a command, and {chosen.role or 'the service'} launches {'an app' if launch else 'nothing'}"
        )
    if launch.arguments == "forbid":
        raise Usage(f"{chosen.role or 'the service'} takes no arguments: {' '.join(chosen.words)}")
