"""What refers to what: ids, needs, named fallbacks, roles, health names, variables. Pure."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from orchestrator.core.suggest import closest, slip
from orchestrator.diagnostics import Related
from orchestrator.spec.item import Action, Named
from orchestrator.spec.spec import Spec, identity
from orchestrator.spec.values import default_references, find_contract

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from orchestrator.diagnostics import Findings, Place
    from orchestrator.document.node import Node
    from orchestrator.document.plain import Plain
    from orchestrator.spec.locations import Locations

    Path = tuple[str | int, ...]

BUILT_IN_VARIABLES = frozenset({
    "ORCHESTRATOR_SERVICE", "ORCHESTRATOR_ENV", "ORCHESTRATOR_ROLE", "ORCHESTRATOR_DEGRADED", "ORCHESTRATOR_STATE_DIR",
    "PATH", "HOME", "USER", "HOSTNAME", "PWD", "LANG", "TZ", "TMPDIR", "WEB_CONCURRENCY", "PUID", "PGID",
})  # fmt: skip
"""Names that need no contract: the engine's own, and those every container has."""
WORDS_FOR_UNKNOWN_ROLES = ("stop", "exec")


@dataclass(slots=True)
class Known:
    """What is known beside one effective spec: the roles there are, and what any of them uses."""

    roles: tuple[str, ...] = ()
    overlays: Callable[[], list[str]] = list
    """The environments that have an overlay; none when that is not known."""
    role: str = ""
    used_fallbacks: set[str] = field(default_factory=set)
    """Named fallbacks that the top level or any role uses."""
    shared_conditions: set[Place] = field(default_factory=set)
    """Where the top level says `when`: for all roles, so that one of them may well be excluded."""

    @classmethod
    def of(cls, tree: Node, overlays: Callable[[], list[str]]) -> Known:
        section = tree.get("roles")
        names = tuple(section.value) if section is not None and isinstance(section.value, dict) else ()
        return cls(names, overlays)

    def within(self, role: str) -> Known:
        return replace(self, role=role)


class Index:
    """Every id of a spec with its place; finds what a reference means."""

    def __init__(self, spec: Spec, broken: frozenset[str] = frozenset()) -> None:
        self.broken = broken
        """Names of items that could not be decoded: a reference to one is not the mistake."""
        self.items: dict[str, tuple[Path, Any]] = {}
        self.twice: list[tuple[str, Path]] = []
        for path, item in spec.located_items():
            name = identity(path, item)
            if name in self.items:
                self.twice.append((name, path))
            else:
                self.items[name] = (path, item)
        self.fixed = ["port", "launch"] if spec.launch is not None else []
        if spec.health is not None:
            self.fixed += [f"health:{name}" for name, _ in spec.health.named()]
        self.not_there: dict[str, str] = {}
        """What was looked for and is not there, with the hint: a search among thousands of names is done once."""
        self._by_name: dict[str, list[str]] = {}
        for name in self.names:
            self._by_name.setdefault(name.partition(":")[2], []).append(name)

    @property
    def names(self) -> list[str]:
        return [*self.items, *self.fixed]

    def find(self, reference: str) -> list[str]:
        """The ids a reference may mean: the id itself, or every id whose name it is."""
        if reference in self.items or reference in self.fixed:
            return [reference]
        return list(self._by_name.get(reference, ())) if reference else []


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
    from orchestrator.spec import semantics

    index = Index(spec, broken)
    _unique(spec, index, places, findings)
    needs = _needs(index, places, findings)
    _cycles(needs, places, findings)
    _fallbacks(spec, places, findings, known, broken)
    _locks(spec, index, places, findings)
    _roles(spec, places, findings, known, broken)
    _rehearsal(spec, index, places, findings)
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


