"""Whether output may be coloured, and how wide it is: by the given stream and environment."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TextIO

_STYLES = {
    "error": "1;31",
    "warning": "1;33",
    "note": "1;36",
    "place": "1",
    "gutter": "34",
    "hint": "32",
    "quiet": "2",
}


def color(choice: str, stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether to colour, for a `choice` of `auto`, `always` or `never`."""
    if choice != "auto":
        return choice == "always"
    if environ.get("NO_COLOR") or environ.get("TERM") == "dumb":
        return False
    return stream.isatty()


def width(stream: TextIO, environ: Mapping[str, str]) -> int:
    """The columns of the output: `COLUMNS`, else the terminal's; 0 where there is no terminal."""
    columns = environ.get("COLUMNS", "")
    if columns.isascii() and columns.isdigit() and int(columns):
        return int(columns)
    if not stream.isatty():
        return 0
    try:
        return os.get_terminal_size(stream.fileno()).columns
    except OSError:  # io.UnsupportedOperation is one, too
        return 0


def paint(on: bool, style: str, text: str) -> str:
    """The text in a style, or as it is where colours are off."""
    return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if on else text


def tolerate(stream: TextIO) -> None:
    """Makes a stream escape what its encoding cannot represent, instead of failing."""
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")
