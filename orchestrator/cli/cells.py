"""How many cells of a terminal a text takes, and what of it fits; knows nothing of what the text says."""

from __future__ import annotations

WIDE = ("W", "F")
ZERO = ("Mn", "Me")


def width(text: str) -> int:
    return len(text) if text.isascii() else sum(_of(each) for each in text)


def _of(character: str) -> int:
    import unicodedata

    if unicodedata.category(character) in ZERO:
        return 0
    return 2 if unicodedata.east_asian_width(character) in WIDE else 1


def cut(text: str, room: int, mark: str = "…") -> str:
    """The text, or as much of it as fits with a mark behind it. Half a wide character is none."""
    if width(text) <= room:
        return text
    left = room - width(mark)
    if left < 0:
        return ""
    for index, each in enumerate(text):
        left -= _of(each)
        if left < 0:
            return text[:index] + mark
    return text
