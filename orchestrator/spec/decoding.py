"""From a type to the function that decodes a value of it: strict, nothing is coerced, all mistakes at once.

`Annotated`, `Literal`, unions, `tuple[X, ...]`, `dict[K, V]`, models and scalars: what a spec is made of, no more.
"""

from __future__ import annotations

import re
import types
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

from orchestrator.spec.fields import (
    AfterValidator,
    BeforeValidator,
    Field,
    LazySchema,
    PlainValidator,
    WithJsonSchema,
)
from orchestrator.spec.mistakes import Problem, ValidationError, line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from orchestrator.spec.mistakes import Line

    Decode = Callable[[Any], Any]


ENOUGH = 1000
"""Mistakes in one list; more would tell nobody anything, and cost memory and time."""


def decoder(annotation: Any) -> Decode:
    """The function that decodes values of a type."""
    origin = get_origin(annotation)
    if origin in _COMPOSED:
        return _COMPOSED[origin](annotation)
    if origin is None and annotation in _SIMPLE:
        return _SIMPLE[annotation]
    if hasattr(annotation, "model_validate"):
        found: Decode = annotation.model_validate
        return found
    raise TypeError(f"a field cannot be of the type {annotation!r}")


def of_field(field: Field) -> Decode:
    """The function that decodes a field's values, within its limits."""
    decode = decoder(field.annotation)
    return _limited(decode, field.limits) if field.limits else decode


# Scalars


def _wrong(kind: str, value: Any, msg: str, **ctx: Any) -> ValidationError:
    return ValidationError([line(kind, value, msg, **ctx)])


def _anything(value: Any) -> Any:
    return value


def _text(value: Any) -> str:
    if value.__class__ is str:
        return value
    if isinstance(value, str):
        return str.__str__(value)
    raise _wrong("string_type", value, "Input should be a valid string")


def _whole(value: Any) -> int:
    if value.__class__ is int:
        return value
    raise _wrong("int_type", value, "Input should be a valid integer")


def _number(value: Any) -> float:
    if value.__class__ in (float, int):
        try:
            return float(value)
        except OverflowError:
            pass  # larger than any number with a point: an error as every other
    raise _wrong("float_type", value, "Input should be a valid number")


def _boolean(value: Any) -> bool:
    if value.__class__ is bool:
        return value
    raise _wrong("bool_type", value, "Input should be a valid boolean")


def _nothing(value: Any) -> None:
    if value is not None:
        raise _wrong("none_required", value, "Input should be None")


_SIMPLE: dict[Any, Decode] = {
    Any: _anything,
    str: _text,
    int: _whole,
    float: _number,
    bool: _boolean,
    type(None): _nothing,
}


# What is composed


def _annotated(annotation: Any) -> Decode:
    inner, *marks = get_args(annotation)
    plain = next((each for each in marks if isinstance(each, PlainValidator)), None)
    if plain is not None:
        marks = marks[marks.index(plain) + 1 :]
        decode = plain.func
    else:
        decode = decoder(inner)
    for mark in marks:
        decode = _marked(decode, mark)
    return decode


def _marked(decode: Decode, mark: Any) -> Decode:
    if isinstance(mark, AfterValidator):
        after = mark.func
        return lambda value: after(decode(value))
    if isinstance(mark, BeforeValidator):
        before = mark.func
        return lambda value: decode(before(value))
    if isinstance(mark, Field):
        return _limited(decode, mark.limits)
    if isinstance(mark, LazySchema | WithJsonSchema):
        return decode
    raise TypeError(f"{mark!r} says nothing about a field: take what orchestrator.plugins has")


def _literal(annotation: Any) -> Decode:
    values = get_args(annotation)
    quoted = [repr(each) for each in values]
    expected = (
        " or ".join([", ".join(quoted[:-1]), quoted[-1]]) if len(quoted) > 1 else quoted[0]
    )  # as pydantic has it

    def decode(value: Any) -> Any:
        kind = str if isinstance(value, str) else value.__class__
        for each in values:
            if each.__class__ is kind and each == value:
                return each
        raise _wrong("literal_error", value, f"Input should be {expected}", expected=expected)

    return decode


def _union(annotation: Any) -> Decode:
    """Of several types the one that fits; what is exactly of a type is never read as another."""
    members = get_args(annotation)
    optional = type(None) in members
    others = [each for each in members if each is not type(None)]
    exact = {each: _SIMPLE[each] for each in others if each in (str, int, float, bool)}
    branches = [decoder(each) for each in others]

    def decode(value: Any) -> Any:
        if value is None and optional:
            return None
        if value.__class__ in exact:
            return value
        lines: list[Line] = []
        for branch in branches:
            try:
                return branch(value)
            except ValidationError as error:
                lines.extend(error.errors())
        raise ValidationError(lines)

    return decode


