"""What the contracts of variables say of one another, and of themselves, that cannot be meant. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestrator.core.suggest import Lookup, closest
from orchestrator.spec.model import Model
from orchestrator.spec.values import find_contract

if TYPE_CHECKING:
    from orchestrator.diagnostics import Findings
    from orchestrator.spec.locations import Locations
    from orchestrator.spec.spec import Spec

_OTHERS = ("conflicts", "requires")
"""The fields that name other variables."""


def check(spec: Spec, places: Locations, findings: Findings) -> None:
    near, slips = Lookup(spec.variables, closest), Lookup(spec.variables)
    for name, contract in spec.variables.items():
        _renamed(name, contract, spec, near, places, findings)
        _removed(name, contract, places, findings)
        _of_others(name, contract, spec, slips, places, findings)
        _choices(name, contract, places, findings)


def _renamed(
    name: str, contract: Any, spec: Spec, near: Lookup, places: Locations, findings: Findings
) -> None:
    new = contract.renamed_to
    if new is None:
        return
    path = ("variables", name, "renamed_to")
    circle = _circle(name, spec)
    if circle:
        if name != next(each for each in spec.variables if each in circle):
            return  # said at the first of them
        places.add(findings, "ORC124", f"`{name}` is renamed to itself" if new == name else f"`{name}` is renamed in a circle",
                   path, item=f"variable:{name}", hint="name the variable that holds the value now")  # fmt: skip
    elif find_contract(spec.variables, new) is None:
        meant = near(new)
        hint = f"declare it as well: its contract judges the value that `{name}` still brings"
        hint = f"did you mean `{meant}`?" if meant and meant != name else hint
        places.add(findings, "ORC214", f"nothing declares the variable `{new}`", path, item=f"variable:{name}", hint=hint)  # fmt: skip
    elif contract.default is not None:
        places.add(findings, "ORC125", "`default` has no effect: a variable that was renamed gets none", ("variables", name, "default"),
                   key=True, item=f"variable:{name}", hint=f"write it in the contract of `{new}`")  # fmt: skip


def _circle(name: str, spec: Spec) -> list[str]:
    """The variables that are renamed to one another, from this one to itself; empty where there is an end."""
    trail: list[str] = []
    at: str | None = name
    while at is not None and at not in trail:
        trail.append(at)
        at = getattr(spec.variables.get(at), "renamed_to", None)
    return trail if at == name else []


def _removed(name: str, contract: Any, places: Locations, findings: Findings) -> None:
    if contract.removed and contract.default is not None:
        places.add(findings, "ORC124", "a variable that was removed has no default", ("variables", name, "default"), key=True,
                   item=f"variable:{name}", hint="take the default out: to set it is an error")  # fmt: skip


def _of_others(
    name: str, contract: Any, spec: Spec, slips: Lookup, places: Locations, findings: Findings
) -> None:
    for field in _OTHERS:
        for at, other in enumerate(getattr(contract, field, None) or ()):
            path = ("variables", name, field, at)
            if other == name:
                places.add(findings, "ORC124", f"`{name}` names itself under `{field}`", path, item=f"variable:{name}", hint="name another variable, or take it out")  # fmt: skip
            elif field == "conflicts" and other in (contract.requires or ()):
                places.add(findings, "ORC124", f"`{name}` requires `{other}` and excludes it", path, item=f"variable:{name}", hint="keep one of the two")  # fmt: skip
            elif find_contract(spec.variables, other) is None and (meant := slips(other)):
                places.add(findings, "ORC214", f"nothing declares the variable `{other}`", path, item=f"variable:{name}", hint=f"did you mean `{meant}`?")  # fmt: skip


def _choices(name: str, contract: Any, places: Locations, findings: Findings) -> None:
    """Defaults after an unconditional one are unreachable."""
    choices = contract.default if isinstance(contract.default, tuple) else ()
    for at, each in enumerate(choices[:-1]):
        if isinstance(each, Model) and getattr(each, "when", None) is None:
            places.add(findings, "ORC125", "this value has no effect: the one before it has no `when`, and is always taken",
                       ("variables", name, "default", at + 1), item=f"variable:{name}", hint="give the one before it a `when`, or put it last")  # fmt: skip
            return
