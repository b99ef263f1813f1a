"""What an attempt may know: the service's environment, user and place, a clock, and how long it may take."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping


class Clock(Protocol):
    """Monotonic seconds, and sleeping. `orchestrator.testing.FakeClock` is the other one."""

    def now(self) -> float: ...

    def sleep(self, seconds: float) -> None: ...


class SystemClock:
    def now(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


@dataclass(frozen=True, slots=True)
class User:
    """Who the service runs as."""

    uid: int
    gid: int
    groups: tuple[int, ...] = ()
    name: str = ""
    home: str = "/"


def current_user() -> User:
    """The engine's own user; the name is empty where passwd has none (an arbitrary uid)."""
    uid = os.geteuid()
    return User(
        uid, os.getegid(), tuple(os.getgroups()), os.environ.get("USER", ""), os.environ.get("HOME", "/")
    )


@dataclass(frozen=True, slots=True)
class Context:
    """Handed to every attempt."""

    environ: dict[str, str]
    """The complete environment that the service will get."""
    cwd: str = field(default_factory=os.getcwd)
    user: User = field(default_factory=current_user)
    clock: Clock = field(default_factory=SystemClock)
    timeout: float = 2.0
    """Seconds this attempt may take."""
    service: str = ""
    environment: str = ""
    role: str = ""
    states: Mapping[str, str] = field(default_factory=dict)
    """The states of the items that came before, by id: for conditions on steps."""
    declared: frozenset[str] | None = None
    """The variables that the spec declares; None where nobody said: for templates, which may use no others."""

    as_root: bool = field(default_factory=lambda: os.geteuid() == 0)
    """Whether the service was started as root, whoever it is by now."""

    mends: bool = True
    """Whether what exists may be changed; a check changes nothing."""

    user_known: bool = True
    """Whether it is settled who `user` is: until then nothing is run or read for the service that root alone may."""

    def within(self, seconds: float) -> Context:
        return replace(self, timeout=seconds)

    def path(self, path: str) -> str:
        """A path of the spec: relative ones are from the working directory."""
        return os.path.normpath(os.path.join(self.cwd, path))
