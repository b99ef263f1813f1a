"""Choosing the model of a mapping by the key that is present, before that model validates it.

So an error is about the kind that was meant, and not about every kind there is.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from orchestrator.document.node import words_for
from orchestrator.spec.errors import combined, details, problem, refuse_template
from orchestrator.spec.model import Model
from orchestrator.spec.wording import NOTHING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from pydantic import ValidationError

_LISTS = {"condition": "for several write {all: [...]} or {any: [...]}"}
_EXAMPLES = {
    "condition": "for example {variable: DEBUG, is: true}", "wait": "for example `tcp: db:5432`", "fallback action": "for example `warn`",
    "check": "for example `run: [python, -m, app.check]`",
}  # fmt: skip


def validate_chosen(
    data: Any,
    noun: str,
    names: Collection[str],
    common: Collection[str],
    load: Callable[[str], type[Model]],
    removed: Mapping[str, str] = MappingProxyType({}),
) -> Any:
    """Validates a mapping by the model whose key is present: exactly one of `names`.

    `common` are keys that a mapping of any kind has, `removed` those of kinds of earlier releases, each with a hint.
    """
    if isinstance(data, Model):
        return data
    refuse_template(data)
    if not isinstance(data, dict):
        hint = NOTHING if data is None else _LISTS.get(noun, "") if isinstance(data, tuple) else ""
        raise problem("ORC102", f"expected a {noun}, got {words_for(data)}", hint or _example(noun, names))
    present = [key for key in data if key in names]
    if len(present) > 1:
        listed = " and ".join(f"`{each}`" for each in present)
        message = f"a {noun} has exactly one kind, found {listed}"
        raise problem("ORC111", message, "split it in two", exclusive=present)
    if not present and (gone := next((key for key in data if key in removed), None)):
        raise problem("ORC104", f"`{gone}` was removed from {noun}", removed[gone], gone)
    if not present:
        raise _no_kind(data, noun, names, common)
    return load(present[0]).model_validate(data)


def _no_kind(
    data: Mapping[Any, Any], noun: str, names: Collection[str], common: Collection[str]
) -> ValidationError:
    """No key is a kind: which was meant to be one; and those that were meant to be something else."""
    from orchestrator.core.suggest import closest

    strangers = [str(key) for key in data if key not in common and not str(key).startswith("x-")]
    kinds = {key: near for key in strangers if (near := closest(key, names))}
    others = {key: near for key in strangers if key not in kinds and (near := closest(key, common))}
    listed = ", ".join(f"`{each}`" for each in sorted(names))
    unknown = next(iter(kinds), None) or next((key for key in strangers if key not in others), None)
    if unknown is None:
        kind = problem("ORC111", f"a {noun} needs one of {listed}", _example(noun, names))
    else:
        hint = f"did you mean `{kinds[unknown]}`?" if unknown in kinds else f"one of {listed}"
        kind = problem("ORC112", f"unknown kind of {noun} `{unknown}`", hint, unknown)
    found = details(kind, value=data)
    for key, near in others.items():
        misspelt = problem("ORC104", f"unknown key `{key}` in {noun}", f"did you mean `{near}`?", key)
        found += details(misspelt, value=data)
    return combined(found)


def _example(noun: str, names: Collection[str]) -> str:
    return _EXAMPLES.get(noun) or (f"write the {noun} as `{min(names)}: …`" if names else "")
