"""What a start tells while it runs. The log, the report, the state file and the exit code are folds over these."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

LEVELS = ("debug", "info", "warning", "error")

STARTED = "started"
"""The start began: service, environment, role, pid."""
PHASE = "phase"
"""A phase began: name."""
BEGUN = "begun"
"""Something is done about an item from now on: item, doing (a word), how many seconds it had of its deadline, deadline."""
IMPORTING = "importing"
"""The importing process is at another item, or at none: item, deadline."""
WAITING = "waiting"
"""An attempt failed and another follows: item, attempt, reason, summary."""
FALLBACK = "fallback"
"""An action was applied: item, action, result."""
ITEM = "item"
"""An item came to its state: status, summary, reason, hint, code, attempts, start_ms, duration_ms."""
IMPORTED = "imported"
"""A module was imported: module, total_ms."""
OUTPUT = "output"
"""A line that a step printed: item, stream."""
NOTE = "note"
"""Something worth knowing that is no item's state: code, hint."""
SERVICE = "service"
"""The service's state changed: status, reason."""
FEATURE = "feature"
"""A feature went off or came back: item, feature, on, and how many seconds it was off."""
FINISHED = "finished"
"""The start came to its end or its verdict: exit_code."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened. `at` is milliseconds since the start."""

    name: str
    at: float
    level: str = "info"
    item: str = ""
    message: str = ""
    data: dict[str, Any] = field(default_factory=dict)

    def record(self) -> dict[str, Any]:
        """A JSON log line: `time`, `level`, `event`, `item`, `message` and the event's own fields."""
        now = time.time()
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now * 1000) % 1000:03d}Z"
        own = {key: value for key, value in self.data.items() if value not in ("", None)}
        return {
            "time": stamp,
            "level": self.level,
            "event": self.name,
            "item": self.item,
            "message": self.message,
            **own,
        }


class Secrets:
    """Replaces the values of secrets in whatever leaves the engine."""

    SHORTEST = 4
    """A shorter value would mask half of the language; the contract's `min_length` is the cure."""

    def __init__(self) -> None:
        self._values: list[str] = []

    def add(self, values: Iterable[str]) -> None:
        """Remembers secrets, and the form in which a URL or a representation would show them."""
        found = set(self._values)
        for value in values:
            found |= {each for each in _spellings(value) if len(each) >= self.SHORTEST}
        self._values = sorted(found, key=len, reverse=True)

    @property
    def values(self) -> list[str]:
        """Every spelling, the longest first: for what leaves another process."""
        return list(self._values)

    def masked(self, text: str) -> str:
        for value in self._values:
            if value in text:
                text = text.replace(value, "***")
        return text

    def clean(self, value: Any) -> Any:
        """The same value with every text in it masked."""
        if isinstance(value, str):
            return self.masked(value)
        if isinstance(value, dict):
            return {key: self.clean(each) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return [self.clean(each) for each in value]
        return value


def _spellings(value: str) -> set[str]:
    """How a text may show up: as it is, in a URL, as the password that a URL holds."""
    from urllib.parse import quote, unquote, urlsplit

    parts = {value, value.strip()}
    if "://" in value:
        try:
            parts.add(urlsplit(value).password or "")
        except ValueError:
            parts.add("")  # no URL after all
    return {
        spelt
        for part in parts
        for spelt in (part, unquote(part), quote(unquote(part), safe=""), quote(part, safe=""))
    }


class Stream:
    """Where events go: to every listener, masked, in the order they happened."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.began = clock()
        """The clock at the start. One who goes on with an earlier start sets it back."""
        self.secrets = Secrets()
        self.listeners: list[Callable[[Event], None]] = []

    def now(self) -> float:
        """Milliseconds since the start."""
        return (self._clock() - self.began) * 1000

    def begun(
        self, item: str, doing: str, deadline: float | None, message: str = "", *, spent: float = 0.0
    ) -> None:
        """`doing` is a word for people: waiting, running, mending."""
        self.emit(BEGUN, message, level="debug", item=item, doing=doing, deadline=deadline, spent=spent)

    def emit(self, name: str, message: str = "", *, level: str = "info", item: str = "", **data: Any) -> None:
        event = Event(name, self.now(), level, item, message, data)
        event = replace(event, message=self.secrets.masked(message), data=self.secrets.clean(data))
        for listener in self.listeners:
            listener(event)
