"""What refers to what: ids, needs, named fallbacks, roles, health names, variables. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestrator.diagnostics import Findings, Place, Related
from orchestrator.document.node import Node, pointer
from orchestrator.spec.item import Action, Named
from orchestrator.spec.spec import Spec, identity
from orchestrator.spec.values import find_contract

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.document.plain import Plain

    Path = tuple[str | int, ...]

BUILT_IN_VARIABLES = frozenset({
    "ORCHESTRATOR_SERVICE", "ORCHESTRATOR_ENV", "ORCHESTRATOR_ROLE", "ORCHESTRATOR_DEGRADED", "ORCHESTRATOR_STATE_DIR",
    "PATH", "HOME", "USER", "HOSTNAME", "PWD", "LANG", "TZ", "TMPDIR", "WEB_CONCURRENCY", "PUID", "PGID",
})  # fmt: skip
"""Names that need no contract: the engine's own, and those every container has."""


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

    @property
    def names(self) -> list[str]:
        return [*self.items, *self.fixed]

    def find(self, reference: str) -> list[str]:
        """The ids a reference may mean: the id itself, or every id whose name it is."""
        if reference in self.items or reference in self.fixed:
            return [reference]
        return [name for name in self.names if name.partition(":")[2] == reference]


def check(spec: Spec, tree: Node, plain: Plain, findings: Findings, broken: frozenset[str] = frozenset()) -> None:
    """Adds a finding for everything that refers to nothing, to several things, or to itself.

    `broken` names the parts that could not be decoded and are not in the spec: nothing is said about them.
    """
    index = Index(spec, broken)
    _unique(index, tree, findings)
    needs = _needs(index, tree, findings)
    _cycles(needs, index, tree, findings)
    _fallbacks(spec, tree, findings, broken)
    _health(spec, tree, findings)
    _names(spec, plain, findings, broken)


def _unique(index: Index, tree: Node, findings: Findings) -> None:
    for name, path in index.twice:
        first = tree.at(index.items[name][0])[0].place
        findings.add("ORC203", f"the id `{name}` is used twice", tree.at(path)[0].place, pointer=pointer(path), item=name,
                     hint="ids are unique: give one of them another name, or an `id` of its own",
                     related=[Related("first used here", first)])  # fmt: skip


def _needs(index: Index, tree: Node, findings: Findings) -> dict[str, list[tuple[str, Path]]]:
    """For each item the ids it needs, with the places of the references."""
    result: dict[str, list[tuple[str, Path]]] = {}
    for name, (path, item) in index.items.items():
        result[name] = []
        for at, reference in enumerate(item.needs):
            place: Path = (*path, "needs", at)
            found = resolve(reference, index, tree.at(place)[0].place, place, name, findings)
            if found is not None:
                result[name].append((found, place))
    return result


def resolve(reference: str, index: Index, place: Place, path: Path, item: str, findings: Findings) -> str | None:
    """The one id a reference means; a finding when it is none or several."""
    found = index.find(reference)
    if not found and {reference, reference.partition(":")[2]} & index.broken:
        return None
    if len(found) == 1:
        return found[0]
    if found:
        listed = ", ".join(f"`{each}`" for each in found)
        findings.add("ORC202", f"`{reference}` may mean {listed}", place, pointer=pointer(path), item=item, hint="write the whole id")
    else:
        from orchestrator.diagnostics.suggest import closest

        near = closest(reference, [*index.names, *(name.partition(":")[2] for name in index.names)])
        there = ", ".join(f"`{each}`" for each in index.names[:12])
        findings.add("ORC201", f"there is no item `{reference}`", place, pointer=pointer(path), item=item,
                     hint=f"did you mean `{near}`?" if near else f"there are: {there}" if there else "the spec has no items")  # fmt: skip
    return None


def _cycles(needs: dict[str, list[tuple[str, Path]]], index: Index, tree: Node, findings: Findings) -> None:
    """Each cycle once, printed in full."""
    done: set[str] = set()
    for start in needs:
        trail: list[str] = []
        _walk(start, needs, trail, done, index, tree, findings)


def _walk(name: str, needs: dict[str, list[tuple[str, Path]]], trail: list[str], done: set[str],
          index: Index, tree: Node, findings: Findings) -> None:  # fmt: skip
    stack: list[tuple[str, Iterator[tuple[str, Path]]]] = [(name, iter(needs.get(name, ())))] if name not in done else []
    trail.extend(each for each, _ in stack)
    while stack:
        current, remaining = stack[-1]
        step = next(remaining, None)
        if step is None:
            stack.pop()
            trail.pop()
            done.add(current)
            continue
        target, path = step
        if target in trail:
            cycle = [*trail[trail.index(target) :], target]
            findings.add("ORC204", f"a cycle of needs: {' → '.join(cycle)}", tree.at(path)[0].place, pointer=pointer(path), item=current,
                         hint="take out one of the `needs`")  # fmt: skip
        elif target not in done and target in needs:
            stack.append((target, iter(needs[target])))
            trail.append(target)


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


def _action_path(path: Path, at: int, tree: Node) -> Path:
    node, _ = tree.at(path)
    return (*path, at) if isinstance(node.value, list) else path