def resolve(
    reference: str,
    index: Index,
    places: Locations,
    path: Path,
    item: str,
    findings: Findings,
    *,
    key: bool = False,
) -> str | None:
    """The one id a reference means; a finding when it is none or several."""
    found = index.find(reference)
    if len(found) == 1:
        return found[0]
    kind, _, name = reference.partition(":")
    if not found and ({reference, name} & index.broken or (kind == "health" and "health" in index.broken)):
        return None
    if found:
        listed = ", ".join(f"`{each}`" for each in found)
        places.add(
            findings,
            "ORC202",
            f"`{reference}` may mean {listed}",
            path,
            item=item,
            key=key,
            hint="write the whole id",
        )
    elif kind == "health" and name:
        there = [each.partition(":")[2] for each in index.fixed if each.startswith("health:")]
        places.add(
            findings,
            "ORC209",
            f"`health` declares no endpoint `{name}`",
            path,
            item=item,
            key=key,
            hint=_near(name, there) or f"declare it: `health: {{{name}: /{name}}}`",
        )
    else:
        places.add(
            findings,
            "ORC201",
            f"there is no item `{reference}`",
            path,
            item=item,
            key=key,
            hint=_near_item(reference, index),
        )
    return None


MANY = 50
"""So many different words that are not there get a suggestion; more are no slips of the pen."""


def _near_item(reference: str, index: Index) -> str:
    if reference not in index.not_there:
        index.not_there[reference] = _looked_up(reference, index) if len(index.not_there) < MANY else ""
    return index.not_there[reference]


def _looked_up(reference: str, index: Index) -> str:
    names = [*index.names, *(name for name in index.broken if name)]
    near = closest(reference, names) or closest(reference, [name.partition(":")[2] for name in index.names])
    there = [name for name in index.names if not name.startswith("variable:")] or index.names
    return f"did you mean `{near}`?" if near else _there(there) or "the spec has no items"


def _near(word: str, there: Sequence[str]) -> str:
    near = closest(word, there)
    return f"did you mean `{near}`?" if near else _there(there)


def _there(names: Sequence[str]) -> str:
    more = f" and {len(names) - 12} more" if len(names) > 12 else ""
    return f"there are: {', '.join(f'`{each}`' for each in names[:12])}{more}" if names else ""


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


def cycles(edges: Mapping[str, Sequence[tuple[str, Path]]]) -> Iterator[tuple[list[str], Path]]:
    """The cycles that a walk through a graph meets, each with the place of the edge that closes it."""
    done: set[str] = set()
    for start in edges:
        trail: dict[str, Iterator[tuple[str, Path]]] = {} if start in done else {start: iter(edges[start])}
        while trail:
            current = next(reversed(trail))
            target, path = next(trail[current], ("", ()))
            if not target:
                done.add(current)
                del trail[current]
            elif target in trail:
                names = list(trail)
                yield [*names[names.index(target) :], target], path
            elif target not in done:
                trail[target] = iter(edges.get(target, ()))


def action_lists(spec: Spec) -> Iterator[tuple[Path, str, tuple[Action, ...]]]:
    """Every `on_failure` of the spec: its path, the kind it stands on, and the actions."""
    for path, item in spec.located_items():
        if item.on_failure is not None:
            yield (*path, "on_failure"), item.kind, item.on_failure
    for name in ("launch", "health"):
        section = getattr(spec, name)
        if section is not None and section.on_failure is not None:
            yield (name, "on_failure"), name, section.on_failure
    if spec.on_failure is not None:
        yield ("on_failure",), "", spec.on_failure
    for name, actions in (spec.fallbacks or {}).items():
        yield ("fallbacks", name), "", actions


def action_path(path: Path, at: int, places: Locations) -> Path:
    """Where an action of a list stands; a single one stands without a list."""
    return (*path, at) if isinstance(places.node(path).value, list) else path


