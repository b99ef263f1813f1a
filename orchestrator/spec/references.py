"""What refers to what: needs, locks, roles, the rehearsal's items, variables. Pure."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from orchestrator.core.suggest import closest, slip
from orchestrator.diagnostics import Related
from orchestrator.spec import fallback_checks, semantics
from orchestrator.spec.index import MANY, Index, cycles, near, resolve
from orchestrator.spec.values import BUILT_IN_VARIABLES, default_references, find_contract, run_time_names

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestrator.diagnostics import Findings
    from orchestrator.document.plain import Plain
    from orchestrator.spec.index import Known
    from orchestrator.spec.locations import Locations
    from orchestrator.spec.spec import Spec

    Path = tuple[str | int, ...]


WORDS_FOR_UNKNOWN_ROLES = ("stop", "exec")


def check(
    spec: Spec,
    places: Locations,
    plain: Plain,
    findings: Findings,
    known: Known,
    broken: frozenset[str] = frozenset(),
) -> None:
    """Adds a finding for everything that refers to nothing, to several things, or to itself.

    `broken` names the parts that could not be decoded and are not in the spec: nothing is said about them.
    """
    index = Index(spec, broken)
    _unique(spec, index, places, findings)
    needs = _needs(index, places, findings)
    _cycles(needs, places, findings)
    fallback_checks.check(spec, places, findings, known, broken)
    _locks(spec, index, places, findings)
    _roles(spec, places, findings, known, broken)
    _rehearsal(spec, index, places, findings, known)
    _names(spec, plain, findings, broken)
    _default_cycles(spec, places, findings)
    if (
        "orchestrator.spec.conditions" in sys.modules
    ):  # else no condition was decoded, and nothing depends on one
        from orchestrator.spec import reachable

        reachable.check(spec, index, needs, places, findings, known)
    semantics.check(spec, places, findings, broken)
    semantics.empty(spec, plain.empty, places, findings)
    if plain.respelled:
        from orchestrator.spec import spelling

        spelling.check(spec, plain.respelled, places, findings)


def _unique(spec: Spec, index: Index, places: Locations, findings: Findings) -> None:
    health = spec.health
    for name in ("live", "ready") if health is not None else ():
        if getattr(health, name) is not None and name in (health.endpoints or {}):
            first = places.place(("health", name))
            places.add(findings, "ORC203", f"the id `health:{name}` is used twice", ("health", "endpoints", name), key=True,
                       item=f"health:{name}", hint="give the endpoint another name", also=[Related("first used here", first)])  # fmt: skip
    for name, path in index.twice:
        first = places.place(index.items[name][0])
        places.add(findings, "ORC203", f"the id `{name}` is used twice", path, item=name,
                   hint="ids are unique: give one of them another name, or an `id` of its own",
                   also=[Related("first used here", first)])  # fmt: skip


def _needs(index: Index, places: Locations, findings: Findings) -> dict[str, list[tuple[str, Path]]]:
    """For each item the ids it needs, with the places of the references."""
    result: dict[str, list[tuple[str, Path]]] = {}
    for name, (path, item) in index.items.items():
        result[name] = []
        for at, reference in enumerate(item.needs):
            place: Path = (*path, "needs", at)
            found = resolve(reference, index, places, place, name, findings)
            if found is not None:
                result[name].append((found, place))
    return result


def _cycles(needs: Mapping[str, list[tuple[str, Path]]], places: Locations, findings: Findings) -> None:
    """Each cycle once, printed in full. The launch comes after every item, so none can need it."""
    for name, targets in needs.items():
        for target, path in targets:
            if target == "launch" or target.startswith("health:"):
                places.add(findings, "ORC204", f"a cycle of needs: {name} → {target} → {name}", path, item=name,
                           hint="the launch waits for every item, so no item can need it or its health")  # fmt: skip
    for cycle, path in cycles(
        {name: [each for each in targets if each[0] in needs] for name, targets in needs.items()}
    ):
        places.add(
            findings,
            "ORC204",
            f"a cycle of needs: {' → '.join(cycle)}",
            path,
            item=cycle[-2],
            hint="take out one of the `needs`",
        )


def _locks(spec: Spec, index: Index, places: Locations, findings: Findings) -> None:
    """A lock without a `/` is the name of a postgres wait."""
    postgres = [wait.name for wait in spec.wait_for if _is_postgres(wait)]
    for at, step in enumerate(spec.steps):
        lock = step.lock
        if lock is None or "/" in lock:
            continue
        name = lock.removeprefix("wait:")
        if name in postgres or name in index.broken:
            continue
        other = index.items.get(f"wait:{name}")
        message = (
            f"the lock `{lock}` is no postgres wait"
            if other
            else f"there is no postgres wait `{lock}` to lock with"
        )
        hint = near(name, postgres) or "declare one under `wait_for`, or write a path with a `/`"
        places.add(findings, "ORC201", message, ("steps", at, "lock"), item=step.identity, hint=hint)


def _is_postgres(wait: Any) -> bool:
    return getattr(wait, "postgres", None) is not None


def _roles(spec: Spec, places: Locations, findings: Findings, known: Known, broken: frozenset[str]) -> None:
    if "roles" in broken or known.role:
        return
    misnamed = [name for name in known.roles if name in broken]
    for name, words in (("default_role", ()), ("unknown_role", WORDS_FOR_UNKNOWN_ROLES)):
        role = getattr(spec, name)
        if role is not None and closest(role, misnamed):
            continue  # the role's own name is the mistake
        if role is not None and role not in known.roles and role not in words:
            places.add(findings, "ORC221", f"there is no role `{role}`", (name,),
                       hint=near(role, [*known.roles, *words]) or "the spec declares no `roles`")  # fmt: skip


def _rehearsal(spec: Spec, index: Index, places: Locations, findings: Findings, known: Known) -> None:
    for reference in spec.rehearsal or {}:
        path = ("rehearsal", reference)
        role = "" if index.find(reference) else known.role_with(reference)
        if not role:
            resolve(reference, index, places, path, "", findings, key=True)
        elif not known.role:  # each role inherits the line: the top level reports it
            places.add(findings, "ORC201", f"`{reference}` is an item of the role `{role}`, not of the top level", path,
                       key=True, hint=f"write it under `roles.{role}.rehearsal`")  # fmt: skip


def _names(spec: Spec, plain: Plain, findings: Findings, broken: frozenset[str]) -> None:
    """Warns of `${NAME}` that no contract declares and no default covers."""
    known = run_time_names(spec)
    said: dict[str, str] = {}
    slips: dict[str, str | None] = {}
    """Who writes a default, or a message, knows that nothing may declare it; not so who mistypes it."""
    for reference, place in plain.used:
        name = reference.name
        if name in spec.variables or name in known or name in broken or name in BUILT_IN_VARIABLES:
            continue
        if "variables" in broken or ("steps" in broken and name.isupper()):
            continue
        if name not in said:
            there = [*spec.variables, *known] if len(said) < MANY else []
            said[name] = "" if find_contract(spec.variables, name) is not None else _declare(name, there)
            slips[name] = slip(name, there)
        if said[name] and (not reference.operator or slips[name]):
            findings.add("ORC214", f"nothing declares the variable `{name}`", place, hint=said[name])


def _declare(name: str, there: Sequence[str]) -> str:
    near = closest(name, there)
    if near:
        return f"did you mean `{near}`?"
    return f"declare it: `variables: {{{name}: {{required: true}}}}`, or give a default: `${{{name}:-…}}`"


def _default_cycles(spec: Spec, places: Locations, findings: Findings) -> None:
    """Defaults that are made from one another; a variable whose default names itself is the shortest cycle."""
    edges: dict[str, list[tuple[str, Path]]] = {}
    for name, contract in spec.variables.items():
        inner: list[tuple[str, Path]] = [
            (each, ("variables", name, "default"))
            for each in default_references(contract)
            if each in spec.variables
        ]
        if inner:
            edges[name] = inner
    for cycle, path in cycles(edges):
        places.add(findings, "ORC215", f"defaults are made from one another: {' → '.join(cycle)}", path, item=f"variable:{path[1]}",
                   hint="give one of them a value of its own")  # fmt: skip
