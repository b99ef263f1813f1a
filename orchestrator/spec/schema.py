"""The JSON Schemas of `startup.yaml` and its overlays, from the models. Nothing here lists a kind or a field.

pydantic makes the schema of each class; what it cannot know is put in here: short forms, `x-` keys, `${…}`, the
fields that are decoded lazily, and which key tells the kind.
"""

# ruff: noqa: SLF001 -- what the validators mean is told by who they are

from __future__ import annotations

import re
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast, get_args

from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from orchestrator.spec import conditions, expect, item, kinds, launch, settings, spec, types
from orchestrator.spec.health import Watch
from orchestrator.spec.model import Model
from orchestrator.spec.roles import TOP_ONLY
from orchestrator.spec.shapes import (
    NOTES,
    Schema,
    explained,
    interpolated,
    removable,
    spelled_duration,
    spelled_size,
    text_part,
    tidied,
    union,
)
from orchestrator.spec.spec import ITEM_LISTS, Spec
from orchestrator.spec.twins import twin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pydantic_core import core_schema

    from orchestrator.spec.fields import Field

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_IMPORT_NAME = r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*"
KEYWORDS: dict[Any, Schema] = {
    types._no_empty: {"minItems": 1},
    types.argv_given: {"minItems": 1},
    types._path: {"minLength": 1},
    types.variable_name: {"pattern": r"^[A-Za-z_][A-Za-z0-9_]*$"},
    types._app: {"pattern": rf"^{_IMPORT_NAME}:{_IMPORT_NAME}$"},
    types._import_name: {"pattern": rf"^{_IMPORT_NAME}$"},
    types._pattern: {"format": "regex"},
    expect._some: {"minProperties": 1},
    spec._version: {"const": 1},
}
"""What the validators of shared types mean in JSON Schema."""


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


class _Generator(GenerateJsonSchema):
    """pydantic's, with what our validators mean, and with the rule of a mapping's keys for all of them."""

    def function_after_schema(self, schema: core_schema.AfterValidatorFunctionSchema) -> Schema:
        return {**super().function_after_schema(schema), **KEYWORDS.get(schema["function"]["function"], {})}

    def function_before_schema(self, schema: core_schema.BeforeValidatorFunctionSchema) -> Schema:
        return {**super().function_before_schema(schema), **KEYWORDS.get(schema["function"]["function"], {})}

    def function_plain_schema(self, schema: core_schema.PlainValidatorFunctionSchema) -> Schema:
        return {**super().function_plain_schema(schema), **KEYWORDS.get(schema["function"]["function"], {})}

    def dict_schema(self, schema: core_schema.DictSchema) -> Schema:
        """The keys that do not match pass pydantic's schema, but not its validator."""
        made = super().dict_schema(schema)
        for pattern, values in made.pop("patternProperties", {}).items():
            made |= {"propertyNames": {"pattern": pattern}, "additionalProperties": values}
        return made


