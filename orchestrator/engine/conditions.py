"""Whether a condition holds, and why, in words for a report."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestrator.core.context import Context
    from orchestrator.spec.conditions import Condition

    Answer = tuple[bool, str]


class CannotTell(Exception):
    """A condition that is neither yes nor no: a command that failed, a text that is no boolean."""


def holds(condition: Condition, context: Context) -> Answer:
    """Whether it holds, and a reason such as "`DEBUG` is unset"; raises CannotTell."""
    return _ANSWERS[type(condition).__name__](condition, context)


def runs_a_command(condition: Condition) -> bool:
    """Whether the answer takes the time of a command."""
    from orchestrator.spec.conditions import Succeeds
    from orchestrator.spec.reachable import within

    return any(isinstance(each, Succeeds) for _, each in within((), condition))


def _variable(condition: Any, context: Context) -> Answer:
    name = condition.variable
    text = context.environ.get(name)
    if condition.is_ is not None:
        return _state(name, text, condition.is_)
    if text is None:
        return False, f"`{name}` is unset"
    if condition.equals is not None:
        return text == _text(
            condition.equals
        ), f"`{name}` is {'' if text == _text(condition.equals) else 'not '}`{_text(condition.equals)}`"
    if condition.in_ is not None:
        words = [_text(each) for each in condition.in_]
        return text in words, f"`{name}` is {'' if text in words else 'not '}one of {', '.join(words)}"
    found = re.search(condition.matches, text) is not None
    return found, f"`{name}` {'matches' if found else 'does not match'} `{condition.matches}`"


def _state(name: str, text: str | None, wanted: str | bool) -> Answer:
    word = {True: "true", False: "false"}.get(wanted, wanted) if isinstance(wanted, bool) else wanted
    if text is None or text == "":
        found = "unset" if text is None else "empty"
        return word == found or (word == "unset" and text is None), f"`{name}` is {found}"
    if word in ("unset", "empty"):
        return False, f"`{name}` is set"
    if word == "set":
        return True, f"`{name}` is set"
    from orchestrator.requirements.variables import truth

    value = truth(text)
    if value is None:
        raise CannotTell(
            f"`{name}` is neither true nor false: write true/false, yes/no, on/off, y/n, t/f or 1/0"
        )
    return value == (word == "true"), f"`{name}` is {'true' if value else 'false'}"


def _text(value: Any) -> str:
    from orchestrator.requirements.variables import as_text

    return as_text(value)


def _exists(condition: Any, context: Context) -> Answer:
    there = os.path.exists(context.path(condition.exists))
    return there, f"{condition.exists} {'exists' if there else 'does not exist'}"


def _succeeds(condition: Any, context: Context) -> Answer:
    from orchestrator.system.processes import capture

    shown = " ".join(condition.succeeds)
    result = capture(condition.succeeds, context, condition.timeout or max(context.timeout, 10.0))
    if result.problem:
        raise CannotTell(f"`{shown}` {result.problem}")
    if result.code == 0:
        return True, f"`{shown}` succeeds"
    if result.code in condition.no_codes:
        return False, f"`{shown}` ended with {result.code}"
    raise CannotTell(
        f"`{shown}` ended with {result.code}, which is neither yes (0) nor no ({', '.join(map(str, condition.no_codes))})"
    )


def _word(found: str, wanted: str | tuple[str, ...], what: str) -> Answer:
    words = (wanted,) if isinstance(wanted, str) else wanted
    return found in words, f"the {what} is `{found}`" if found else f"there is no {what}"


def _role(condition: Any, context: Context) -> Answer:
    return _word(context.role, condition.role, "role")


def _environment(condition: Any, context: Context) -> Answer:
    return _word(context.environment, condition.environment, "environment")


def _root(condition: Any, context: Context) -> Answer:
    del context
    root = os.geteuid() == 0
    return root == condition.root, f"the engine is {'' if root else 'not '}root"


def _package(condition: Any, context: Context) -> Answer:
    from orchestrator.requirements.packages import KIND as PACKAGE

    outcome = PACKAGE.model_validate(condition.package).attempt(context)
    return outcome.ok, outcome.summary


def _step(condition: Any, context: Context) -> Answer:
    found = context.states.get(f"step:{condition.step}", "unknown")
    return found == condition.is_, f"step `{condition.step}` is {found}"


def _all(condition: Any, context: Context) -> Answer:
    answers = [holds(each, context) for each in condition.all_]
    wrong = [why for yes, why in answers if not yes]
    return not wrong, "; ".join(wrong or [why for _, why in answers])


def _any(condition: Any, context: Context) -> Answer:
    answers = [holds(each, context) for each in condition.any_]
    right = [why for yes, why in answers if yes]
    return bool(right), "; ".join(right or [why for _, why in answers])


def _not(condition: Any, context: Context) -> Answer:
    yes, why = holds(condition.not_, context)
    return not yes, why


_ANSWERS: dict[str, Callable[[Any, Context], Answer]] = {
    "Variable": _variable, "Exists": _exists, "Succeeds": _succeeds, "Role": _role, "Environment": _environment,
    "Root": _root, "Package": _package, "Step": _step, "All": _all, "AnyOf": _any, "Not": _not,
}  # fmt: skip
"""By the name of the condition's class: the classes themselves are imported only where a spec has a condition."""
