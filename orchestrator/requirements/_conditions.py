"""Whether a condition of the spec holds now: evaluate it, and ask what it needs to know of the machine."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from orchestrator.core.conditions import Facts, evaluate, leaves

if TYPE_CHECKING:
    from orchestrator.core.conditions import Answer
    from orchestrator.core.conditions import Condition as Lowered
    from orchestrator.core.context import Context
    from orchestrator.spec.conditions import Condition

COMMAND_TIMEOUT = 10.0
"""The least time, in seconds, that a command gets which says nothing itself."""


class CannotTell(Exception):
    """A condition that is neither yes nor no: a command that failed, a text that is no boolean."""


def holds(condition: Condition, context: Context) -> tuple[bool, str]:
    """Whether it holds, and a reason such as "`DEBUG` is unset"; raises CannotTell."""
    found, why = answer(condition, context)
    if found is None:
        raise CannotTell(why)
    return found, why


def answer(condition: Condition, context: Context) -> Answer:
    """Whether it holds, and why; None where nobody can tell. Leaves are asked one at a time, only while they matter."""
    lowered, facts = condition.lowered(), facts_of(context)
    while True:
        found, why, leaf = evaluate(lowered, facts)
        if leaf is None:
            return found, why
        facts.answers[leaf] = ask(leaf, context)


def facts_of(context: Context) -> Facts:
    """What a start knows without asking."""
    return Facts(
        context.environ,
        role=context.role,
        environment=context.environment,
        root=context.as_root,
        steps=context.states,
    )


def runs_a_command(condition: Condition) -> bool:
    """Whether the answer may take the time of a command."""
    return any(leaf[0] == "succeeds" for leaf in leaves(condition.lowered()))


def ask(leaf: Lowered, context: Context) -> Answer:
    """The answer to a leaf that must be asked."""
    return _ASKED[leaf[0]](leaf, context)


def _exists(leaf: Lowered, context: Context) -> Answer:
    there = os.path.exists(context.path(leaf[1]))
    return there, f"{leaf[1]} {'exists' if there else 'does not exist'}"


def _succeeds(leaf: Lowered, context: Context) -> Answer:
    from orchestrator.system.processes import capture

    _, argv, no_codes, timeout = leaf
    shown = " ".join(argv)
    if not context.user_known:
        return None, f"`{shown}` is not run before it is settled who the service is"
    result = capture(argv, context, timeout or max(context.timeout, COMMAND_TIMEOUT))
    if result.problem:
        return None, f"`{shown}` {result.problem}"
    if result.code == 0:
        return True, f"`{shown}` succeeds"
    if result.code in no_codes:
        return False, f"`{shown}` ended with {result.code}"
    codes = ", ".join(map(str, no_codes))
    return None, f"`{shown}` ended with {result.code}, which is neither yes (0) nor no ({codes})"


def _package(leaf: Lowered, context: Context) -> Answer:
    from orchestrator.requirements.packages import KIND as PACKAGE

    outcome = PACKAGE.model_validate(leaf[1]).attempt(context)
    return outcome.ok, outcome.summary


_ASKED = {"exists": _exists, "succeeds": _succeeds, "package": _package}