class Builder:
    """Makes one document: collects the classes from the spec down, and gives each a definition."""

    def __init__(self, *, plugins: bool, overlay: bool) -> None:
        self.plugins = plugins
        self.overlay = overlay
        self.items = {
            each
            for section in ("wait_for", "checks", *_mapped_sections())
            for each in self.item_classes(section)
        }

    def document(self, title: str, description: str) -> Schema:
        definitions = {name_of(each): self.definition(each) for each in self.classes}
        root = definitions.pop(name_of(Spec))
        everything = {**definitions, **self.shared, **self.roles(root)}
        return {
            "$schema": DIALECT,
            "title": title,
            **root,
            **_said(description),
            "$defs": dict(sorted(everything.items())),
        }

    def roles(self, root: Schema) -> dict[str, Schema]:
        """The definition of a role: a part of a spec, laid over the rest as an overlay is."""
        if self.overlay:
            part = {key: each for key, each in root["properties"].items() if key not in TOP_ONLY}
            return {
                "role": {
                    **root,
                    "properties": part,
                    **_said("A part of a spec, laid over the rest when the role is chosen."),
                }
            }
        overlay = overlay_schema(plugins=self.plugins)["$defs"]
        names = {f"#/$defs/{name}": f"overlay.{name}" for name in overlay}
        made = {f"overlay.{name}": _renamed(each, names) for name, each in overlay.items()}
        return {"role": made.pop("overlay.role"), **made}

    # Classes and their definitions

    @cached_property
    def classes(self) -> list[type[Model]]:
        """Every model that can be reached from the spec."""
        found: list[type[Model]] = [Spec, expect.Matcher]
        for each in found:
            found.extend(reached for reached in dict.fromkeys(self._reached(each)) if reached not in found)
        names = [name_of(each) for each in found]
        assert len(set(names)) == len(names), f"two models have one name: {sorted(names)}"
        return found

    def _reached(self, model: type[Model]) -> Iterator[type[Model]]:
        for info in model.model_fields.values():
            yield from self.reached_from(info)

    def reached_from(self, info: Field) -> list[type[Model]]:
        """The models that stand in a field, each once."""
        lazy = [model for each in _lazies(info.annotation) for model in self.behind(each)]
        return list(dict.fromkeys([*_models_in(info.annotation), *lazy]))

    @cached_property
    def raw(self) -> dict[str, Schema]:
        """The schema that pydantic makes of each class, by our names."""
        named, made = models_json_schema(
            [(twin(each), "validation") for each in self.classes], schema_generator=_Generator
        )
        names: dict[type, str] = {twin(each): name_of(each) for each in self.classes}
        ours = {str(reference["$ref"]): names[model] for (model, _), reference in named.items()}
        return {ours[f"#/$defs/{name}"]: _renamed(tidied(each), ours) for name, each in made["$defs"].items()}

    def definition(self, model: type[Model]) -> Schema:
        raw = self.raw[name_of(model)]
        fields = {field.alias or name: name for name, field in model.model_fields.items()}
        properties = {
            key: self.of_field(model, fields[key], each) for key, each in raw.get("properties", {}).items()
        }
        required = self.required(model, raw.get("required", []))
        made: Schema = {
            **_said(_paragraph(model.__doc__)),
            "type": "object",
            "properties": properties,
            "patternProperties": {"^x-": True},
            "additionalProperties": False,
            **({"required": required} if required else {}),
            **self.alternatives(model),
        }
        if model is self._identified(model):
            made |= _identity(model)
        return self.with_short_form(model, made, required)

    def of_field(self, model: type[Model], name: str, raw: Schema) -> Schema:
        made = {**self.filled(raw), **_told(model.model_fields[name])}
        if model is Spec and name == "roles":
            made["additionalProperties"] = shared("role")
        if _wraps(model):
            made = {
                **self.bare(model.model_fields[name]),
                **{key: made[key] for key in ("description", "examples") if key in made},
            }
        notes = {key: made.pop(key) for key in ("description", "examples", "default") if key in made}
        if "default" in notes:
            notes["default"] = _spelled(notes["default"], raw)
        if name not in model.fixed:
            made = interpolated(made)
        made = explained(made, notes.get("examples", ()))
        made = {**_said(notes.pop("description", "")), **made, **notes}
        return removable(made) if self.overlay else made

    def bare(self, info: Field) -> Schema:
        """A mapping, or the value of the field that its short form stands for."""
        (model,) = _models_in(info.annotation)
        value = self.definition(model)["properties"][str(model.shorthand)]
        return union({key: each for key, each in value.items() if key not in NOTES}, reference(model))

    def filled(self, schema: Any) -> Any:
        """The schema with what stands behind its lazy parts."""
        if isinstance(schema, list):
            return [self.filled(each) for each in schema]
        if not isinstance(schema, dict):
            return schema
        made = {
            key: each if key in ("default", "examples") else self.filled(each)
            for key, each in schema.items()
            if key != "x-lazy"
        }
        if "x-lazy" in schema:
            made = {**self.lazy(schema["x-lazy"]), **made}
        if "anyOf" in made:
            made = {**union(*made.pop("anyOf")), **made}
        return made

    def required(self, model: type[Model], required: Iterable[str]) -> list[str]:
        if issubclass(model, item.Action):
            return list(
                dict.fromkeys([*(word for word, each in self.actions.items() if each is model), *required])
            )
        return list(required) if not self.overlay or issubclass(model, conditions.Condition) else []

    def _identified(self, model: type[Model]) -> type[Model] | None:
        return model if self.overlay and model in self.items else None

    def alternatives(self, model: type[Model]) -> Schema:
        """Exactly one group of the fields under `alternatives` is given; null is as good as nothing."""
        groups: tuple[tuple[str, ...], ...] = getattr(model, "alternatives", ())
        if not groups or self.overlay:
            return {}
        null = {"type": "null"}
        return {
            "oneOf": [{"required": list(each), "not": {"properties": {each[0]: null}}} for each in groups]
        }

    def with_short_form(self, model: type[Model], made: Schema, required: list[str]) -> Schema:
        """A text in the place of the mapping: the field it stands for, or in overlays the name of an item."""
        short = model.shorthand and (
            model.model_fields[model.shorthand].alias or model.shorthand
            if model.shorthand in model.model_fields
            else model.shorthand
        )
        if short and not set(required) - {short}:
            text = text_part(made["properties"][short])
        elif self._identified(model):
            text = {"type": "string"}
        else:
            return made
        one_of = made.pop("oneOf", None)
        if one_of:
            made["if"], made["then"] = {"type": "object"}, {"oneOf": one_of}
        if "enum" in text:
            return {
                **{key: made.pop(key) for key in ("description", "markdownDescription") if key in made},
                "anyOf": [text, made],
            }
        return {
            **made,
            "type": ["string", "object"],
            **{key: each for key, each in text.items() if key != "type"},
        }

    # What stands behind lazy fields

    def behind(self, lazy: str) -> Iterable[type[Model]]:
        """The classes of a lazy field."""
        word, _, rest = lazy.partition(":")
        return _BEHIND[word](self, rest)

    def lazy(self, lazy: str) -> Schema:
        """The schema of a lazy field."""
        word, _, rest = lazy.partition(":")
        return _SCHEMAS[word](self, rest)

    def item_classes(self, section: str) -> list[type[Model]]:
        if section == "wait_for":
            return [kinds.WAITS.load(each) for each in kinds.WAITS.names(plugins=self.plugins)]
        return (
            list(checks(plugins=self.plugins).values()) if section == "checks" else [spec._class_of(section)]
        )

    @cached_property
    def actions(self) -> dict[str, type[Model]]:
        """The fallback actions by their key."""
        return {each: kinds.FALLBACKS.load(each) for each in kinds.FALLBACKS.names(plugins=self.plugins)}

    def item(self, section: str) -> Schema:
        made = [reference(each) for each in self.item_classes(section)]
        return made[0] if len(made) == 1 else shared(section)

    @property
    def shared(self) -> dict[str, Schema]:
        """Definitions that are no class: the families of kinds, and what refers to itself."""
        return {
            **{section: _family(f"An item of `{section}`; a key of it tells which kind.", found)
               for section in ("wait_for", "checks") if len(found := self.item_classes(section)) > 1},
            "condition": _family("A condition; its key tells which.", conditions.KINDS.values()),
            "action": self.action(),
            "actions": {
                **_said("One fallback action, or a list of them in the order in which they are tried."),
                "anyOf": [shared("action"), {"type": "array", "items": shared("action"), "minItems": 1}],
            },
        }  # fmt: skip

    def action(self) -> Schema:
        """A word alone is an action that needs no more, or the name of an entry of `fallbacks`."""
        plain = [
            word for word in kinds.FALLBACKS.built_in if not _needs_value(kinds.FALLBACKS.load(word), word)
        ]
        others = [word for word in kinds.FALLBACKS.built_in if word not in plain]
        return {
            **_said(
                "A fallback action: a mapping whose key tells which, a word, or the name of an entry of `fallbacks`."
            ),
            "anyOf": [
                {"enum": plain},
                {"type": "string", "not": {"enum": others}},
                *(reference(each) for each in self.actions.values()),
            ],
        }


