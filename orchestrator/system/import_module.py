"""Imports a module and tells what is asked about it: in the process that will serve, or as a script in one of its own."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from typing import TYPE_CHECKING, Any

if __name__ == "__main__":
    # Found without the installation, too; behind everything else, so that nothing of the user's is shadowed.
    sys.path.append(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

MOST_WARNINGS = 20
MOST_FRAMES = 12
_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MACHINERY = ("<frozen importlib", importlib.__file__, f"{_OURS}/launch/", f"{_OURS}/system/")
"""Frames that a developer has nothing to do with: those of the import system, and ours."""


def imported(module: str, attribute: str, asked: Sequence[str] = ()) -> tuple[Any, dict[str, Any]]:
    """The module, or its attribute, and the facts that are asked for: `callable`, `version`, `warnings`."""
    facts: dict[str, Any] = {}
    if "warnings" in asked:
        facts["warnings"] = _listened(module)
    whole = found = importlib.import_module(module)
    for name in attribute.split(".") if attribute else ():
        found = getattr(found, name)
    if "callable" in asked:
        facts |= {"callable": callable(found), "found": type(found).__name__}
    if "version" in asked:
        facts["version"] = str(getattr(whole, "__version__", ""))
    return found, facts


def _listened(module: str) -> list[str]:
    """What the import warns of, each with its place. The filters that the module sets itself stay."""
    import warnings

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        ours = warnings.filters[0]
        try:
            importlib.import_module(module)
        finally:
            kept = [each for each in warnings.filters if each is not ours]
    warnings.filters[:] = kept  # type: ignore[index]
    return [
        f"{each.filename}:{each.lineno}: {each.category.__name__}: {str(each.message)[:200]}"
        for each in caught[:MOST_WARNINGS]
    ]


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


def main(token: str, module: str, attribute: str, asked: list[str]) -> None:
    """The script: prints one line of JSON behind the token, as the importing process would report it."""
    import json
    import time

    sys.path.insert(0, os.getcwd())
    started = time.perf_counter()
    try:
        _, facts = imported(module, attribute, asked)
        event = {"event": "imported", "module": module, **facts}
    except BaseException as error:  # whatever the user's module does is a finding
        event = {"event": "failed", "module": module, **explained(error, module, attribute)}
    event["ms"] = round((time.perf_counter() - started) * 1000, 1)
    sys.stderr.flush()
    print(f"\n{token}{json.dumps(event)}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:])
