"""The JSON Schemas of fields as pydantic makes them, with references to models by names of ours."""

from __future__ import annotations

import re
from importlib import import_module
from typing import TYPE_CHECKING, Any

from pydantic.json_schema import GenerateJsonSchema

from orchestrator.spec import conditions, kinds, sections
from orchestrator.spec.building import adapter
from orchestrator.spec.model import Model
from orchestrator.spec.schema_parts import Schema, simplified, templated

if TYPE_CHECKING:
    from pydantic_core import core_schema


class FieldSchemas(GenerateJsonSchema):
    """The schemas of fields: models in them are references, and what is templated may also be a text with `${…}`."""

    def __init__(self) -> None:
        super().__init__(by_alias=True)
        self.reached: dict[type[Model], None] = {}
        """The models that fields refer to, in their order."""
        self._by_reference: dict[str, core_schema.CoreSchema] = {}

    def reference(self, model: type[Model]) -> Schema:
        self.reached[model] = None
        return {"$ref": f"#/$defs/{name_of(model)}"}

    def of_model(self, model: type[Model]) -> dict[str, Schema]:
        """The schemas of a model's fields by their keys."""
        model.model_rebuild()
        schema: Any = model.__pydantic_core_schema__
        self._by_reference = {each["ref"]: each for each in schema.get("definitions", ())}
        while schema["type"] != "model-fields":
            schema = schema["schema"]
            if schema["type"] == "definition-ref":
                schema = self._by_reference[schema["schema_ref"]]
        fields = model.model_fields
        return {
            fields[name].alias or name: self.filled(self.generate_inner(each["schema"]))
            for name, each in schema["fields"].items()
        }

    def generate_inner(self, schema: Any) -> Schema:
        if schema["type"] == "definition-ref":
            return self.generate_inner(self._by_reference[schema["schema_ref"]])
        model = _model_of(schema)
        return super().generate_inner(schema) if model is None else self.reference(model)

    def dict_schema(self, schema: core_schema.DictSchema) -> Schema:
        """The keys that do not match pass pydantic's schema, but not its validator."""
        made = super().dict_schema(schema)
        for pattern, values in made.pop("patternProperties", {}).items():
            made |= {"propertyNames": {"pattern": pattern}, "additionalProperties": values}
        return made

    def filled(self, schema: Any) -> Any:
        """The schema with what stands behind its lazy parts."""
        if isinstance(schema, list):
            return [self.filled(each) for each in schema]
        if not isinstance(schema, dict):
            return schema
        made = {key: self.filled(each) for key, each in schema.items() if key not in _MARKS}
        if "x-templated" in schema:
            made = {**templated(simplified(self.filled(schema["x-templated"]))), **made}
        if "x-lazy" in schema:
            module, _, name = schema["x-lazy"].partition(":")
            target = getattr(import_module(module), name)
            is_model = isinstance(target, type) and issubclass(target, Model)
            found = (
                self.reference(target)
                if is_model
                else self.filled(self.generate_inner(adapter(target).core_schema))
            )
            made = {**found, **made}
        return made


_MARKS = ("x-lazy", "x-templated", "title")


def _model_of(schema: Any) -> type[Model] | None:
    """The model that a schema is of, whatever validators stand around it."""
    while schema["type"] in ("function-wrap", "function-after", "function-before"):
        schema = schema["schema"]
    found = schema["cls"] if schema["type"] == "model" else None
    return found if isinstance(found, type) and issubclass(found, Model) else None


def name_of(model: type[Model]) -> str:
    """The name of a class among the definitions: `wait.tcp`, `action.stop`, `condition.role`, `launch`."""
    module, word = model.__module__.rpartition(".")[0], model.__module__.rpartition(".")[2]
    own = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", model.__name__.lstrip("_")).lower()
    if not model.__module__.startswith("orchestrator."):
        return f"plugin.{model.__module__}.{own}"
    if issubclass(model, conditions.Condition):
        return f"condition.{conditions.key_of(model)}"
    for key, check in sections.checks().items():
        if model is check:
            return f"check.{key}"
    for family, prefix in ((kinds.WAITS, "wait."), (kinds.FALLBACKS, "action."), (kinds.REQUIREMENTS, "")):
        if module == family.package:
            is_kind = getattr(import_module(model.__module__), "KIND", None) is model
            return f"{prefix}{word}" if is_kind else f"{prefix}{word.lstrip('_')}.{own}"
    return own