def name_of(model: type[Model]) -> str:
    """The name of a class among the definitions: `wait.tcp`, `action.stop`, `condition.role`, `launch`."""
    module, word = model.__module__.rpartition(".")[0], model.__module__.rpartition(".")[2]
    own = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", model.__name__.lstrip("_")).lower()
    if not model.__module__.startswith("orchestrator."):
        return f"plugin.{model.__module__}.{own}"
    if issubclass(model, conditions.Condition):
        return f"condition.{conditions._key(model)}"
    for key, check in checks().items():
        if model is check:
            return f"check.{key}"
    for family, prefix in ((kinds.WAITS, "wait."), (kinds.FALLBACKS, "action."), (kinds.REQUIREMENTS, "")):
        if module == family.package:
            is_kind = getattr(import_module(model.__module__), "KIND", None) is model
            return f"{prefix}{word}" if is_kind else f"{prefix}{word.lstrip('_')}.{own}"
    return own


def reference(model: type[Model]) -> Schema:
    return {"$ref": f"#/$defs/{name_of(model)}"}


def shared(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _mapped_sections() -> Iterator[str]:
    return (each for each in ITEM_LISTS if each not in ("wait_for", "checks"))


def _family(description: str, members: Iterable[type[Model]]) -> Schema:
    return {**_said(description), "anyOf": [reference(each) for each in members]}


def checks(*, plugins: bool = False) -> dict[str, type[Model]]:
    """The kinds of checks by their key: the engine's own, and on request the requirements that plug-ins bring."""
    own: dict[str, type[Model]] = import_module(f"{kinds.REQUIREMENTS.package}.checks").KINDS
    more = sorted(kinds.REQUIREMENTS.plugins) if plugins else ()
    return {**own, **{each: kinds.REQUIREMENTS.load(each) for each in more}}


def frozen(data: Any) -> Any:
    """Data as the models take it: with tuples for lists."""
    if isinstance(data, dict):
        return {key: frozen(each) for key, each in data.items()}
    return tuple(frozen(each) for each in data) if isinstance(data, list | tuple) else data


def _wraps(model: type[Model]) -> bool:
    """Whether a model takes bare values for its fields of every type, as `host` does."""
    return hasattr(model, "_wrapped")


def _told(info: Field) -> Schema:
    """What pydantic leaves out where the field says the same as the class."""
    return {"description": info.description} if info.description else {}


def _needs_value(model: type[Model], word: str) -> bool:
    """Whether the action cannot be written as a word alone."""
    from orchestrator.spec.mistakes import ValidationError

    try:
        model.model_validate({word: None})
    except ValidationError:
        return True
    return False


def _part(module: str) -> type[Model]:
    return cast("type[Model]", import_module(module).KIND)


def _model(name: str) -> type[Model]:
    module, _, kind = name.partition(":")
    return cast("type[Model]", getattr(import_module(module), kind))


def _variable_names() -> Schema:
    return {"type": "string", "pattern": f"^{spec.VARIABLE_NAME}$"}


def _contract() -> type[Model]:
    return kinds.REQUIREMENTS.load("variables")


def _choice() -> type[Model]:
    return _model("orchestrator.requirements._parts:Choice")


_BEHIND: dict[str, Callable[[Builder, str], Iterable[type[Model]]]] = {
    "items": lambda builder, section: builder.item_classes(section),
    "part": lambda _, module: [_part(module)],
    "model": lambda _, name: [_model(name)],
    "setting": lambda _, name: [getattr(settings, name)],
    "variables": lambda _, __: [_contract()],
    "actions": lambda builder, _: builder.actions.values(),
    "condition": lambda _, __: conditions.KINDS.values(),
    "conditions": lambda _, __: conditions.KINDS.values(),
    "default": lambda _, __: [_choice()],
    "workers": lambda _, __: [launch.Computed],
    "watch": lambda _, __: [Watch],
    "user": lambda _, __: [settings.NamedUser],
    "uid": lambda _, __: [settings.OwnerOf],
}
_SCALAR: Schema = {"type": ["string", "number", "boolean"]}
_SCHEMAS: dict[str, Callable[[Builder, str], Schema]] = {
    "items": lambda builder, section: {"type": "array", "items": builder.item(section)},
    "part": lambda _, module: reference(_part(module)),
    "model": lambda _, name: reference(_model(name)),
    "setting": lambda _, name: reference(getattr(settings, name)),
    "variables": lambda _, __: {
        "type": "object",
        "propertyNames": _variable_names(),
        "additionalProperties": {"anyOf": [reference(_contract()), {"type": "null"}]},
    },
    "actions": lambda _, __: shared("actions"),
    "condition": lambda _, __: shared("condition"),
    "conditions": lambda _, __: {"type": "array", "items": shared("condition"), "minItems": 1},
    "default": lambda _, __: {
        "anyOf": [_SCALAR, {"type": "array", "items": {"type": "string"}}, {"type": "array", "items": reference(_choice()), "minItems": 1}]
    },
    "workers": lambda _, __: {"anyOf": [{"type": "integer", "minimum": 1, "maximum": 1024}, {"enum": ["auto"]}, reference(launch.Computed)]},
    "watch": lambda _, __: {"anyOf": [{"type": ["boolean", "null"]}, reference(Watch)]},
    "uid": lambda _, __: {"anyOf": [{"type": "integer", "minimum": 0, "maximum": 4294967294}, reference(settings.OwnerOf)]},
    "user": lambda _, __: {"anyOf": [{"type": "string", "pattern": r"\S"}, reference(settings.NamedUser)]},
}  # fmt: skip


def _models_in(annotation: Any) -> Iterator[type[Model]]:
    """The models that an annotation names, at any depth."""
    if isinstance(annotation, type) and issubclass(annotation, Model):
        yield annotation
    for each in get_args(annotation):
        yield from _models_in(each)


def _lazies(*places: Any) -> Iterator[str]:
    """The lazy parts that metadata and annotations hold, at any depth."""
    for place in places:
        for each in (
            place if isinstance(place, list) else (*get_args(place), *getattr(place, "__metadata__", ()))
        ):
            if hasattr(each, "schema_of"):
                yield each.schema_of
            else:
                yield from _lazies(each)


def _renamed(schema: Any, names: dict[str, str]) -> Any:
    if isinstance(schema, list):
        return [_renamed(each, names) for each in schema]
    if isinstance(schema, dict):
        return {
            key: f"#/$defs/{names.get(each, each.rpartition('/')[2])}"
            if key == "$ref"
            else _renamed(each, names)
            for key, each in schema.items()
        }
    return schema


def _said(description: str) -> Schema:
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
    if isinstance(value, float) and _takes(schema, "[0-9]+(\\.[0-9]+)?(ms|"):
        return spelled_duration(value)
    if isinstance(value, int) and _takes(schema, "KiB|MiB"):
        return spelled_size(value)
    if isinstance(value, int) and not isinstance(value, bool) and _takes(schema, "[0-7]{3,4}"):
        return f"{value:04o}"
    return value


def _takes(schema: Schema, pattern: str) -> bool:
    return pattern in schema.get("pattern", "") or any(
        pattern in each.get("pattern", "") for each in schema.get("anyOf", ())
    )


def _identity(model: type[Model]) -> Schema:
    """In an overlay an item is found by its id, or by what else names it."""
    known = ("id", "name", "path", "requirement", "module", "from", getattr(model, "identity_field", ""))
    return {"anyOf": [{"required": [key]} for key in dict.fromkeys(known) if key in model.keys()]}
