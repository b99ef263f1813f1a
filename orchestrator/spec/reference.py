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
from orchestrator.spec.schema import Builder, base_schema, checks, frozen, name_of
from orchestrator.spec.shapes import REFERENCE
from orchestrator.spec.shapes import types as types_of
from orchestrator.spec.spec import Spec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from orchestrator.spec.model import Model
    from orchestrator.spec.shapes import Schema

_PATTERNS = {"(ms|s|m|h|d)": "duration", "KiB|MiB": "size", "0?[0-7]{3,4}": "file mode"}
"""What is special about the pattern of a text that has a word of its own."""
_WORDS = {"string": "text", "integer": "whole number", "number": "number", "boolean": "boolean", "array": "list", "object": "mapping", "null": "nothing"}  # fmt: skip
_MOST = 15
"""A longer list of words is cut short."""
COMMON = tuple(Item.keys())
"""The keys of every item: told once, and left out where a page lists what is special."""


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
    return sorted({word for each in _everything(plugins=plugins) for word in (each.word, *each.others)})


def page(word: str) -> str | None:
    """The page of a word, as text for a terminal; None where there is none. A word may name several things.

    Plug-ins are asked when nothing built in has the word.
    """
    wanted = word.strip().casefold()
    for plugins in (False, True):
        found = [
            each
            for each in _everything(plugins=plugins)
            if wanted in map(str.casefold, (each.word, *each.others))
        ]
        if found:
            return "\n\n".join(_page(each) for each in found) + "\n"
    return None


def everything() -> tuple[Topic, ...]:
    """Every topic that is built in."""
    return _everything(plugins=False)


@cache
def _everything(*, plugins: bool) -> tuple[Topic, ...]:
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
    builder = Builder(plugins=False, overlay=False)
    for name, info in Spec.model_fields.items():
        models = [each for each in builder.reached_from(info) if each not in _kinds()]
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


def _is_item(models: Sequence[type[Model]]) -> bool:
    return bool(models) and all(issubclass(each, Item) for each in models)


def checks_(schema: Schema, *, plugins: bool = False) -> Iterator[Topic]:
    for word, model in checks(plugins=plugins).items():
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
    builder = Builder(plugins=False, overlay=False)
    told = {name_of(each) for each in _kinds()} | {
        name_of(each) for info in Spec.model_fields.values() for each in builder.reached_from(info)
    }
    for model in builder.classes:
        if name_of(model) not in told and model not in (Spec, expect.Expect, expect.Matcher):
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
    mapping = _mapping(schema["$defs"][name_of(model)])
    for name, info in model.model_fields.items():
        key = info.alias or name
        if key in only or not (only or (issubclass(model, Item) and key in COMMON)):
            each = mapping["properties"][key]
            yield Key(
                key,
                words(each),
                info.required,
                each.get("default"),
                info.description or "",
                tuple(info.examples or ()),
            )


def _mapping(schema: Schema) -> Schema:
    """The part of a definition that is about mappings."""
    return next((each for each in schema.get("anyOf", ()) if "properties" in each), schema)


def words(schema: Schema) -> str:
    """What a value may be, in words."""
    if {"$ref": "#/$defs/matcher"} in schema.get("anyOf", ()):
        return "matcher (`matcher`)"
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
    return frozenset(
        name_of(each) for each in Builder(plugins=False, overlay=False).classes if each.shorthand
    )


# Examples: true, because each key is added only while the model still takes the whole


def example_of(model: type[Model]) -> Any:
    """An example of a model: its own, or one made of the examples of its fields."""
    own = getattr(model, "example", None)
    if own:
        return own
    properties = _mapping(_definitions()[name_of(model)])["properties"]
    fields = {info.alias or name: info for name, info in model.model_fields.items()}
    made = {
        key: info.examples[0] if info.examples else _value(properties[key])
        for key, info in fields.items()
        if info.required
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
    from orchestrator.spec.errors import ValidationError

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


# Pages


def _page(topic: Topic) -> str:
    parts = [topic.title, "=" * len(topic.title), "", topic.text]
    if topic.needs:
        parts += ["", f"Needs {topic.needs}"]
    if topic.example is not None:
        parts += ["", *(f"    {line}" for line in yaml_of(topic.example).splitlines())]
    for key in topic.keys:
        parts += ["", f"{key.name}: {facts(key)}", f"    {key.description}"]
    if topic.item:
        parts += ["", f"And the keys of every item: {', '.join(COMMON)} (explain item)"]
    return "\n".join(parts)


def facts(key: Key) -> str:
    return (
        key.words
        + (", required" if key.required else "")
        + (f", default {inline(key.default)}" if key.default is not None else "")
    )


def markdown(topic: Topic, level: int = 2) -> str:
    """A topic as it stands in docs/reference."""
    parts = [f"{'#' * level} `{topic.word}`", "", topic.text, ""]
    if topic.needs:
        parts += [f"Needs {topic.needs}", ""]
    if topic.example is not None:
        parts += ["```yaml", yaml_of(topic.example).rstrip("\n"), "```", ""]
    if topic.keys:
        parts += ["| key | value | meaning |", "|---|---|---|", *(_row(each) for each in topic.keys), ""]
    if topic.item:
        parts += [
            f"And the [keys of every item](mappings.md#item): {', '.join(f'`{each}`' for each in COMMON)}.",
            "",
        ]
    return "\n".join(parts)


def _row(key: Key) -> str:
    facts = [key.description]
    if key.required:
        facts.append("Required.")
    if key.default is not None:
        facts.append(f"Default: `{inline(key.default)}`.")
    if key.examples:
        facts.append("Example: " + ", ".join(f"`{inline(each)}`" for each in key.examples) + ".")
    return f"| `{key.name}` | {_linked(_cell(key.words))} | {_cell(' '.join(facts))} |"


def _file(name: str) -> str:
    return "matchers.md" if name in (name_of(expect.Expect), name_of(expect.Matcher)) else "mappings.md"


def _linked(words_: str) -> str:
    """The names of mappings as links to them."""
    return re.sub(
        r"\(`([a-z.-]+)`\)",
        lambda found: f"([`{found[1]}`]({_file(found[1])}#{found[1].replace('.', '')}))",
        words_,
    )


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def inline(value: Any) -> str:
    """A value as it is written in YAML, on one line."""
    import yaml

    return (
        str(yaml.safe_dump(value, default_flow_style=True, width=10_000, sort_keys=False))
        .removesuffix("\n")
        .removesuffix("\n...")
    )


def yaml_of(value: Any) -> str:
    import yaml

    class Indented(yaml.SafeDumper):
        def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
            super().increase_indent(flow, False)

    return str(yaml.dump(value, Dumper=Indented, sort_keys=False, width=100, allow_unicode=True))


def joined(topics_: Iterable[Topic], level: int = 2) -> str:
    return "\n".join(markdown(each, level) for each in topics_)
