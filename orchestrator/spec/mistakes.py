"""What decoding raises: one problem, or all that were found in a value, each with its place in it.

The kinds and their context are pydantic's, so that whoever knows one knows the other; `errors` puts them into words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    Line = dict[str, Any]
    """`type`, `loc` (the way to the value), `input`, `ctx` (what the type needs to be told), `msg`."""


class ValidationError(ValueError):
    """The mistakes in a value, in the order in which they were found."""

    def __init__(self, lines: Iterable[Line]) -> None:
        super().__init__()
        self._lines = list(lines)

    def errors(self, *way: int | str) -> list[Line]:
        """A line for each mistake; `way` leads from the whole to this value."""
        return [{**each, "loc": (*way, *each["loc"])} for each in self._lines] if way else self._lines

    def __str__(self) -> str:
        return "\n".join(
            f"{'.'.join(map(str, line['loc']))}: {line['msg']}".removeprefix(": ") for line in self._lines
        )


class Problem(ValidationError):
    """A mistake that has a diagnostic code of its own (`type`), found where it is raised."""

    def __init__(
        self, code: str, message: str, hint: str = "", key: str | int = "", rivals: Iterable[str] = ()
    ) -> None:
        self.type = code
        self.context = {"message": message, "hint": hint, "key": key, "rivals": tuple(rivals)}
        super().__init__([line(code, None, message, **self.context)])


def line(kind: str, value: Any, msg: str, **ctx: Any) -> Line:
    """One mistake."""
    return {"type": kind, "loc": (), "input": value, "ctx": ctx, "msg": msg}
