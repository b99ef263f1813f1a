"""Evaluate conditions in three-valued logic: true, false, or unknown.

A condition is a tuple that begins with a word: `("variable", name, test, value)`, `("exists", path)`, `("succeeds",
argv, no_codes, timeout)`, `("package", requirement)`, `("role", words)`, `("environment", words)`, `("root", wanted)`,
`("step", id, status)`, `("all", parts)`, `("any", parts)`, `("not", part)`. A value that only a start knows is None.
A plan, a start and a rehearsal evaluate the same conditions and differ in their `Facts` alone.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from typing import Any

    Condition = tuple[Any, ...]
    Answer = tuple[bool | None, str]
    """Whether it holds (None: nobody can tell), and why."""
    Evaluation = tuple[bool | None, str, Condition | None]
    """An answer, and the first leaf that must be asked before there is one; None when asking would not help."""

TRUE_WORDS = frozenset({"true", "yes", "on", "y", "t", "1"})
FALSE_WORDS = frozenset({"false", "no", "off", "n", "f", "0"})


class Facts:
    """What is known while a condition is evaluated."""

    __slots__ = ("answers", "complete", "environ", "environment", "late", "role", "root", "steps")

    def __init__(
        self,
        environ: Mapping[str, str],
        *,
        role: str = "",
        environment: str = "",
        root: bool | None = None,
        steps: Mapping[str, str] | None = None,
        complete: bool = True,
        late: Collection[str] = (),
    ) -> None:
        self.environ = environ
        self.complete = complete
        """Whether a variable that `environ` lacks is unset; else its value is unknown."""
        self.late = late
        """Variables whose values only a start knows."""
        self.role, self.environment, self.root = role, environment, root
        self.steps = steps
        """The status of each step, by id; None where no step has run yet."""
        self.answers: dict[Condition, Answer] = {}
        """What was answered to the leaves that were asked."""


def evaluate(condition: Condition, facts: Facts) -> Evaluation:
    """Whether a condition holds, why, and the leaf to ask when that is what is missing: leaves are asked left to right."""
    return _EVALUATORS[condition[0]](condition, facts)


def leaves(condition: Condition) -> Iterator[Condition]:
    """The conditions that are not made of others."""
    if condition[0] in ("all", "any"):
        for part in condition[1]:
            yield from leaves(part)
    elif condition[0] == "not":
        yield from leaves(condition[1])
    else:
        yield condition


def truth(text: str) -> bool | None:
    """What a text means as a boolean; None when it is not one of the usual words."""
    word = text.strip().lower()
    return True if word in TRUE_WORDS else False if word in FALSE_WORDS else None


def _variable(condition: Condition, facts: Facts) -> Evaluation:
    _, name, test, value = condition
    text = facts.environ.get(name)
    if name in facts.late or (text is None and not facts.complete):
        return None, f"only a start knows `{name}`", None
    if test == "is":
        return (*_state(name, text, value), None)
    if text is None:
        return False, f"`{name}` is unset", None
    return _TESTS[test](name, text, value)


def _state(name: str, text: str | None, wanted: str | None) -> Answer:
    if wanted is None:
        return None, f"only a start knows what `{name}` must be"
    if not text:
        found = "unset" if text is None else "empty"
        return wanted == found, f"`{name}` is {found}"
    if wanted in ("set", "unset", "empty"):
        return wanted == "set", f"`{name}` is set"
    value = truth(text)
    if value is None:
        return (
            None,
            f"`{name}` is neither true nor false: write true/false, yes/no, on/off, y/n, t/f or 1/0",
        )
    return value == (wanted == "true"), f"`{name}` is {'true' if value else 'false'}"


def _equals(name: str, text: str, wanted: str | None) -> Evaluation:
    if wanted is None:
        return None, f"only a start knows what `{name}` must equal", None
    return text == wanted, f"`{name}` is {'' if text == wanted else 'not '}`{wanted}`", None


def _in(name: str, text: str, words: tuple[str | None, ...]) -> Evaluation:
    found = _is_one_of(text, words)
    shown = ", ".join(word for word in words if word is not None)
    return found, f"`{name}` is {'' if found else 'not '}one of {shown}", None


def _matches(name: str, text: str, pattern: str | None) -> Evaluation:
    if pattern is None:
        return None, f"only a start knows what `{name}` must match", None
    import re

    found = re.search(pattern, text) is not None
    return found, f"`{name}` {'matches' if found else 'does not match'} `{pattern}`", None


def _is_one_of(word: str, words: tuple[str | None, ...]) -> bool | None:
    return True if word in words else None if None in words else False


def _asked(condition: Condition, facts: Facts) -> Evaluation:
    """A leaf that is answered from outside; one with a part that only a start knows cannot be asked yet."""
    if condition in facts.answers:
        return (*facts.answers[condition], None)
    subject = condition[1]
    known = subject is not None and None not in (subject if isinstance(subject, tuple) else ())
    return None, f"only a start knows whether it {condition[0]}", condition if known else None


def _role(condition: Condition, facts: Facts) -> Evaluation:
    return _named("role", facts.role, condition[1])


def _environment(condition: Condition, facts: Facts) -> Evaluation:
    return _named("environment", facts.environment, condition[1])


def _named(kind: str, word: str, words: tuple[str | None, ...]) -> Evaluation:
    return _is_one_of(word, words), f"the {kind} is `{word}`" if word else f"there is no {kind}", None


def _root(condition: Condition, facts: Facts) -> Evaluation:
    if facts.root is None or condition[1] is None:
        return None, "only a start knows who it runs as", None
    return facts.root == condition[1], f"the service was {'' if facts.root else 'not '}started as root", None


def _step(condition: Condition, facts: Facts) -> Evaluation:
    _, step, wanted = condition
    name = step.partition(":")[2]
    if facts.steps is None or wanted is None:
        return None, f"only a start knows the status of step `{name}`", None
    status = str(facts.steps.get(step, "unknown"))
    return status == wanted, f"step `{name}` is {status}", None


def _all(condition: Condition, facts: Facts) -> Evaluation:
    return _combined([evaluate(part, facts) for part in condition[1]], decisive=False)


def _any(condition: Condition, facts: Facts) -> Evaluation:
    return _combined([evaluate(part, facts) for part in condition[1]], decisive=True)


def _combined(parts: list[Evaluation], *, decisive: bool) -> Evaluation:
    """One decisive part decides whatever the others are; else an unknown one leaves the whole unknown."""
    for value in (decisive, None, not decisive):
        found = [part for part in parts if part[0] is value]
        if found:
            leaf = next((part[2] for part in found if part[2] is not None), None)
            return value, "; ".join(part[1] for part in found), leaf
    return not decisive, "", None


def _not(condition: Condition, facts: Facts) -> Evaluation:
    holds, why, leaf = evaluate(condition[1], facts)
    return None if holds is None else not holds, why, leaf


_TESTS: dict[str, Callable[[str, str, Any], Evaluation]] = {"equals": _equals, "in": _in, "matches": _matches}
_EVALUATORS: dict[str, Callable[[Condition, Facts], Evaluation]] = {
    "variable": _variable, "exists": _asked, "succeeds": _asked, "package": _asked, "role": _role, "root": _root,
    "environment": _environment, "step": _step, "all": _all, "any": _any, "not": _not,
}  # fmt: skip
