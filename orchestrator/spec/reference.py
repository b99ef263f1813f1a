"""What there is to say about each section and kind, from the models: for `explain` and docs/reference.

The facts are read from the classes and their JSON Schema; nothing is listed by hand but the order of the pages.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from inspect import cleandoc
from typing import TYPE_CHECKING, Any

from orchestrator.spec import conditions, expect, kinds
from orchestrator.spec.item import Item
from orchestrator.spec.schema import COMMON, Builder, base_schema, frozen
from orchestrator.spec.schema_fields import name_of
from orchestrator.spec.schema_parts import REFERENCE
from orchestrator.spec.schema_parts import types as types_of
from orchestrator.spec.sections import checks
from orchestrator.spec.spec import Spec

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from orchestrator.spec.model import Model
    from orchestrator.spec.schema_parts import Schema

_PATTERNS = {"(ms|s|m|h|d)": "duration", "KiB|MiB": "size", "0?[0-7]{3,4}": "file mode"}
"""What is special about the pattern of a text that has a word of its own."""
_WORDS = {"string": "text", "integer": "whole number", "number": "number", "boolean": "boolean", "array": "list", "object": "mapping", "null": "nothing"}  # fmt: skip
_MOST = 15
"""A longer list of words is cut short."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key that may be written: what it takes and what it is for."""

    name: str
    words: str
    required: bool
    default: Any
    description: str
    examples: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Topic:
    """A section, a kind, or a mapping that stands in them."""

    word: str
    family: str
    """`section`, `wait`, `fallback action`, `condition`, or `mapping`."""
    text: str
    keys: tuple[Key, ...] = ()
    example: Any = None
    """A part of a spec in which it stands; None where there is none."""
    needs: str = ""
    """What must be installed for it."""
    item: bool = False
    """Whether it takes the keys of every item besides its own."""
    others: tuple[str, ...] = field(default=())
    """Words that it is found by as well: how its items begin their ids."""

    @property
    def title(self) -> str:
        return f"{self.word} ({self.family})"


def topics(*, plugins: bool = False) -> list[str]:
    """Every word there is a page for."""
    return sorted({word for each in everything(plugins=plugins) for word in (each.word, *each.others)})


@cache
def everything(*, plugins: bool = False) -> tuple[Topic, ...]:
    """Every topic, on request with those of installed plug-ins."""
    schema = base_schema(plugins=plugins)
    return (
        *sections(schema),
        *waits(schema, plugins=plugins),
        *checks_(schema, plugins=plugins),
        *actions(schema, plugins=plugins),
        *conditions_(schema),
        *matchers(schema),
        *mappings(schema),
    )


def sections(schema: Schema) -> Iterator[Topic]:
    """The keys of `startup.yaml`."""
    for name in Spec.keys():
        models = _models_in(name)
        own = schema["properties"][name]
        text = own["description"]
        keys: tuple[Key, ...] = ()
        others: tuple[str, ...] = ()
        if len(models) == 1 or name in ("variables", "user"):
            model = models[0]
            text = _doc(model) if _doc(model).startswith(text) else f"{text}\n\n{_doc(model)}"
            keys = tuple(_keys(model, schema))
            others = tuple(each for each in (getattr(model, "kind", ""),) if each and each != name)
        example = _section_example(name, own, models)
        yield Topic(name, "section", text, keys, example, others=others, item=_is_item(models))


@cache
def _builder() -> Builder:
    return Builder(plugins=False, overlay=False)


def _models_in(section: str) -> list[type[Model]]:
    """The models that a section refers to itself, in the order of their definitions; kinds have pages of their own."""
    names = set(re.findall(r"#/\$defs/([\w.-]+)", repr(_builder().raw[Spec][section])))
    return [each for each in _builder().classes if name_of(each) in names and each not in _kinds()]


def _is_item(models: Sequence[type[Model]]) -> bool:
    return bool(models) and all(issubclass(each, Item) for each in models)


def checks_(schema: Schema, *, plugins: bool = False) -> Iterator[Topic]:
    for word, model in Builder(plugins=plugins, overlay=False).of_section("checks").items():
        yield _kind(word, "check", model, schema, {"checks": [example_of(model)]})


