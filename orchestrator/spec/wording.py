"""The errors that a model finds in its own mapping, in words for users: unknown and missing keys, no mapping at all."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import ValidationError

from orchestrator.document.node import words_for
from orchestrator.document.plain import Template
from orchestrator.spec.building import adapter
from orchestrator.spec.errors import ENOUGH, combined, detail, details, problem, refuse_template

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import TypeAdapter
    from pydantic.fields import FieldInfo
    from pydantic_core import InitErrorDetails

    from orchestrator.spec.errors import Problem

ModelType = Any
"""A subclass of Model, which is itself built on this module."""
NOTHING = "write what belongs there, or take the line out"
"""The hint for a key with nothing behind it."""
ITEM_KEYS = frozenset({"id", "why", "needs", "when", "timeout", "deadline", "retry", "on_failure"})
"""Keys of every item: known, and left out where a message lists what is special."""


def worded(model: ModelType, data: Any, error: ValidationError) -> ValidationError | Problem:
    """The same error; what it says of the model's own keys is put into our words."""
    lines = error.errors(include_url=False)[: ENOUGH + 1]
    if lines[0]["type"] == "model_type" and not lines[0]["loc"]:
        refuse_template(data)
        return _no_mapping(model, data)
    found: list[InitErrorDetails] = []
    meant: set[str] = set()
    for line in lines:
        if line["type"] == "extra_forbidden":
            unknown, near = _unknown_key(model, str(line["loc"][0]), data)
            meant.add(near)
            found += details(unknown, *line["loc"], value=line["input"])
    for line in lines:
        if line["type"] == "missing":
            if line["loc"][0] not in meant:
                found += details(_missing_key(model, str(line["loc"][0])), value=data)
        elif line["type"] != "extra_forbidden":
            found.append(detail(line))
    return combined(found)


def noun_of(model: ModelType) -> str:
    """`RestartPolicy` is a restart policy."""
    return (
        model.noun
        or "".join(
            f" {each.lower()}" if each.isupper() else each for each in model.__name__.lstrip("_")
        ).strip()
    )


def _unknown_key(model: ModelType, key: str, data: Mapping[str, Any]) -> tuple[Problem, str]:
    """The error, and the key here that was meant, where that is known."""
    noun = noun_of(model)
    if key in model.removed_keys:
        return problem("ORC104", f"`{key}` was removed from {noun}", model.removed_keys[key]), ""
    if text := _cut_at_comma(key, data):
        return problem("ORC104", f"unknown key `{key}` in {noun}", text), ""
    if near := model.elsewhere.get(key, ""):
        hint = f"here it is called `{near}`" if near in model.keys() else near
    elif near := next((holder for holder, keys in model.below().items() if key in keys), ""):
        hint = f"it stands under `{near}`: `{near}: {{{key}: …}}`"
    elif near := _nearest(model, key):
        hint = f"did you mean `{near}`?"
    else:
        own = sorted(model.keys(), key=lambda each: each in ITEM_KEYS)  # what is special comes first
        hint = "the keys are " + ", ".join(f"`{each}`" for each in own)
    return problem("ORC104", f"unknown key `{key}` in {noun}", hint), near


def _cut_at_comma(key: str, data: Mapping[str, Any]) -> str:
    """The hint where a key is the rest of a text that a comma within `{}` has ended; else empty."""
    keys = list(data)
    at = keys.index(key)
    if data[key] is not None or " " not in key or at == 0 or not isinstance(data[keys[at - 1]], str):
        return ""
    before = keys[at - 1]
    return f'a comma ends a text within `{{}}`: write `{before}: "{data[before]}, {key}"`'


def _nearest(model: ModelType, key: str) -> str:
    from orchestrator.core.suggest import closest

    return closest(key, model.keys()) or ""


def _missing_key(model: ModelType, key: str) -> Problem:
    field = next(each for name, each in model.model_fields.items() if (each.alias or name) == key)
    text = (field.description or "").rstrip(".")
    hint = f"`{key}` is {text[:1].lower()}{text[1:]}" if text else ""
    return problem("ORC101", f"missing key `{key}` in {noun_of(model)}", hint, key)


def _no_mapping(model: ModelType, data: Any) -> Problem:
    expected = "a text or a mapping" if model.shorthand else "a mapping"
    message = f"expected {expected} for {noun_of(model)}, got {words_for(data)}"
    return problem("ORC102", message, _mapping_hint(model, data))


def _mapping_hint(model: ModelType, data: Any) -> str:
    if data is None:
        return NOTHING
    if model.shorthand and not isinstance(data, tuple):
        specifier = model.shorthand == "version"
        return f'write a specifier in quotes: ">={data}"' if specifier else f'write it in quotes: "{data}"'
    spelled = model.spelled_out(data) if isinstance(data, str) else ""
    meant = [] if isinstance(data, tuple | Template) else _keys_that_take(model, data)
    if spelled or meant:
        return "write " + (spelled or " or ".join(f"`{{{key}: {data}}}`" for key in meant))
    own = [key for key in model.keys() if key not in ITEM_KEYS] or model.keys()
    return "the keys are " + ", ".join(f"`{each}`" for each in own)


def _keys_that_take(model: ModelType, value: Any) -> list[str]:
    """The keys that a single value may stand for; a whole number is no number with a point."""
    found = []
    for key, of_key in _adapters(model).items():
        try:
            made = of_key.validate_python(value)
        except ValidationError:
            continue
        if isinstance(value, str) or made.__class__ is value.__class__:
            found.append(key)
    return found if len(found) <= 2 else []


@cache
def _adapters(model: ModelType) -> Mapping[str, TypeAdapter[Any]]:
    """What validates a single value of each key, but for the keys of every item."""
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    return {key: _adapter(field) for key, field in fields.items() if key not in ITEM_KEYS}


def _adapter(field: FieldInfo) -> TypeAdapter[Any]:
    annotation: Any = field.annotation
    for mark in field.metadata:
        annotation = Annotated[annotation, mark]
    return adapter(annotation)