def _fallbacks(
    spec: Spec, places: Locations, findings: Findings, known: Known, broken: frozenset[str]
) -> None:
    named = spec.fallbacks or {}
    for path, kind, actions in action_lists(spec):
        for at, action in enumerate(actions):
            place = action_path(path, at, places)
            if isinstance(action, Named):
                known.used_fallbacks.add(action.name)
                if "fallbacks" not in broken and action.name not in broken:
                    _named_action(action, named, kind, places, place, findings, known.used_fallbacks)
            elif kind and action.allowed is not None and kind not in action.allowed:
                _not_here(action, kind, places, place, findings, ())
            if at + 1 < len(actions) and ends(action, named):
                places.add(findings, "ORC207", f"nothing behind `{action.word}` is ever reached",
                           action_path(path, at + 1, places), hint=action.to_lead_on or "take out what follows it")  # fmt: skip
                break
    edges = {name: [(each.name, ("fallbacks", name)) for each in actions if isinstance(each, Named) and each.name in named]
             for name, actions in named.items()}  # fmt: skip
    for cycle, path in cycles(edges):
        places.add(findings, "ORC220", f"fallbacks name one another in a circle: {' → '.join(cycle)}", path, key=True,
                   hint="end one of them with an action of its own")  # fmt: skip


def unused(spec: Spec, places: Locations, findings: Findings, known: Known) -> None:
    """Warns of named fallbacks that neither the top level nor a role uses."""
    from orchestrator.spec.kinds import FALLBACKS

    for name in spec.fallbacks or {}:
        if name in FALLBACKS.built_in:
            places.add(findings, "ORC206", f"the fallback `{name}` can never be used: there is an action of that name", ("fallbacks", name),
                       key=True, hint="give it another name")  # fmt: skip
        elif name not in known.used_fallbacks:
            places.add(findings, "ORC206", f"the fallback `{name}` is never used", ("fallbacks", name), key=True,
                       hint="name it in an `on_failure`, or take it out")  # fmt: skip


def _not_here(
    action: Action, kind: str, places: Locations, place: Path, findings: Findings, via: Sequence[str]
) -> None:
    listed = ", ".join(f"`{each}`" for each in sorted(action.allowed or ()))
    through = f" (in the fallback `{via[0]}`)" if via else ""
    where = {"health": "health", "launch": "the launch"}.get(
        kind
    ) or f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"
    places.add(
        findings,
        "ORC222",
        f"`{action.word}` cannot stand on {where}{through}",
        place,
        hint=f"it belongs to: {listed}",
    )


def ends(action: Action, named: Mapping[str, tuple[Action, ...]], seen: frozenset[str] = frozenset()) -> bool:
    """Whether nothing behind an action of a list can be reached."""
    if isinstance(action, Named):
        if action.name in seen or len(seen) > 50:
            return False
        inner = named.get(action.name, ())
        return any(ends(each, named, seen | {action.name}) for each in inner if isinstance(each, Action))
    return action.ends or (not action.remedy and not action.leads_on)


def _named_action(action: Named, named: Mapping[str, Any], kind: str, places: Locations, path: Path, findings: Findings,
                  used: set[str]) -> None:  # fmt: skip
    if action.name not in named:
        from orchestrator.spec.kinds import FALLBACKS

        there = [*named, *FALLBACKS.built_in]
        meant = closest(action.name, there)
        if meant:
            used.add(meant)  # else it would be called unused as well
        places.add(
            findings, "ORC205", f"there is no fallback `{action.name}`", path, hint=_near(action.name, there)
        )
        return
    for each in named[action.name] if kind else ():
        if isinstance(each, Action) and each.allowed is not None and kind not in each.allowed:
            _not_here(each, kind, places, path, findings, (action.name,))


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
        hint = _near(name, postgres) or "declare one under `wait_for`, or write a path with a `/`"
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
                       hint=_near(role, [*known.roles, *words]) or "the spec declares no `roles`")  # fmt: skip


def _rehearsal(spec: Spec, index: Index, places: Locations, findings: Findings) -> None:
    for reference in spec.rehearsal or {}:
        resolve(reference, index, places, ("rehearsal", reference), "", findings, key=True)


def run_time_names(spec: Spec) -> set[str]:
    """Variables that the run itself sets: outputs of steps, exports and values of fallback actions."""
    names: set[str] = set()
    for step in spec.steps:
        names.update(step.output_names)
    for _, _, actions in action_lists(spec):
        for action in actions:
            names.update(action.sets)
    return names


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