def waits(schema: Schema, *, plugins: bool = False) -> Iterator[Topic]:
    for word in kinds.WAITS.names(plugins=plugins):
        model = kinds.WAITS.load(word)
        yield _kind(
            word, "wait", model, schema, {"wait_for": [example_of(model)]}, getattr(model, "extra", "")
        )


def actions(schema: Schema, *, plugins: bool = False) -> Iterator[Topic]:
    for word in kinds.FALLBACKS.names(plugins=plugins):
        model = kinds.FALLBACKS.load(word)
        yield _kind(word, "fallback action", model, schema, {"fallbacks": {"example": [example_of(model)]}})


def conditions_(schema: Schema) -> Iterator[Topic]:
    for word, model in conditions.KINDS.items():
        yield _kind(
            word, "condition", model, schema, {"checks": [{"name": "example", "holds": example_of(model)}]}
        )


def mappings(schema: Schema) -> Iterator[Topic]:
    """What stands inside sections and kinds, by the name of its definition."""
    covered = {*_kinds(), *(each for key in Spec.keys() for each in _models_in(key))}
    for model in _builder().classes:
        if model not in covered and model not in (Spec, expect.Expect, expect.Matcher):
            yield Topic(
                name_of(model),
                "mapping",
                _doc(model),
                tuple(_keys(model, schema)),
                item=issubclass(model, Item),
            )
    yield Topic(
        "item",
        "keys of every item",
        _doc(Item),
        tuple(_keys(kinds.WAITS.load(kinds.WAITS.built_in[0]), schema, COMMON)),
    )


def matchers(schema: Schema) -> Iterator[Topic]:
    """`expect` and the operators of a matcher."""
    for model in (expect.Expect, expect.Matcher):
        yield Topic(name_of(model), "mapping", _doc(model), tuple(_keys(model, schema)))


@cache
def _kinds() -> frozenset[type[Model]]:
    families = [[family.load(each) for each in family.built_in] for family in (kinds.WAITS, kinds.FALLBACKS)]
    return frozenset([*families[0], *families[1], *conditions.KINDS.values(), *checks().values()])


def _kind(word: str, family: str, model: type[Model], schema: Schema, example: Any, extra: str = "") -> Topic:
    needs = f"the extra `{extra}`: pip install 'startup-orchestrator[{extra}]'" if extra else ""
    return Topic(
        word, family, _doc(model), tuple(_keys(model, schema)), example, needs, issubclass(model, Item)
    )


def _doc(model: type[Model]) -> str:
    return cleandoc(model.__doc__ or "")


# Keys and what they take


def _keys(model: type[Model], schema: Schema, only: Sequence[str] = ()) -> Iterator[Key]:
    """The keys of a model: its own, without those of every item, or only the named ones."""
    properties = properties_of(model, schema)
    for name, info in model.model_fields.items():
        key = info.alias or name
        if key in only or not (only or (issubclass(model, Item) and key in COMMON)):
            each = properties[key]
            yield Key(
                key,
                words(each),
                info.is_required(),
                each.get("default"),
                info.description or "",
                tuple(info.examples or ()),
            )


def properties_of(model: type[Model], schema: Schema) -> dict[str, Schema]:
    """The schemas of a model's keys, those of every item as well."""
    definitions = schema["$defs"]
    found = _mapping(definitions[name_of(model)])["properties"]
    common = "#/$defs/item."
    return {key: definitions[each["$ref"].removeprefix("#/$defs/")] if each.get("$ref", "").startswith(common) else each
            for key, each in found.items()}  # fmt: skip


def _mapping(schema: Schema) -> Schema:
    """The part of a definition that is about mappings."""
    return next((each for each in schema.get("anyOf", ()) if "properties" in each), schema)


def words(schema: Schema) -> str:
    """What a value may be, in words."""
    found = list(dict.fromkeys(_words(schema)))
    if len(found) > _MOST:
        found = [*found[:3], f"{len(found) - 3} more words"]
    if len(found) > 1 and "nothing" in found:
        found.remove("nothing")
    for each in found:
        others = [other for other in found if other != each]
        if len(others) > 1 and each == f"list of {_either(others)}":
            return f"{_either(others)}, or a list of them"
    return _either(found) if found else "anything"


