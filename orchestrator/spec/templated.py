"""`Templated[X]`: a field of the type X that may be written with `${…}`."""

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationError,
    ValidatorFunctionWrapHandler,
)
from pydantic_core import CoreSchema, core_schema

from orchestrator.document.plain import Template
from orchestrator.document.scalars import resolve

T = TypeVar("T")


def validate_template(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    """What a template stands for, as the type of its field: the text, else what YAML makes of it (`8000` is a port).

    One whose value only a start knows stays as it is.
    """
    if value.__class__ is not Template:
        return handler(value)
    if not value.known:
        return value
    try:
        return handler(value.text)
    except ValidationError:
        scalar = resolve(value.text)[0]
        if isinstance(scalar, str):
            raise
        return handler(scalar)


def keep_template(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    """A template as it is, also where its value is known: who takes it reads it anew."""
    return value if value.__class__ is Template else handler(value)


class _TemplateToo:
    """Stands behind the type of a field that may be written with `${…}`."""

    def __init__(self, validate: Callable[[Any, ValidatorFunctionWrapHandler], Any]) -> None:
        self.validate = validate

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_wrap_validator_function(self.validate, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """The generator of the schema adds the texts with `${…}`."""
        return {"x-templated": handler(schema)}


Templated = Annotated[T, _TemplateToo(validate_template)]
"""Constraints belong inside: `Templated[Annotated[int, Field(ge=1)]]`, since a template has no size."""
KeptTemplate = Annotated[T, _TemplateToo(keep_template)]
"""For values that perhaps nobody takes, such as one of several defaults."""


def filled_in(value: Any) -> Any:
    """A value of any form, with the text of each template in it whose value is known."""
    if value.__class__ is Template:
        return value.text if value.known else value
    if isinstance(value, dict):
        return {key: filled_in(each) for key, each in value.items()}
    return tuple(map(filled_in, value)) if isinstance(value, tuple) else value


AnyTemplated = Annotated[Any, AfterValidator(filled_in)]
"""A value of any form, with templates at any depth."""


def pending(value: object) -> bool:
    """Whether a value is a template whose value only a start knows."""
    return value.__class__ is Template


def any_pending(value: object) -> bool:
    """Whether a value, or anything in it, is left to variables that only a start knows."""
    if isinstance(value, BaseModel):
        return any(map(any_pending, vars(value).values()))
    return any(map(any_pending, value)) if isinstance(value, tuple) else pending(value)


def known(value: object) -> bool:
    """Whether a value is given, and not left to variables that only a start knows."""
    return value is not None and not pending(value)
