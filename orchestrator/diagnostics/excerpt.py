"""The line that a finding is about, with carets under the place."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from orchestrator.diagnostics.patterns import pattern
from orchestrator.diagnostics.printable import cells, escaped

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from orchestrator.diagnostics import Diagnostic, Place

GUTTER = 8
"""Columns before the text of a line: the number in five, a bar, and the spaces around it."""
WIDEST = 160
"""The columns of an excerpt where the output has no known width."""
NARROWEST = 40
CONCEALED = frozenset({"ORC123"})
"""Codes whose place is a secret: nothing from there to the end of the line is shown."""
URL_PASSWORD = pattern(
    r"(?i)\b[a-z][a-z0-9+.-]*://[^\s/:@?#\[]*:(?P<password>[^\s/@]+|(?![0-9]{1,5}[/?#])[^\s@]+)@"
)
"""A password in a URL, also an unescaped one with a `/`; `http://host:80/@name` has none."""


class Excerpt(NamedTuple):
    """A line as shown, the columns before the carets, and the number of carets."""

    number: int
    text: str
    offset: int
    carets: int

    def lines(self) -> tuple[str, str]:
        """The two lines of the excerpt, with their gutter."""
        width = max(GUTTER - 3, len(str(self.number)))
        marked = " " * self.offset + "^" * self.carets
        return f"{self.number:>{width}} | {self.text}".rstrip(), f"{'':>{width}} | {marked}"


class Sources:
    """The lines of the files that findings are about, split once, with secrets concealed."""

    def __init__(self, texts: Mapping[str, str], diagnostics: Iterable[Diagnostic] = ()) -> None:
        self._texts = texts
        self._lines: dict[str, list[str]] = {}
        for diagnostic in diagnostics:
            if diagnostic.code in CONCEALED:
                _conceal(self.lines(diagnostic.place.file), diagnostic.place)

    def lines(self, file: str) -> list[str]:
        if file not in self._lines:
            lines = split(self._texts[file]) if file in self._texts else []
            self._lines[file] = list(map(_masked, lines))
        return self._lines[file]

    def line(self, place: Place) -> str:
        """The text of the place's line; empty where there is none."""
        lines = self.lines(place.file)
        return lines[place.line - 1] if 0 < place.line <= len(lines) else ""

    def excerpt(self, place: Place, width: int = 0) -> Excerpt | None:
        return excerpt(self.lines(place.file), place, width)


def split(text: str) -> list[str]:
    """The lines of a text as YAML counts them: fewer kinds of line end than `str.splitlines`."""
    for end in ("\r\n", "\r", "\x85", "\u2028", "\u2029"):
        if end in text:
            text = text.replace(end, "\n")
    return text.split("\n")


def excerpt(lines: Sequence[str], place: Place, width: int = 0) -> Excerpt | None:
    """The excerpt for a place, cut around its start where the line is longer than `width` allows.

    A place after the end is shown at the end; a whole file (line 0) has no excerpt.
    """
    if not lines or place.line < 1:
        return None
    number = min(place.line, len(lines))
    line = lines[number - 1]
    start = min(max(place.column, 1) - 1, len(line)) if number == place.line else len(line)
    end = _end(line, start, place) if number == place.line else start + 1
    room = max(width or WIDEST, NARROWEST) - GUTTER
    return Excerpt(number, *_cut(line, start, end, room))


def _end(line: str, start: int, place: Place) -> int:
    """The column after the last caret; a place of several lines is marked to the end of its first."""
    end = len(line.rstrip()) if place.end_line > place.line else place.end_column - 1
    return max(min(end, len(line)), start + 1)


def _cut(line: str, start: int, end: int, room: int) -> tuple[str, int, int]:
    first, before = _walk(line, start, room)
    marked = sum(map(columns, line[start : min(end, start + room)])) or 1
    last, text = _fill(line, first, room)
    offset = before + (first > 0)
    shown = ("…" if first else "") + text + ("…" if last < len(line) else "")
    return shown, offset, max(1, min(marked, room - offset))


def _walk(line: str, start: int, room: int) -> tuple[int, int]:
    """The first character shown, and the columns from there to the start of the carets."""
    if len(line) <= room and sum(map(columns, line)) <= room:
        return 0, sum(map(columns, line[:start]))
    head = sum(map(columns, line[: min(start, room)]))
    if start <= room and head <= room * 2 // 3:
        return 0, head
    first, taken = start, 0
    while first and taken + columns(line[first - 1]) <= room // 3:
        first -= 1
        taken += columns(line[first])
    return first, taken


def _fill(line: str, first: int, room: int) -> tuple[int, str]:
    """As much of the line as fits: the index it ends before, and the text as shown."""
    # One column is reserved for each ellipsis.
    left = room - (first > 0)
    shown: list[str] = []
    for index in range(first, len(line)):
        needed = columns(line[index])
        if needed + (index + 1 < len(line)) > left:
            return index, "".join(shown)
        left -= needed
        shown.append(display(line[index]))
    return len(line), "".join(shown)


def display(character: str) -> str:
    """The character as shown: a tab as four spaces, an invisible one as its escape."""
    if character == "\t":
        return "    "
    return character if character.isprintable() else escaped(character)


def columns(character: str) -> int:
    """How many columns of a terminal the character takes as shown."""
    if " " <= character <= "~":
        return 1
    if character == "\t":
        return 4
    if not character.isprintable():
        return len(escaped(character))
    return cells(character)


def _masked(line: str) -> str:
    """The line with asterisks for passwords in URLs; columns stay. `${…}` is no secret."""
    if "://" not in line:
        return line
    for found in URL_PASSWORD.finditer(line):
        start, end = found.span("password")
        if "${" not in found["password"]:
            line = line[:start] + "*" * (end - start) + line[end:]
    return line


def _conceal(lines: list[str], place: Place) -> None:
    """Masks the place, to the end of its last line; the columns before it stay."""
    for number in range(place.line, place.last_line + 1):
        if 0 < number <= len(lines):
            line = lines[number - 1]
            kept = max(place.column, 1) - 1 if number == place.line else 0
            lines[number - 1] = line[:kept] + "*" * min(8, len(line) - kept)
