"""The JSON Schemas of `startup.yaml` and its overlays, from the models. Nothing here lists a kind or a field.

pydantic makes the schema of each field; what it cannot know is put in here: short forms, `x-` keys, `${…}`, and which
key tells the kind.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from orchestrator.spec import conditions, expect, item, kinds, sections
from orchestrator.spec.roles import TOP_ONLY
from orchestrator.spec.schema_fields import FieldSchemas, name_of
from orchestrator.spec.schema_parts import NOTES, Schema, explained, removable, simplified, text_part, union
from orchestrator.spec.spec import Spec
from orchestrator.spec.types import spelled_duration, spelled_size

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from orchestrator.spec.model import Model

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def base_schema(*, plugins: bool = False) -> Schema:
    """The JSON Schema (draft 2020-12) of `startup.yaml`. `plugins`: also the kinds of installed plug-ins."""
    return Builder(plugins=plugins, overlay=False).document(
        "Start-up contract",
        "startup.yaml: what a service needs to start, how it is started, and what is done when something fails.",
    )


def overlay_schema(*, plugins: bool = False) -> Schema:
    """The same for `startup.<environment>.yaml`: nothing but the identity of an item is required."""
    return Builder(plugins=plugins, overlay=True).document(
        "Overlay of a start-up contract",
        "startup.<environment>.yaml, laid over startup.yaml: mappings merge, items merge by identity, all else is replaced. "
        "`!replace` before a value replaces the whole, `KEY: !remove` and `- !remove NAME` take one out.",
    )


class Builder:
    """Makes one document: a definition for each model that can be reached from the spec."""

    def __init__(self, *, plugins: bool, overlay: bool) -> None:
        self.plugins = plugins
        self.overlay = overlay
        self.fields = FieldSchemas()
        families = (each for section in ("wait_for", "checks") for each in self.of_section(section).values())
        own = (sections.model_of(each) for each in sections.ITEM_LISTS if each not in ("wait_for", "checks"))
        self.items = dict.fromkeys([*own, *families])

    def document(self, title: str, description: str) -> Schema:
        definitions = {name_of(each): self.definition(each) for each in self.classes}
        root = definitions.pop(name_of(Spec))
        everything = {**definitions, **self.shared, **self.common, **self.roles(root)}
        return {
            "$schema": DIALECT,
            **root,
            "title": title,
            **_described(description),
            "$defs": dict(sorted(everything.items())),
        }

    def roles(self, root: Schema) -> dict[str, Schema]:
        """The definition of a role: a part of a spec, laid over the rest as an overlay is."""
        if self.overlay:
            part = {key: each for key, each in root["properties"].items() if key not in TOP_ONLY}
            description = _described("A part of a spec, laid over the rest when the role is chosen.")
            return {"role": {**root, "properties": part, **description}}
        overlay = overlay_schema(plugins=self.plugins)["$defs"]
        names = {f"#/$defs/{name}": f"#/$defs/overlay.{name}" for name in overlay}
        made = {f"overlay.{name}": _renamed(each, names) for name, each in overlay.items()}
        return {"role": made.pop("overlay.role"), **made}

    # Models and their definitions

    @cached_property
    def raw(self) -> dict[type[Model], dict[str, Schema]]:
        """Every model that can be reached from the spec, with the schemas of its fields by their keys."""
        made: dict[type[Model], dict[str, Schema]] = {}
        families = (self.items, self.of_family("action").values(), self.of_family("condition").values())
        left: list[type[Model]] = [Spec, expect.Matcher, *(model for family in families for model in family)]
        while left:
            model = left.pop(0)
            if model not in made:
                made[model] = self.fields.of_model(model)
                left += self.fields.reached
                self.fields.reached.clear()
        return made

    @property
    def classes(self) -> list[type[Model]]:
        """Every model that can be reached from the spec."""
        names = [name_of(each) for each in self.raw]
        assert len(set(names)) == len(names), f"two models have one name: {sorted(names)}"
        return list(self.raw)

    def definition(self, model: type[Model]) -> Schema:
        fields = {field.alias or name: field for name, field in model.model_fields.items()}
        properties = {key: self.of_key(model, key, fields[key]) for key in fields}
        required = self.required(model)
        made: Schema = {
            "title": name_of(model),
            **_described(_paragraph(model.__doc__)),
            "type": "object",
            "properties": properties,
            "patternProperties": {"^x-": True},
            "additionalProperties": False,
            **({"required": required} if required else {}),
            **self.alternatives(model),
        }
        if self.identified(model):
            made |= _identity(model)
        return self.with_short_form(model, made, required)

    def of_key(self, model: type[Model], key: str, field: FieldInfo) -> Schema:
        made = self.of_field(model, key, field, self.raw[model][key])
        is_common = issubclass(model, item.Item) and key in COMMON and made == self.common[f"item.{key}"]
        return {"$ref": f"#/$defs/item.{key}"} if is_common else made

    @cached_property
    def common(self) -> dict[str, Schema]:
        """The keys of every item, which stand in the definitions once."""
        raw, fields = self.fields.of_model(item.Item), item.Item.model_fields
        return {f"item.{key}": self.of_field(item.Item, key, fields[key], raw[key]) for key in COMMON}

    def of_field(self, model: type[Model], key: str, field: FieldInfo, raw: Schema) -> Schema:
        made = {**simplified(raw)}
        default = made.pop("default", None)
        if model is Spec and key == "roles":
            made["additionalProperties"] = {"$ref": "#/$defs/role"}
        if hasattr(model, "_wrapped"):
            made = self.bare(made)
        made.pop("description", None)
        examples = field.examples or made.pop("examples", ())
        own: Schema = {"title": key, **_described(field.description or "")}
        made = {**own, **explained(made, examples)}
        if default not in (None, [], (), {}):
            made["default"] = _spelled(default, made)
        if examples:
            made["examples"] = list(examples)
        return removable(made) if self.overlay else made

    def bare(self, reference: Schema) -> Schema:
        """A mapping, or the value of the field that its short form stands for."""
        (model,) = (each for each in self.raw if {"$ref": f"#/$defs/{name_of(each)}"} in _branches(reference))
        short = {
            key: each
            for key, each in simplified(self.raw[model][model.shorthand]).items()
            if key not in NOTES
        }
        return union(short, {"$ref": f"#/$defs/{name_of(model)}"})

    def required(self, model: type[Model]) -> list[str]:
        keys = [field.alias or name for name, field in model.model_fields.items() if field.is_required()]
        if issubclass(model, item.Action):
            own = [word for word, each in self.of_family("action").items() if each is model]
            return list(dict.fromkeys([*own, *keys]))
        return keys if not self.overlay or issubclass(model, conditions.Condition) else []

    def identified(self, model: type[Model]) -> bool:
        """Whether it is an item of an overlay."""
        return self.overlay and model in self.items

    def alternatives(self, model: type[Model]) -> Schema:
        """Exactly one group of the fields under `alternatives` is given; null is as good as nothing."""
        if not model.alternatives or self.overlay:
            return {}
        null = {"type": "null"}
        groups = model.alternatives
        return {
            "oneOf": [{"required": list(each), "not": {"properties": {each[0]: null}}} for each in groups]
        }

    def with_short_form(self, model: type[Model], made: Schema, required: list[str]) -> Schema:
        """A text in the place of the mapping: the field it stands for, or in overlays the name of an item."""
        if model.shorthand and not set(required) - {model.shorthand}:
            text = text_part(made["properties"][model.shorthand])
        elif self.identified(model):
            text = {"type": "string"}
        else:
            return made
        one_of = made.pop("oneOf", None)
        if one_of:
            made["if"], made["then"] = {"type": "object"}, {"oneOf": one_of}
        if "enum" in text:
            notes = ("title", "description", "markdownDescription")
            return {**{key: made.pop(key) for key in notes if key in made}, "anyOf": [text, made]}
        return {
            **made,
            "type": ["string", "object"],
            **{key: each for key, each in text.items() if key != "type"},
        }

    # Families: a key tells the model

    def of_section(self, section: str) -> dict[str, type[Model]]:
        """The kinds of a section by their key."""
        if section == "checks":
            more = sorted(kinds.REQUIREMENTS.plugins) if self.plugins else ()
            return {**sections.checks(), **{each: kinds.REQUIREMENTS.load(each) for each in more}}
        return {each: kinds.WAITS.load(each) for each in kinds.WAITS.names(plugins=self.plugins)}

    def of_family(self, family: str) -> dict[str, type[Model]]:
        """The conditions or fallback actions by their key."""
        if family == "condition":
            return dict(conditions.KINDS)
        return {each: kinds.FALLBACKS.load(each) for each in kinds.FALLBACKS.names(plugins=self.plugins)}

    @property
    def shared(self) -> dict[str, Schema]:
        """Definitions that are no class: the families of kinds, and what refers to itself."""
        matcher = [self.fields.reference(expect.Matcher), {"type": ["string", "number", "boolean", "null"]}]
        actions = {"anyOf": [_ACTION, {"type": "array", "items": _ACTION, "minItems": 1}]}
        return {
            **{section: self.family(f"An item of `{section}`; a key of it tells which kind.", self.of_section(section))
               for section in ("wait_for", "checks")},
            "condition": self.family("A condition; its key tells which.", self.of_family("condition")),
            "action": self.action(),
            "actions": {
                **_described("One fallback action, or a list of them in the order in which they are tried."), **actions,
            },
            "AnyMatcher": {
                **_described("A value (equality), or a mapping of operators that must all hold."),
                "anyOf": [*matcher, {"type": "array", "minItems": 1}],
            },
        }  # fmt: skip

    def family(self, description: str, members: dict[str, type[Model]]) -> Schema:
        return {
            **_described(description),
            "anyOf": [self.fields.reference(each) for each in members.values()],
        }

    def action(self) -> Schema:
        """A word alone is an action that needs no more, or the name of an entry of `fallbacks`."""
        own = {each: kinds.FALLBACKS.load(each) for each in kinds.FALLBACKS.built_in}
        plain = [word for word, each in own.items() if not each.model_fields[word].is_required()]
        others = [word for word in own if word not in plain]
        return self.family(
            "A fallback action: a mapping whose key tells which, a word, or the name of an entry of `fallbacks`.",
            self.of_family("action"),
        ) | {
            "anyOf": [
                {"enum": plain},
                {"type": "string", "not": {"enum": others}},
                *(self.fields.reference(each) for each in self.of_family("action").values()),
            ]
        }


_ACTION: Schema = {"$ref": "#/$defs/action"}
COMMON = tuple(item.Item.keys())
"""The keys of every item."""


def frozen(data: Any) -> Any:
    """Data as the models take it: with tuples for lists."""
    if isinstance(data, dict):
        return {key: frozen(each) for key, each in data.items()}
    return tuple(frozen(each) for each in data) if isinstance(data, list | tuple) else data


def _branches(schema: Schema) -> list[Schema]:
    found: list[Schema] = schema.get("anyOf", [schema])
    return found


def _renamed(schema: Any, names: dict[str, str]) -> Any:
    if isinstance(schema, list):
        return [_renamed(each, names) for each in schema]
    if isinstance(schema, dict):
        return {key: names[each] if key == "$ref" else _renamed(each, names) for key, each in schema.items()}
    return schema


def _described(description: str) -> Schema:
    """A description; a second one for editors that show Markdown, where that makes a difference."""
    if not description:
        return {}
    return {
        "description": description,
        **({"markdownDescription": description} if "`" in description else {}),
    }


def _paragraph(text: str | None) -> str:
    """The first paragraph of a docstring."""
    return " ".join((text or "").strip().partition("\n\n")[0].split())


def _spelled(value: Any, schema: Schema) -> Any:
    """A default as a user writes it."""
    patterns = " ".join(each.get("pattern", "") for each in _branches(schema))
    if isinstance(value, float) and "[0-9]+(\\.[0-9]+)?(ms|" in patterns:
        return spelled_duration(value)
    if isinstance(value, int) and "KiB|MiB" in patterns:
        return spelled_size(value)
    if isinstance(value, int) and not isinstance(value, bool) and "[0-7]{3,4}" in patterns:
        return f"{value:04o}"
    return list(value) if isinstance(value, tuple) else value


def _identity(model: type[Model]) -> Schema:
    """In an overlay an item is found by its id, or by what else names it."""
    known = ("id", "name", "path", "requirement", "module", "from", getattr(model, "identity_field", ""))
    return {"anyOf": [{"required": [key]} for key in dict.fromkeys(known) if key in model.keys()]}
