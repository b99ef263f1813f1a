"""What every part of a spec is built from: a pydantic model that is strict and frozen, and words its errors for users.

Modules that declare models do without `from __future__ import annotations`: pydantic would evaluate every inherited
annotation again in each subclass.
"""

from collections.abc import Callable, Collection
from functools import cached_property
from importlib import import_module
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic.functional_validators import ModelWrapValidatorHandler
from pydantic_core import CoreSchema, core_schema

from orchestrator.document.plain import Template
from orchestrator.spec.building import adapter, without_plugins
from orchestrator.spec.errors import problem
from orchestrator.spec.wording import worded


class Model(BaseModel):
    """A mapping of the spec. Unknown keys are errors, `x-…` keys are dropped, nothing is coerced silently."""

    model_config = ConfigDict(
        strict=True, frozen=True, extra="forbid", defer_build=True, hide_input_in_errors=True
    )

    shorthand: ClassVar[str] = ""
    """The key that a plain text stands for."""
    elsewhere: ClassVar[dict[str, str]] = {}
    """What other tools call a key: the key here, or a hint."""
    removed_keys: ClassVar[dict[str, str]] = {}
    """Keys of earlier releases: what to write instead, as a hint."""
    alternatives: ClassVar[tuple[tuple[str, ...], ...]] = ()
    """Groups of fields of which exactly one is given."""
    noun: ClassVar[str] = ""
    """What messages call it: `wait`, `directory`."""

    @model_validator(mode="wrap")
    @classmethod
    def _validate(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if cls.shorthand and isinstance(data, str | Template):
            data = {cls.shorthand: data}
        try:
            return handler(data)
        except ValidationError as error:
            plain = _without_notes(data)
            if plain is None:
                raise worded(cls, data, error) from None
        try:
            return handler(plain)
        except ValidationError as error:
            raise worded(cls, plain, error) from None

    @classmethod
    def model_rebuild(cls, **options: Any) -> bool | None:
        """Builds the validator, which is deferred to the first use."""
        with without_plugins():
            return super().model_rebuild(**options)

    @classmethod
    def spelled_out(cls, text: str) -> str:
        """What was meant by a text in the place of a mapping, where that is known: for the hint."""
        del text
        return ""

    @classmethod
    def below(cls) -> dict[str, Collection[str]]:
        """The keys whose values are mappings, each with what stands in it: for who writes that a level too high."""
        return {}

    @classmethod
    def keys(cls) -> list[str]:
        """The keys as a user writes them."""
        return [field.alias or name for name, field in cls.model_fields.items()]

    def given(self) -> dict[str, Any]:
        """The values that were given, by their keys as a user writes them."""
        fields = type(self).model_fields
        return {fields[name].alias or name: getattr(self, name) for name in self.model_fields_set}


def _without_notes(data: Any) -> dict[Any, Any] | None:
    """The mapping without its `x-…` keys; None where it has none."""
    if not isinstance(data, dict) or not any(str(key).startswith("x-") for key in data):
        return None
    return {key: value for key, value in data.items() if not str(key).startswith("x-")}


def exactly_one(model: Model, noun: str, one: str, other: str) -> None:
    """For a validator of a whole mapping: raises unless just one of two fields has a value."""
    if (getattr(model, one) is None) == (getattr(model, other) is None):
        raise problem("ORC113", f"{noun} has exactly one of `{one}` and `{other}`", "keep one of them")


class Lazy:
    """Stands beside `Any`: a model or another type, `module:Name`, that is imported when a spec uses it."""

    def __init__(self, name: str) -> None:
        self.name = name

    @cached_property
    def target(self) -> Any:
        """The model or type."""
        module, _, name = self.name.partition(":")
        return getattr(import_module(module), name)

    @cached_property
    def _validate_target(self) -> Callable[[Any], Any]:
        if isinstance(self.target, type) and issubclass(self.target, Model):
            return self.target.model_validate
        return adapter(self.target).validate_python

    def _validate(self, value: Any) -> Any:
        return self._validate_target(value)

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        del source, handler
        return core_schema.no_info_plain_validator_function(self._validate)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: Any) -> dict[str, Any]:
        """The generator of the schema puts the target's own in its place."""
        del schema, handler
        return {"x-lazy": self.name}
