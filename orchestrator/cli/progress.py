"""Events to what a start waits for now, and that to lines of a terminal's width. Pure: who draws them is `live`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from orchestrator.cli import cells
from orchestrator.diagnostics.printable import printable, printable_lines
from orchestrator.diagnostics.terminal import paint

if TYPE_CHECKING:
    from orchestrator.engine import events

MOST = 8
"""Lines; what is more is counted in the last of them."""
SOON = 0.2
"""Seconds after which an item is worth a line: most are settled before anybody could read it."""
SERVER = 2.0
"""The same for the server, which writes to the terminal itself, and most at its start."""
OTHERS = ("importing", "starting")
"""While the app may write to the terminal itself; these many lines more are then left free for what it says at once."""
FREE = 2
DOING_WIDTH, ITEM_WIDTH = 9, 28
NARROW = 40
"""Columns below which the id and the time are all there is room for."""


@dataclass(slots=True)
class Open:
    """An item that is not settled: what is done about it, and how it went so far. Times are seconds of the start."""

    item: str
    doing: str
    since: float
    seen: float
    deadline: float | None = None
    attempts: int = 0
    reason: str = ""
    kept: bool = False
    """Whether it has failed and is tried again and again, while something else is served: then all that time counts."""

    def shown(self, now: float) -> bool:
        return now - self.seen >= (SERVER if self.doing == "starting" else SOON)

    def story(self, now: float) -> str:
        """How long, of how much, how often, and why not yet."""
        spent = spoken(max(now - self.since, 0.0))
        limit = f" of {spoken(self.deadline)}" if self.deadline else ""
        often = f", {self.attempts} attempts" if self.attempts > 1 else ""
        return f"{spent}{limit}{often}" + (f": {self.reason}" if self.reason else "")


def spoken(seconds: float) -> str:
    """For people who look at it while it runs: 1.2 s, 12 s, 2 min 5 s."""
    if seconds < 10 and seconds != int(seconds):
        return f"{int(seconds * 10) / 10:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 2:
        return f"{int(seconds)} s"
    return f"{minutes} min {rest} s" if rest else f"{minutes} min"


class Progress:
    """Listens to events and knows at any time what is being waited for."""

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
    def nothing(self) -> bool:
        """Whether nothing is waited for."""
        return not self._open and self._importing is None

    def shown(self, now: float) -> list[Open]:
        """What has been open for a moment, in the order in which it began."""
        more = [self._importing] if self._importing is not None else []
        return [each for each in (*self._open.values(), *more) if each.shown(now)]


def _follow(made: Open, known: Open) -> None:
    """What is known of an item stays true while something else is done about it."""
    made.seen = known.seen
    if known.doing == "waiting":
        made.attempts, made.reason = known.attempts, known.reason
        made.kept = known.kept or (made.doing == "waiting" and made.deadline is None)
    if made.kept:
        made.since, made.deadline = known.seen, None


def _first_line(text: str) -> str:
    return printable_lines(text)[0]


# To lines


class Look(NamedTuple):
    """What the terminal can show."""

    color: bool
    encoding: str

    def legible(self, text: str) -> str:
        """What cannot be written is escaped before it is measured."""
        return text.encode(self.encoding, "backslashreplace").decode(self.encoding)

    def cut(self, text: str, room: int) -> str:
        mark = "…" if self.legible("…") == "…" else "..."
        return cells.cut(self.legible(printable(text)), room, mark)


def lines(found: list[Open], now: float, columns: int, rows: int, look: Look) -> list[str]:
    """A line for each, none wider than the terminal, and not more of them than rows."""
    free = [""] * FREE if rows > MOST and any(each.doing in OTHERS for each in found) else []
    most = min(MOST, rows)
    if not found or most < 1:
        return []
    kept = found if len(found) <= most else found[: most - 1]
    made = [_line(each, now, columns, look) for each in kept]
    if len(kept) < len(found):
        indent = "" if columns < NARROW else "  "
        made.append(look.cut(f"{indent}and {len(found) - len(kept)} more", columns))
    return free + made


def _line(one: Open, now: float, columns: int, look: Look) -> str:
    if columns < NARROW:
        return look.cut(f"{one.item} {one.story(now)}", columns)
    doing = one.doing.ljust(DOING_WIDTH)
    item = one.item.ljust(ITEM_WIDTH) if columns > 2 * ITEM_WIDTH + DOING_WIDTH else one.item
    rest = look.cut(f" {item} {one.story(now)}", columns - len(doing) - 2)
    return f"  {paint(look.color, 'quiet', doing)}{rest}"
