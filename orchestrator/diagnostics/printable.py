"""Text from elsewhere made safe to show, and how much room it takes on a terminal."""

from __future__ import annotations


def printable(text: str) -> str:
    r"""The text in one line, with control, direction and other invisible characters as `\x1b`, `\u202e`."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else escaped(character) for character in text)


def printable_lines(text: str) -> list[str]:
    """The text's own lines, each made safe to show."""
    return [printable(line) for line in text.replace("\r\n", "\n").split("\n")]


def escaped(character: str) -> str:
    # `repr` has the shortest escape of whatever it considers unprintable.
    return repr(character)[1:-1]


def cells(text: str) -> int:
    """How many columns of a terminal the text takes: wide characters take two, combining marks none."""
    return len(text) if text.isascii() else sum(map(_cells, text))


def _cells(character: str) -> int:
    import unicodedata

    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def cut(text: str, room: int, mark: str = "…") -> str:
    """The text, or as much of it as fits into `room` columns with the mark after it."""
    if cells(text) <= room:
        return text
    left = room - cells(mark)
    if left < 0:
        return ""
    for index, character in enumerate(text):
        left -= _cells(character)
        if left < 0:
            return text[:index] + mark
    return text
