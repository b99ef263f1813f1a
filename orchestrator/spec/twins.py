"""pydantic twins of the models, for what pydantic does best: the JSON Schema of a type. A start never imports this."""

from __future__ import annotations

from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin

import pydantic

from orchestrator.spec import fields
from orchestrator.spec.model import Model

if TYPE_CHECKING:
    from pydantic_core import CoreSchema


class _Lazy:
    """`x-lazy` in the schema: the generator puts the models there."""

    def __init__(self, schema_of: str) -> None:
        self.schema_of = schema_of

    def __get_pydantic_json_schema__(self, core_schema: CoreSchema, handler: Any) -> dict[str, Any]:
        return {"x-lazy": self.schema_of}


_made: dict[type[Model], type[pydantic.BaseModel]] = {}


def twin(model: type[Model]) -> type[pydantic.BaseModel]:
    """The same model in pydantic: its fields, not what judges it as a whole. Always the same one."""
    if model not in _made:
        _made[model] = _make(model)
    return _made[model]


def _make(model: type[Model]) -> type[pydantic.BaseModel]:
    made: type[pydantic.BaseModel] = pydantic.create_model(
        model.__name__,
        __config__=pydantic.ConfigDict(extra="forbid", strict=True),
        __module__=model.__module__,
        __doc__=model.__doc__,
        **{name: (of_type(each.annotation), _field(each)) for name, each in model.model_fields.items()},  # type: ignore[call-overload]
    )
    return made


def of_type(annotation: Any) -> Any:
    """A type with pydantic's marks in the place of ours."""
    if isinstance(annotation, type) and issubclass(annotation, Model):
        return twin(annotation)
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return Annotated[(of_type(inner[0]), *map(_mark, inner[1:]))]
    if origin in (Union, UnionType):
        return Union[tuple(of_type(each) for each in inner)]  # noqa: UP007 - they are known at run time alone
    if origin in (tuple, dict):
        return origin[tuple(of_type(each) for each in inner)]
    return annotation


def _field(field: fields.Field) -> Any:
    given = {
        "alias": field.alias,
        "description": field.description or None,
        "examples": field.examples,
        **field.limits,
    }
    return pydantic.Field(field.default, **given)


def _mark(mark: Any) -> Any:
    if isinstance(mark, fields.Field):
        return pydantic.Field(**mark.limits)
    if isinstance(mark, fields.LazySchema):
        return _Lazy(mark.schema_of)
    if isinstance(mark, fields.WithJsonSchema):
        return pydantic.WithJsonSchema(mark.json_schema)
    kinds = {
        fields.PlainValidator: pydantic.PlainValidator,
        fields.BeforeValidator: pydantic.BeforeValidator,
        fields.AfterValidator: pydantic.AfterValidator,
    }
    return kinds[type(mark)](mark.func) if type(mark) in kinds else mark
