"""`launch.options`: each must be one that the installed server has, by its signature, and of its type.

uvicorn's signature is read from its source: importing the server would cost more than all other checks together.
"""

from __future__ import annotations

import os
import re
from functools import cache
from typing import TYPE_CHECKING, Any

from orchestrator.spec.kinds import SERVERS
from orchestrator.spec.templated import known

if TYPE_CHECKING:
    import ast

    from orchestrator.diagnostics import Findings
    from orchestrator.document.node import Node
    from orchestrator.spec.locations import Locations
    from orchestrator.spec.spec import Spec

UNKNOWN_DEFAULT: Any = object()
"""A default that is no plain value: it tells nothing about the type."""


@cache
def options(server: str) -> dict[str, Any] | None:
    """The options by name with their defaults; None where they are not known."""
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
    import ast
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
    import ast

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


def check(spec: Spec, places: Locations, findings: Findings) -> None:
    launch = spec.launch
    if launch is None or not isinstance(launch.options, dict) or not launch.options or launch.app is None:
        return
    there = options(launch.server)
    if there is None:
        places.add(findings, "ORC121", f"the options are not checked: {launch.server} is not installed here",
                   ("launch", "options"), key=True, item="launch",
                   hint="run `orchestrator validate` inside the built image for a full check")  # fmt: skip
        return
    mine = owned(launch.server)
    for name in launch.options:
        path = ("launch", "options", name)
        if name in mine:
            message = f"the option `{name}` is decided by the launch"
            places.add(findings, "ORC120", message, path, key=True, item="launch", hint=mine[name])
        elif name not in there:
            places.add(findings, "ORC120", f"{launch.server} has no option `{name}`", path, key=True, item="launch",
                       hint=_near(name, sorted(set(there) - set(mine)), launch.server))  # fmt: skip
        else:
            _option(spec, name, there[name], places, findings)


def with_options(spec: Spec, places: Locations, findings: Findings) -> Spec:
    """At a start: the spec with the options whose values come from variables as the server takes them."""
    launch = spec.launch
    named = launch.options if launch is not None and isinstance(launch.options, dict) else {}
    late = [name for name in named if "${" in str(places.node(("launch", "options", name)).value)]
    if not late or launch is None or launch.app is None:
        return spec
    there = options(launch.server) or {}
    values = {name: read(named[name], there[name]) for name in late if name in there}
    spec = spec.model_copy(update={"launch": launch.model_copy(update={"options": {**named, **values}})})
    for name in values:
        _option(spec, name, there[name], places, findings)
    return spec


def _option(spec: Spec, name: str, default: object, places: Locations, findings: Findings) -> None:
    value = spec.launch.options[name]
    node = places.node(("launch", "options", name))
    if "${" in str(node.value):
        value = read(value, default)
    if not known(value) or "${" in str(value) or not (expected := fits(value, default)):
        return
    code, message, hint = _wrong_option(spec, name, node, expected)
    places.add(findings, code, message, ("launch", "options", name), item="launch",
               hint=hint or f"{spec.launch.server}'s default is {_default(default)}")  # fmt: skip


def _wrong_option(spec: Spec, name: str, node: Node, expected: str) -> tuple[str, str, str]:
    """The code, the message and the hint for an option of the wrong type."""
    from orchestrator.document.scalars import explain_trap, resolve

    value, written = spec.launch.options[name], str(node.value)
    if "${" in written:
        if _holds_a_secret(spec, written):
            return "ORC218", f"the value of `{written}` does not fit the option `{name}`; it is secret and not shown", f"it must be {expected}"  # fmt: skip
        return "ORC218", f"the option `{name}` expects {expected}, got {_told(value)} (from `{written}`)", ""
    made, hint = explain_trap(node.trap, str(node.raw), node.value) if node.trap else ("", "")
    if expected == "a text" and not hint:
        hint = f'write it in quotes: "{node.raw}"' if node.raw else ""
    elif isinstance(value, str) and not isinstance(resolve(value)[0], str):
        hint = f"write it without quotes: {value}"
    return "ORC102", f"the option `{name}` expects {expected}, got {_told(value)}" + (f": {made}" if made else ""), hint  # fmt: skip


def _told(value: object) -> str:
    from orchestrator.document.node import words_for

    return f'the text "{value}"' if isinstance(value, str) and len(value) <= 60 else words_for(value)


def _holds_a_secret(spec: Spec, written: str) -> bool:
    from orchestrator.document import interpolate
    from orchestrator.spec.values import StaticValues

    secret = StaticValues(spec.variables).secret
    return any(secret(each.name) for each in interpolate.references(interpolate.parse(written)))


def _near(name: str, there: list[str], server: str) -> str:
    from orchestrator.core.suggest import closest

    near = closest(name, there)
    return f"did you mean `{near}`?" if near else f"`{server} --help` lists them; here with `_` for `-`"


def _default(value: object) -> str:
    return f"`{str(value).lower() if isinstance(value, bool) else value}`" if value != "" else "an empty text"
