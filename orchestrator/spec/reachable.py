"""Conditions: what they refer to, and whether they can ever hold. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestrator.core.suggest import Lookup
from orchestrator.document.plain import Template, as_text
from orchestrator.spec import conditions
from orchestrator.spec.conditions import Condition
from orchestrator.spec.index import near
from orchestrator.spec.model import Model
from orchestrator.spec.values import BUILT_IN_VARIABLES, run_time_names

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from orchestrator.diagnostics import Findings
    from orchestrator.spec.index import Index, Known
    from orchestrator.spec.locations import Locations
    from orchestrator.spec.spec import Spec

    Path = tuple[str | int, ...]
    Needs = Mapping[str, Sequence[tuple[str, Path]]]


def check(
    spec: Spec, index: Index, needs: Needs, places: Locations, findings: Findings, known: Known
) -> None:
    order = {step.identity: at for at, step in enumerate(spec.steps)}
    variables = _variables(spec)
    slips = Lookup(sorted(variables))
    for name, (path, item) in index.items.items():
        for where, condition in of_model(path, item):
            for inner, each in within(where, condition):
                _refers(name, item, inner, each, index, needs, order, places, findings, known)
                if isinstance(each, conditions.Variable) and each.variable not in variables:
                    _mistyped(name, inner, each.variable, slips, places, findings)
        when = getattr(item, "when", None)
        if isinstance(when, Condition):
            place = places.place((*path, "when"))
            if not known.role:
                known.shared_conditions.add(place)
            why = never(when, spec, known, in_role="" if place in known.shared_conditions else known.role)
            if why:
                places.add(findings, "ORC208", f"`{name}` is never tried: {why}", (*path, "when"), item=name,
                           hint="mend the condition, or take the item out")  # fmt: skip


def of_model(path: Path, model: Model) -> Iterator[tuple[Path, Condition]]:
    """The conditions in a model's fields, and in the models below it, outermost only."""
    fields = type(model).model_fields
    for name in model.model_fields_set:
        value = getattr(model, name, None)
        if not isinstance(value, Model | tuple) or name not in fields:
            continue
        below = (*path, fields[name].alias or name)
        if isinstance(value, Condition):
            yield below, value
        elif isinstance(value, Model):
            yield from of_model(below, value)
        else:
            for at, each in enumerate(value):
                if isinstance(each, Model) and not isinstance(each, Condition):
                    yield from of_model((*below, at), each)


def within(path: Path, condition: Condition) -> Iterator[tuple[Path, Condition]]:
    """A condition and all within it."""
    yield path, condition
    match condition:
        case conditions.Not():
            if isinstance(condition.not_, Condition):
                yield from within((*path, "not"), condition.not_)
        case conditions.All() | conditions.AnyOf():
            key = "all" if isinstance(condition, conditions.All) else "any"
            parts = condition.all_ if isinstance(condition, conditions.All) else condition.any_
            for at, each in enumerate(parts if isinstance(parts, tuple) else ()):
                yield from within((*path, key, at), each)


def _words(value: Any) -> list[str]:
    """A word or a list of them, without those that only a start knows."""
    values = value if isinstance(value, tuple) else (value,)
    return [each for each in values if isinstance(each, str)]


def _refers(name: str, item: Any, path: Path, condition: Condition, index: Index, needs: Needs, order: Mapping[str, int],
            places: Locations, findings: Findings, known: Known) -> None:  # fmt: skip
    match condition:
        case conditions.Step():
            _step(name, item, path, condition.step, index, needs, order, places, findings)
        case conditions.Role():
            for word in _words(condition.role):
                if word not in known.roles and "roles" not in index.broken:
                    places.add(findings, "ORC221", f"there is no role `{word}`", (*path, "role"), item=name,
                               hint=near(word, known.roles) or "the spec declares no `roles`")  # fmt: skip
        case conditions.Environment():
            there = known.overlays()
            for word in _words(condition.environment) if there else ():
                if word not in there:
                    places.add(findings, "ORC210", f"the environment `{word}` has no overlay", (*path, "environment"), item=name,
                               severity="warning", hint=near(word, there))  # fmt: skip


def _variables(spec: Spec) -> set[str]:
    """The names of variables that the spec speaks of."""
    return {*spec.variables, *run_time_names(spec), *BUILT_IN_VARIABLES}


def _mistyped(
    name: str, path: Path, variable: str, slips: Lookup, places: Locations, findings: Findings
) -> None:
    """A condition may ask for what nothing declares, such as `CI`; but one with a slip in it would never hold."""
    meant = slips(variable)
    if meant:
        places.add(findings, "ORC214", f"nothing declares the variable `{variable}`", (*path, "variable"), item=name,
                   hint=f"did you mean `{meant}`?")  # fmt: skip