def _list(annotation: Any) -> Decode:
    element, *rest = get_args(annotation)
    if rest != [...]:
        raise TypeError(f"{annotation!r}: a list has elements of one type, tuple[X, ...]")
    decode_element = decoder(element)

    def decode(value: Any) -> Any:
        if not isinstance(value, tuple):
            raise _wrong("tuple_type", value, "Input should be a valid tuple")
        return tuple(decode_each(enumerate(value), decode_element))

    return decode


def _mapping(annotation: Any) -> Decode:
    of_key, of_value = map(decoder, get_args(annotation))

    def decode(value: Any) -> Any:
        if not isinstance(value, dict):
            raise _wrong("dict_type", value, "Input should be a valid dictionary")
        lines: list[Line] = []
        made: dict[Any, Any] = {}
        for key, each in value.items():
            name, well = _decoded(of_key, key, (key, "[key]"), lines)
            content, fine = _decoded(of_value, each, (key,), lines)
            if well and fine:
                made[name] = content
        if lines:
            raise ValidationError(lines)
        return made

    return decode


def _decoded(decode: Decode, value: Any, way: tuple[int | str, ...], lines: list[Line]) -> tuple[Any, bool]:
    try:
        return decode(value), True
    except ValidationError as error:
        lines.extend(error.errors(*way))
        return None, False


def decode_each(values: Iterable[tuple[int | str, Any]], decode: Decode) -> list[Any]:
    """Decodes the elements of a collection, each with its index or key; the mistakes of all of them, at their places."""
    made: list[Any] = []
    lines: list[Line] = []
    for key, value in values:
        if len(lines) >= ENOUGH:
            lines.extend(_enough().errors(key))
            break
        try:
            made.append(decode(value))
        except ValidationError as error:
            lines.extend(error.errors(key))
    if lines:
        raise ValidationError(lines)
    return made


def _enough() -> Problem:
    return Problem(
        "ORC102", f"{ENOUGH} mistakes in one list: what follows is not looked at", "mend those above first"
    )


_COMPOSED: dict[Any, Callable[[Any], Decode]] = {
    Annotated: _annotated,
    Literal: _literal,
    Union: _union,
    types.UnionType: _union,
    tuple: _list,
    dict: _mapping,
}


# Limits


def _limited(decode: Decode, limits: dict[str, Any]) -> Decode:
    checks = [_LIMITS[name](bound) for name, bound in limits.items()]

    def decode_within(value: Any) -> Any:
        made = decode(value)
        if made is not None:
            for check in checks:
                check(made)
        return made

    return decode_within


def _bound(kind: str, name: str, words: str, holds: Callable[[Any, Any], bool]) -> Callable[[Any], Decode]:
    def limit(bound: Any) -> Decode:
        def check(value: Any) -> None:
            if not holds(value, bound):
                raise _wrong(kind, value, f"Input should be {words} {bound}", **{name: bound})

        return check

    return limit


def _pattern(written: str) -> Decode:
    found = re.compile(re.sub(r"(?<!\\)\$$", r"\\Z", written)).search  # `$` would let a line end pass

    def check(value: str) -> None:
        if not found(value):
            raise _wrong(
                "string_pattern_mismatch", value, f"String should match pattern '{written}'", pattern=written
            )

    return check


def _length(name: str, short: str, words: str, holds: Callable[[int, int], bool]) -> Callable[[int], Decode]:
    def limit(bound: int) -> Decode:
        def check(value: Any) -> None:
            if not holds(len(value), bound):
                text = isinstance(value, str)
                unit = "characters" if text else "items"
                msg = f"{'String' if text else 'Value'} should have at {words} {bound} {unit}"
                raise _wrong(f"string_{short}" if text else short, value, msg, **{name: bound})

        return check

    return limit


_LIMITS: dict[str, Callable[[Any], Decode]] = {
    "gt": _bound("greater_than", "gt", "greater than", lambda value, bound: value > bound),
    "ge": _bound("greater_than_equal", "ge", "greater than or equal to", lambda value, bound: value >= bound),
    "lt": _bound("less_than", "lt", "less than", lambda value, bound: value < bound),
    "le": _bound("less_than_equal", "le", "less than or equal to", lambda value, bound: value <= bound),
    "pattern": _pattern,
    "min_length": _length("min_length", "too_short", "least", lambda length, bound: length >= bound),
    "max_length": _length("max_length", "too_long", "most", lambda length, bound: length <= bound),
}
