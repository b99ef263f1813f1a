"""`launch.options`: each must be one that the installed server has, and of its type."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.spec.templated import known

if TYPE_CHECKING:
    from orchestrator.diagnostics import Findings
    from orchestrator.document.node import Node
    from orchestrator.spec.locations import Locations
    from orchestrator.spec.spec import Spec


def check(spec: Spec, places: Locations, findings: Findings) -> None:
    launch = spec.launch
    if launch is None or not isinstance(launch.options, dict) or not launch.options or launch.app is None:
        return
    from orchestrator.spec import options

    there = options.options(launch.server)
    if there is None:
        places.add(findings, "ORC121", f"the options are not checked: {launch.server} is not installed here",
                   ("launch", "options"), key=True, item="launch",
                   hint="run `orchestrator validate` inside the built image for a full check")  # fmt: skip
        return
    mine = options.owned(launch.server)
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
    from orchestrator.spec import options

    there = options.options(launch.server) or {}
    read = {name: options.read(named[name], there[name]) for name in late if name in there}
    spec = spec.model_copy(update={"launch": launch.model_copy(update={"options": {**named, **read}})})
    for name in read:
        _option(spec, name, there[name], places, findings)
    return spec


def _option(spec: Spec, name: str, default: object, places: Locations, findings: Findings) -> None:
    from orchestrator.spec import options

    value = spec.launch.options[name]
    node = places.node(("launch", "options", name))
    if "${" in str(node.value):
        value = options.read(value, default)
    if not known(value) or "${" in str(value) or not (expected := options.fits(value, default)):
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