def _fallbacks(spec: Spec, tree: Node, findings: Findings, broken: frozenset[str]) -> None:
    named = spec.fallbacks or {}
    used: set[str] = set()
    for path, kind, actions in action_lists(spec):
        for at, action in enumerate(actions):
            place = _action_path(path, at, tree)
            if isinstance(action, Named):
                used.add(action.name)
                if "fallbacks" not in broken:
                    _named_action(action, named, tree, place, findings)
            elif kind and action.allowed is not None and kind not in action.allowed:
                listed = ", ".join(f"`{each}`" for each in sorted(action.allowed))
                findings.add("ORC222", f"`{action.word}` cannot stand on a {kind}", tree.at(place)[0].place, pointer=pointer(place),
                             hint=f"it belongs to: {listed}")  # fmt: skip
            if at + 1 < len(actions) and ends(action, named):
                behind = _action_path(path, at + 1, tree)
                findings.add("ORC207", f"nothing behind `{action.word}` is ever reached", tree.at(behind)[0].place,
                             pointer=pointer(behind), hint=_behind(action))  # fmt: skip
    _named_cycles(named, tree, findings)
    for name in named:
        if name not in used and not broken:
            findings.add("ORC206", f"the fallback `{name}` is never used", tree.at(("fallbacks",))[0].key_place(name),
                         pointer=pointer(("fallbacks", name)), hint="name it in an `on_failure`, or take it out")  # fmt: skip


def _behind(action: Action) -> str:
    if action.word == "serve":
        return "add `for: 30m` to it, or take out what follows"
    if action.word == "degrade":
        return "add `recheck` and `max_degraded` to it, or take out what follows"
    return "take out what follows it"


def ends(action: Action, named: dict[str, tuple[Action, ...]], seen: frozenset[str] = frozenset()) -> bool:
    """Whether nothing behind an action of a list can be reached."""
    if isinstance(action, Named):
        inner = named.get(action.name, ())
        return action.name not in seen and any(ends(each, named, seen | {action.name}) for each in inner)
    return action.ends or (not action.remedy and not getattr(action, "leads_on", False))


def _named_action(action: Named, named: dict[str, Any], tree: Node, path: Path, findings: Findings) -> None:
    if action.name in named:
        return
    from orchestrator.diagnostics.suggest import closest
    from orchestrator.spec.kinds import FALLBACKS

    near = closest(action.name, [*named, *FALLBACKS.built_in])
    there = ", ".join(f"`{each}`" for each in (*named, *FALLBACKS.built_in))
    findings.add("ORC205", f"there is no fallback `{action.name}`", tree.at(path)[0].place, pointer=pointer(path),
                 hint=f"did you mean `{near}`?" if near else f"there are: {there}")  # fmt: skip


def _named_cycles(named: dict[str, tuple[Action, ...]], tree: Node, findings: Findings) -> None:
    told: set[frozenset[str]] = set()

    def follow(name: str, trail: tuple[str, ...]) -> None:
        for action in named.get(name, ()):
            if not isinstance(action, Named):
                continue
            if action.name in trail:
                cycle = (*trail[trail.index(action.name) :], action.name)
                if frozenset(cycle) not in told:
                    told.add(frozenset(cycle))
                    findings.add("ORC220", f"fallbacks name one another in a circle: {' → '.join(cycle)}",
                                 tree.at(("fallbacks",))[0].key_place(trail[-1]), pointer=pointer(("fallbacks", trail[-1])),
                                 hint="end one of them with an action of its own")  # fmt: skip
            else:
                follow(action.name, (*trail, action.name))

    for name in named:
        follow(name, (name,))


def _health(spec: Spec, tree: Node, findings: Findings) -> None:
    """Liveness that asks what readiness asks restarts a service for what a dependency did."""
    health = spec.health
    if health is None or health.live is None or health.ready is None or health.live.path is None:
        return
    if health.live.path == health.ready.path and health.live.port == health.ready.port:
        findings.add("ORC129", f"`live` and `ready` both ask `{health.live.path}`", tree.at(("health", "live"))[0].place,
                     pointer="/health/live", item="health:live",
                     hint="a liveness endpoint asks nothing but the process itself")  # fmt: skip


def run_time_names(spec: Spec) -> set[str]:
    """Variables that the run itself sets: outputs of steps, exports and values of fallback actions."""
    names: set[str] = set()
    for step in spec.steps:
        names.update(step.output_names)
    for _, _, actions in action_lists(spec):
        for action in actions:
            if action.word == "set":
                names.update(getattr(action, "set", {}))
            elif action.word == "use" and getattr(action, "use").export:  # noqa: B009 - a plug-in's may have none
                names.add(getattr(action, "use").export)  # noqa: B009
    return names


def _names(spec: Spec, plain: Plain, findings: Findings, broken: frozenset[str]) -> None:
    """Warns of `${NAME}` that no contract declares and no default covers."""
    from orchestrator.diagnostics.suggest import closest

    known = run_time_names(spec)
    for reference, place in plain.used:
        name = reference.name
        if reference.optional or reference.operator or name in known or name in broken or name in BUILT_IN_VARIABLES:
            continue
        if find_contract(spec.variables, name) is None:
            near = closest(name, [*spec.variables, *known])
            findings.add("ORC214", f"nothing declares the variable `{name}`", place,
                         hint=f"did you mean `{near}`?" if near else f"declare it: `variables: {{{name}: {{required: true}}}}`, or give a default: `${{{name}:-…}}`")  # fmt: skip
