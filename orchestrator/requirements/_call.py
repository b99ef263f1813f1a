"""Runs in a child: calls a check's function and prints its result as JSON.

Its arguments are a token, which marks the line for the engine, and `package.module:function`.
"""

from __future__ import annotations

import importlib
import inspect
import json
import os
import sys
import traceback
from typing import Any

_OWN = os.path.abspath(__file__)


def main(token: str, reference: str) -> None:
    sys.path.insert(0, os.getcwd())
    answer = _answer(reference)
    sys.stderr.flush()
    print(f"\n{token}{json.dumps(answer)}", flush=True)


def _answer(reference: str) -> dict[str, Any]:
    module, _, name = reference.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
        result = found()
        if inspect.isawaitable(result):
            result = _awaited(result)
    except Exception as error:  # whatever a check does is its answer
        return _raised(error)
    return _judged(result)


def _awaited(result: Any) -> Any:
    import asyncio

    async def wait() -> Any:
        return await result

    return asyncio.run(wait())


def _judged(result: Any) -> dict[str, Any]:
    if result is None or result is True:
        return {"ok": True}
    if isinstance(result, str):
        return {"ok": False, "message": result[:2000]}
    if result is False:
        return {"ok": False, "message": ""}
    return {"ok": False, "returned": type(result).__name__}


def _raised(error: Exception) -> dict[str, Any]:
    frames = [each for each in traceback.extract_tb(error.__traceback__) if _theirs(each.filename)]
    place = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    lines = traceback.format_list(frames[-12:]) + traceback.format_exception_only(error)
    return {
        "ok": False,
        "type": type(error).__name__,
        "message": str(error)[:2000],
        "missing": getattr(error, "name", "") if isinstance(error, ModuleNotFoundError) else "",
        "own": not frames,
        "at": place,
        "traceback": "".join(lines)[:8000],
    }


def _theirs(file: str) -> bool:
    return file != _OWN and "importlib" not in file


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
