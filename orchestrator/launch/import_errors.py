"""What is wrong with an import: the reason, the developer's own file and line, a short traceback."""

from __future__ import annotations

import importlib
import os
import traceback
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import TracebackType

MOST_FRAMES = 12
MACHINERY = ("<frozen importlib", importlib.__file__, os.path.dirname(os.path.abspath(__file__)) + os.sep)
"""Frames that a developer has nothing to do with: those of the import system, and ours."""


def explained(error: BaseException, module: str, attribute: str) -> dict[str, Any]:
    """What is wrong with an import, in words and facts."""
    facts: dict[str, Any] = {"reason": "exception", "at": place(error.__traceback__), **described(error)}
    if isinstance(error, SystemExit):
        facts |= {"reason": "exit", "message": f"it called sys.exit({error.code!r})"}
    elif isinstance(error, ModuleNotFoundError):
        facts |= {
            "reason": "missing",
            "missing": error.name or "",
            "itself": _is_itself(error.name or "", module),
        }
    elif isinstance(error, SyntaxError) and error.filename and error.lineno:
        facts |= {"at": f"{error.filename}:{error.lineno}", "message": error.msg}
    elif isinstance(error, AttributeError) and attribute and not facts["at"]:
        facts |= {"reason": "attribute", "message": f"`{module}` has no `{attribute}`"}
    return facts


def _is_itself(missing: str, module: str) -> bool:
    """Whether the wanted module (or a package it is in) is missing, rather than something it imports."""
    return module == missing or module.startswith(missing + ".")


def described(error: BaseException) -> dict[str, Any]:
    return {"type": type(error).__name__, "message": str(error)[:2000], "traceback": short_traceback(error)}


def theirs(where: TracebackType | None) -> list[traceback.FrameSummary]:
    frames = traceback.extract_tb(where)
    return [frame for frame in frames if not frame.filename.startswith(MACHINERY)]


def place(where: TracebackType | None) -> str:
    """`file:line` of the last frame that is not the import machinery's."""
    frames = theirs(where)
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""


def short_traceback(error: BaseException) -> str:
    """The user's frames; those of installed packages only as far as the last, where it happened."""
    frames = theirs(error.__traceback__)
    own = [frame for frame in frames[:-1] if "site-packages" not in frame.filename] + frames[-1:]
    lines = traceback.format_list(own[-MOST_FRAMES:]) + traceback.format_exception_only(error)
    return "".join(lines)[:8000]
