"""What kind of app was imported, for servers that ask to be told; knows nothing of the servers."""

from __future__ import annotations

import inspect
import sys
from typing import Any

FRAMEWORKS = ("starlette", "litestar", "quart")


def is_asgi(app: Any, *, factory: bool = False) -> bool | None:
    """Whether it is called as ASGI has it (scope, receive, send) or as WSGI; None where it cannot be told.

    A factory is not called for this: it may connect. What it was imported with tells.
    """
    if factory:
        return True if any(name in sys.modules for name in FRAMEWORKS) else None
    try:
        parameters = inspect.signature(app).parameters.values()
    except (TypeError, ValueError):
        return None
    positional = [
        each for each in parameters if each.kind in {each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD}
    ]
    return {3: True, 2: False}.get(len(positional))
