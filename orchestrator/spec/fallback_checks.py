"""Fallback actions: where lists of them stand, whether each may stand there, and whether it is ever reached. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestrator.core.suggest import closest
from orchestrator.spec.index import cycles, near
from orchestrator.spec.item import Action, Named

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from orchestrator.diagnostics import Findings
    from orchestrator.spec.index import Known
    from orchestrator.spec.locations import Locations
    from orchestrator.spec.spec import Spec

    Path = tuple[str | int, ...]

MOST_ACTIONS = 1000
"""A named list that stands for more is a slip: lists that name others twice double."""


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


def check(spec: Spec, places: Locations, findings: Findings, known: Known, broken: frozenset[str]) -> None:
    named = spec.fallbacks or {}
    for name, size in _sizes(named).items():
        if size > MOST_ACTIONS:
            places.add(findings, "ORC225", f"the fallback `{name}` stands for more than {MOST_ACTIONS:,} actions", ("fallbacks", name),
                       key=True, hint="name a fallback once where its actions are to be tried once")  # fmt: skip
            known.used_fallbacks.update(named)
            return  # looking through them would take for ever
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


def _sizes(named: Mapping[str, Sequence[Action]]) -> dict[str, int]:
    """How many actions each named list stands for; one that names itself counts as nothing there."""
    sizes: dict[str, int] = {}
    for name in named:
        stack = {name: None}
        while stack:
            top = next(reversed(stack))
            parts = [each.name for each in named[top] if isinstance(each, Named) and each.name in named]
            missing = next((part for part in parts if part not in sizes and part not in stack), None)
            if missing is None:
                sizes[top] = len(named[top]) - len(parts) + sum(sizes.get(part, 0) for part in parts)
                del stack[top]
            else:
                stack[missing] = None
    return sizes


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
            findings, "ORC205", f"there is no fallback `{action.name}`", path, hint=near(action.name, there)
        )
        return
    for each in named[action.name] if kind else ():
        if isinstance(each, Action) and each.allowed is not None and kind not in each.allowed:
            _not_here(each, kind, places, path, findings, (action.name,))
