"""Foreign text made safe to show: nothing in it can move a cursor, forge a line or hide."""

from __future__ import annotations


def printable(text: str) -> str:
    r"""The text in one line, with control, direction and other invisible characters as `\x1b`, `\u202e`."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else escaped(each) for each in text)


def printable_lines(text: str) -> list[str]:
    """The text's own lines, each one safe to show."""
    return [printable(line) for line in text.replace("\r\n", "\n").split("\n")]


def escaped(character: str) -> str:
    # `repr` knows the shortest escape of whatever it deems unprintable, and so do its readers.
    return repr(character)[1:-1]