def _either(found: Sequence[str]) -> str:
    return found[0] if len(found) == 1 else f"{', '.join(found[:-1])} or {found[-1]}"


def _words(schema: Schema) -> Iterator[str]:
    if "$ref" in schema:
        yield from _of_reference(schema["$ref"].rpartition("/")[2])
    for each in schema.get("enum", [schema["const"]] if "const" in schema else ()):
        yield f"`{str(each).lower() if isinstance(each, bool) else each}`"
    for each in schema.get("anyOf", ()):
        yield from _words(each)
    named = [] if "enum" in schema or "const" in schema else types_of(schema)
    for each in named:
        if each == "array" and "items" in schema:
            yield f"list of {_several(words(schema['items']))}"
        elif each == "object" and isinstance(schema.get("additionalProperties"), dict):
            yield f"mapping of names to {words(schema['additionalProperties'])}"
        elif each == "string" and schema.get("pattern", "") == REFERENCE:
            continue
        elif each == "string":
            yield _of_text(schema.get("pattern", ""))
        else:
            yield _WORDS[each]


def _of_text(pattern: str) -> str:
    return next((word for part, word in _PATTERNS.items() if part in pattern), "text")


def _several(each: str) -> str:
    return {"text": "texts", "mapping": "mappings", "whole number": "whole numbers"}.get(each, each)


def _of_reference(name: str) -> Iterator[str]:
    families = {
        "AnyMatcher": "matcher (`matcher`)",
        "condition": "condition",
        "action": "fallback action",
        "actions": "fallback action or list of them",
    }
    if name in families:
        yield families[name]
        return
    if name in _texts():
        yield "text"
    yield f"mapping (`{name}`)"


@cache
def _texts() -> frozenset[str]:
    """The definitions that have a short form."""
    return frozenset(name_of(each) for each in _builder().classes if each.shorthand)


# Examples: true, because each key is added only while the model still takes the whole


def example_of(model: type[Model]) -> Any:
    """An example of a model: its own, or one made of the examples of its fields."""
    own = getattr(model, "example", None)
    if own:
        return own
    properties = properties_of(model, {"$defs": _definitions()})
    fields = {info.alias or name: info for name, info in model.model_fields.items()}
    made = {
        key: info.examples[0] if info.examples else _value(properties[key])
        for key, info in fields.items()
        if info.is_required()
    }
    for key, info in fields.items():
        if (
            info.examples
            and key not in made
            and key not in COMMON
            and _holds(model, {**made, key: info.examples[0]})
        ):
            made[key] = info.examples[0]
    if made or issubclass(model, conditions.Condition):
        return made
    word = model.__module__.rpartition(".")[2]
    return word if _holds(model, {word: None}) else {}


@cache
def _definitions() -> dict[str, Schema]:
    return {**base_schema(plugins=True)["$defs"]}


def _value(schema: Schema) -> Any:
    if schema.get("examples"):
        return schema["examples"][0]
    for each in (schema, *schema.get("anyOf", ())):
        if "enum" in each or "const" in each:
            return each.get("enum", [each.get("const")])[0]
        if "boolean" in each.get("type", ()):
            return True
    return "example"


def _holds(model: type[Model], data: Any) -> bool:
    from pydantic import ValidationError

    try:
        model.model_validate(frozen(data))
    except ValidationError:
        return False
    return True


def _section_example(name: str, schema: Schema, models: list[type[Model]]) -> Any:
    if schema.get("examples"):
        return {name: schema["examples"][0]}
    if not models or name in ("on_failure", "fallbacks"):
        return None
    if name == "wait_for":
        return {name: [example_of(kinds.WAITS.load(kinds.WAITS.built_in[0]))]}
    made = example_of(models[0])
    if not made:
        return None
    return {
        name: {"EXAMPLE": made} if name == "variables" else [made] if schema.get("type") == "array" else made
    }
