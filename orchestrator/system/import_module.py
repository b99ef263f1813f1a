"""Imports a module and tells what is asked about it: in the process that will serve, or as a script in one of its own."""

from __future__ import annotations

import importlib
import os
import sys
from typing import TYPE_CHECKING, Any

if __name__ == "__main__":
    # Found without the installation, too; behind everything else, so that nothing of the user's is shadowed.
    sys.path.append(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_WARNINGS = 20


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


def main(token: str, module: str, attribute: str, asked: list[str]) -> None:
    """The script: prints one line of JSON behind the token, as the importing process would report it."""
    import json
    import time

    from orchestrator.launch.app_process import explained

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