def _step(name: str, item: Any, path: Path, word: str, index: Index, needs: Needs, order: Mapping[str, int],
          places: Locations, findings: Findings) -> None:  # fmt: skip
    target = word if word.startswith("step:") else f"step:{word}"
    if target not in order:
        if word.removeprefix("step:") not in index.broken and "steps" not in index.broken:
            places.add(findings, "ORC201", f"there is no step `{word}`", (*path, "step"), item=name,
                       hint=near(word, [each.removeprefix("step:") for each in order]) or "the spec has no steps")  # fmt: skip
        return
    if target in _needed(name, needs) or (name in order and order[target] < order[name]):
        return
    if name == target:
        message, hint = "a step cannot ask for its own state", "take the condition out"
    elif name in order:
        message, hint = f"the step `{word}` runs after this one", f"put it above, or add `needs: [{target}]`"
    else:
        message, hint = (
            f"the step `{word}` runs after this {item.kind}",
            f"add `needs: [{target}]`, so that it waits for the step",
        )
    places.add(findings, "ORC201", message, (*path, "step"), item=name, hint=hint)


def _needed(name: str, needs: Needs) -> set[str]:
    found: set[str] = set()
    left = [name]
    while left:
        for target, _ in needs.get(left.pop(), ()):
            if target not in found:
                found.add(target)
                left.append(target)
    return found


def never(condition: Condition, spec: Spec, known: Known, in_role: str = "") -> str:
    """Why a condition can never hold, for a role that says it itself also because of the role; empty when it may."""
    facts = _Facts(spec, known, in_role)
    for each in _conjunction(condition):
        if why := facts.contradicts(each):
            return why
    return ""


def _conjunction(condition: Condition) -> Iterator[Condition]:
    """The conditions that must all hold for this one to hold."""
    if isinstance(condition, conditions.All):
        for each in condition.all_ if isinstance(condition.all_, tuple) else ():
            yield from _conjunction(each)
    else:
        yield condition


class _Facts:
    """What a conjunction has asked for so far."""

    def __init__(self, spec: Spec, known: Known, role: str) -> None:
        self.spec = spec
        self.known = known
        self.seen: list[Condition] = []
        self.possible: dict[str, set[str]] = {"role": {role}} if role else {}
        self.states: dict[str, set[str]] = {}

    def contradicts(self, condition: Condition) -> str:
        opposite = condition.not_ if isinstance(condition, conditions.Not) else None
        if opposite in self.seen or any(
            isinstance(each, conditions.Not) and each.not_ == condition for each in self.seen
        ):
            return "its condition asks for something and for its opposite"
        self.seen.append(condition)
        match condition:
            case conditions.Role():
                asked = _texts(condition.role)
                declared = asked is not None and asked <= set(self.known.roles)
                return self._narrow("role", asked if declared else None, "the role")
            case conditions.Environment():
                return self._narrow("environment", _texts(condition.environment), "the environment")
            case conditions.Root() if isinstance(condition.root, bool):
                return self._narrow("root", {str(condition.root).lower()}, "`root`")
            case conditions.Variable():
                return self._variable(condition)
        return ""

    def _narrow(self, what: str, allowed: set[str] | None, said: str) -> str:
        if allowed is None:
            return ""
        before = self.possible.get(what)
        self.possible[what] = allowed if before is None else before & allowed
        if self.possible[what]:
            return ""
        first = " or ".join(f"`{each}`" for each in sorted(before or ()))
        return f"{said} cannot be {first} and {' or '.join(f'`{each}`' for each in sorted(allowed))}"

    def _variable(self, condition: conditions.Variable) -> str:
        name = condition.variable
        texts = _texts(condition.equals if condition.equals is not None else condition.in_)
        contract = self.spec.variables.get(name)
        if texts and contract is not None and isinstance(contract.allowed, tuple):
            permitted = _texts(contract.allowed)
            if permitted is not None and not texts & permitted:
                return f"`{name}` is never {' or '.join(f'`{each}`' for each in sorted(texts))}, its contract allows {' or '.join(f'`{each}`' for each in sorted(permitted))}"  # fmt: skip
        states = _states(condition)
        before = self.states.get(name, set(_ALL_STATES))
        self.states[name] = before & states
        if not self.states[name]:
            return f"`{name}` cannot be all that its condition asks for"
        return self._narrow(f"variable {name}", texts, f"`{name}`") if texts else ""


_ALL_STATES = frozenset({"unset", "empty", "true", "false", "other"})
_IS = {
    "set": {"true", "false", "other"},
    "unset": {"unset"},
    "empty": {"empty"},
    "true": {"true"},
    "false": {"false"},
}


def _states(condition: conditions.Variable) -> set[str]:
    """What a variable may be when the condition holds."""
    asked = condition.is_
    if asked is None or isinstance(asked, Template):
        return set(_ALL_STATES - {"unset"}) if asked is None else set(_ALL_STATES)
    return set(_IS[str(asked).lower()])


def _texts(value: Any) -> set[str] | None:
    """The texts of a value or a list of them; None when a start decides about one."""
    if value is None:
        return None
    values = value if isinstance(value, tuple) else (value,)
    return None if any(isinstance(each, Template) for each in values) else {as_text(each) for each in values}
