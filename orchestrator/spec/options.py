"""The options a server really has, from the signature of the one that is installed.

uvicorn's signature is read from its source: importing the server would cost more than all other checks together.
"""

from __future__ import annotations

import ast
import os
import re
from functools import cache
from typing import Any

from orchestrator.spec.kinds import SERVERS

UNKNOWN_DEFAULT: Any = object()
"""A default that is no plain value: it tells nothing about the type."""


@cache
def options(server: str) -> dict[str, Any] | None:
    """The options by name with their defaults; None where they cannot be told here."""
    if server not in SERVERS.built_in:
        return None
    found = _from_source(server)
    return found if found is not None else _from_module(server)


def owned(server: str) -> dict[str, str]:
    """Options that the launch decides, and what to write instead."""
    from importlib import import_module

    return dict(getattr(import_module(f"{SERVERS.package}.{server}"), "OWNED", {}))


def _from_module(server: str) -> dict[str, Any] | None:
    from importlib import import_module

    try:
        return dict(import_module(f"{SERVERS.package}.{server}").options())
    except ImportError:
        return None


def _from_source(server: str) -> dict[str, Any] | None:
    """The keyword parameters of `uvicorn.Config`, without importing it."""
    if server != "uvicorn":
        return None
    from importlib.util import find_spec

    package = find_spec("uvicorn")
    if package is None or not package.submodule_search_locations:
        return None
    try:
        with open(
            os.path.join(package.submodule_search_locations[0], "config.py"), encoding="utf-8"
        ) as stream:
            text = stream.read()
    except OSError:
        return None
    found = re.search(
        r"\n(    def __init__\(\n        self,.*?\n    \).*?:\n)",
        text[text.find("\nclass Config") :],
        re.DOTALL,
    )
    return _parameters(found.group(1)) if found else None


def _parameters(signature: str) -> dict[str, Any] | None:
    import textwrap

    try:
        function = ast.parse(textwrap.dedent(signature) + "    pass\n").body[0]
    except SyntaxError:
        return None
    assert isinstance(function, ast.FunctionDef)
    names = [each.arg for each in function.args.args]
    defaults = [*[None] * (len(names) - len(function.args.defaults)), *function.args.defaults]
    pairs = dict(zip(names, defaults, strict=True)) | dict(
        zip((each.arg for each in function.args.kwonlyargs), function.args.kw_defaults, strict=True)
    )
    return {name: _literal(default) for name, default in pairs.items() if name != "self"}


def _literal(node: ast.expr | None) -> Any:
    return node.value if isinstance(node, ast.Constant) else UNKNOWN_DEFAULT


def read(value: Any, default: object) -> Any:
    """A variable's text as the type of an option: booleans have the usual words of variables."""
    if isinstance(default, bool) and isinstance(value, str | int):
        from orchestrator.core.conditions import truth

        meant = truth(str(value))
        return value if meant is None else meant
    if isinstance(default, int | float) and isinstance(value, str):
        from orchestrator.document.scalars import resolve

        number, trap = resolve(value)
        return number if trap is None and isinstance(number, int | float) else value
    return str(value) if isinstance(default, str) and isinstance(value, int | float) else value


def fits(value: object, default: object) -> str:
    """What is expected, in words, when a value is not of the default's type; empty when it is, or nothing is known."""
    if isinstance(default, bool):
        return "" if isinstance(value, bool) else "true or false"
    if isinstance(default, int):
        return "" if isinstance(value, int | float) and not isinstance(value, bool) else "a number"
    if isinstance(default, float):
        return "" if isinstance(value, int | float) and not isinstance(value, bool) else "a number"
    if isinstance(default, str):
        return "" if isinstance(value, str) else "a text"
    return ""
