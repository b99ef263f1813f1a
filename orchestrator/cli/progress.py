"""What a start is waiting for, from its events, as lines of a terminal's width. Pure; `live` draws them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from orchestrator.diagnostics.printable import cut, printable, printable_lines
from orchestrator.diagnostics.terminal import paint

if TYPE_CHECKING:
    from orchestrator.engine import events

MOST = 8
"""Lines; the last one counts the rest."""
SOON = 0.2
"""Seconds until an item gets a line: most are settled before anybody could read it."""
SERVER = 2.0
"""The same for the server, which writes to the terminal itself while it starts."""
APP_WRITES = ("importing", "starting")
"""While the app may write to the terminal itself; `FREE` more lines are then left for it."""
FREE = 2
DOING_WIDTH, ITEM_WIDTH = 9, 28
NARROW = 40
"""Columns below which only the id and the time are shown."""


@dataclass(slots=True)
class Open:
    """An item that is not settled: what is being done and how it went so far. Times are seconds of the start."""

    item: str
    doing: str
    since: float
    seen: float
    deadline: float | None = None
    attempts: int = 0
    reason: str = ""
    kept: bool = False
    """Whether it has failed and is retried while something else is served: then all that time counts."""

    def shown(self, now: float) -> bool:
        return now - self.seen >= (SERVER if self.doing == "starting" else SOON)

    def story(self, now: float) -> str:
        """Time spent, deadline, attempts and the last reason: `12 s of 60 s, 9 attempts: refused`."""
        spent = spoken(max(now - self.since, 0.0))
        limit = f" of {spoken(self.deadline)}" if self.deadline else ""
        often = f", {self.attempts} attempts" if self.attempts > 1 else ""
        return f"{spent}{limit}{often}" + (f": {self.reason}" if self.reason else "")


def spoken(seconds: float) -> str:
    """A duration for people: 1.2 s, 12 s, 2 min 5 s."""
    if seconds < 10 and seconds != int(seconds):
        return f"{int(seconds * 10) / 10:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 2:
        return f"{int(seconds)} s"
    return f"{minutes} min {rest} s" if rest else f"{minutes} min"


class Progress:
    """Listens to events and knows what is being waited for."""

    def __init__(self) -> None:
        self._open: dict[str, Open] = {}
        self._importing: Open | None = None

    def __call__(self, event: events.Event) -> None:
        handler = getattr(self, f"_on_{event.name}", None)
        if handler is not None:
            handler(event)

    def _on_begun(self, event: events.Event) -> None:
        data, at = event.data, event.at / 1000
        made = Open(event.item, data["doing"], at - data["spent"], at, data["deadline"])
        known = self._open.get(event.item)
        if known is not None:
            _follow(made, known)
        made.reason = _first_line(event.message) or made.reason
        self._open[event.item] = made

    def _on_importing(self, event: events.Event) -> None:
        at = event.at / 1000
        self._importing = (
            Open(event.item, "importing", at, at, event.data["deadline"]) if event.item else None
        )

    def _on_waiting(self, event: events.Event) -> None:
        known = self._open.get(event.item)
        if known is not None:
            known.attempts, known.reason = event.data["attempt"], _first_line(event.message)
            known.doing = "waiting" if known.doing in ("running", "asking") else known.doing

    def _on_item(self, event: events.Event) -> None:
        self._open.pop(event.item, None)

    def _on_finished(self, _event: events.Event) -> None:
        self._open.clear()
        self._importing = None

    @property
    def idle(self) -> bool:
        """Whether nothing is being waited for."""
        return not self._open and self._importing is None

    def shown(self, now: float) -> list[Open]:
        """What is worth a line, in the order in which it began."""
        importing = [self._importing] if self._importing is not None else []
        return [item for item in (*self._open.values(), *importing) if item.shown(now)]


def _follow(made: Open, known: Open) -> None:
    """Carries over what is known about an item when something else is done about it."""
    made.seen = known.seen
    if known.doing == "waiting":
        made.attempts, made.reason = known.attempts, known.reason
        made.kept = known.kept or (made.doing == "waiting" and made.deadline is None)
    if made.kept:
        made.since, made.deadline = known.seen, None


def _first_line(text: str) -> str:
    return printable_lines(text)[0]


# The lines


class Look(NamedTuple):
    """What the terminal can show."""

    color: bool
    encoding: str

    def escaped(self, text: str) -> str:
        """What the terminal cannot encode is escaped before it is measured."""
        return text.encode(self.encoding, "backslashreplace").decode(self.encoding)

    def cut(self, text: str, room: int) -> str:
        mark = "…" if self.escaped("…") == "…" else "..."
        return cut(self.escaped(printable(text)), room, mark)


def lines(found: list[Open], now: float, columns: int, rows: int, look: Look) -> list[str]:
    """A line for each item, none wider than the terminal, not more than `rows`."""
    free = [""] * FREE if rows > MOST and any(item.doing in APP_WRITES for item in found) else []
    most = min(MOST, rows)
    if not found or most < 1:
        return []
    kept = found if len(found) <= most else found[: most - 1]
    made = [_line(item, now, columns, look) for item in kept]
    if len(kept) < len(found):
        indent = "" if columns < NARROW else "  "
        made.append(look.cut(f"{indent}and {len(found) - len(kept)} more", columns))
    return free + made


def _line(item: Open, now: float, columns: int, look: Look) -> str:
    if columns < NARROW:
        return look.cut(f"{item.item} {item.story(now)}", columns)
    doing = item.doing.ljust(DOING_WIDTH)
    name = item.item.ljust(ITEM_WIDTH) if columns > 2 * ITEM_WIDTH + DOING_WIDTH else item.item
    rest = look.cut(f" {name} {item.story(now)}", columns - len(doing) - 2)
    return f"  {paint(look.color, 'quiet', doing)}{rest}"
