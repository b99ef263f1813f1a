"""What every part of a spec is built from: a strict, frozen model that decodes short forms and `${…}`.

A problem that a validator finds carries its own diagnostic code: `raise problem("ORC106", ...)`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    PlainValidator,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from orchestrator.document.plain import Interpolated
from orchestrator.document.scalars import resolve

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

M = TypeVar("M", bound="Model")


def problem(code: str, message: str, hint: str = "", key: str | int = "") -> PydanticCustomError:
    """An error with a diagnostic code of its own, to be raised in a validator.

    A validator of a whole mapping or list names the key or index that is at fault, where it is one.
    """
    return PydanticCustomError(code, "{message}", {"message": message, "hint": hint, "key": key})


class Model(BaseModel):
    """A mapping of the spec. Unknown keys are errors, `x-…` keys are dropped, nothing is coerced silently."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, defer_build=True, arbitrary_types_allowed=True
    )

    shorthand: ClassVar[str | None] = None
    """The field that a plain string stands for."""
    judged_when_taken: ClassVar[frozenset[str]] = frozenset()
    """Fields whose values, where they are made from variables, are judged by who takes them: perhaps nobody does."""
    fixed: ClassVar[frozenset[str]] = frozenset()
    """The fields in which `${…}` is not allowed."""
    of_items: ClassVar[frozenset[str]] = frozenset()
    """The fields that are lists of items: each item says itself where `${…}` may stand."""
    why_fixed: ClassVar[dict[str, tuple[str, str]]] = {}
    """For such a field the message and the hint, where the general ones will not do."""
    noun: ClassVar[str] = ""
    """What messages call it: `wait`, `directory`."""

    @model_validator(mode="wrap")
    @classmethod
    def _decode(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if isinstance(data, str) and cls.shorthand:
            data = {cls.shorthand: data}
        elif isinstance(data, dict) and any(isinstance(key, str) and key.startswith("x-") for key in data):
            data = {key: value for key, value in data.items() if not key.startswith("x-")}
        try:
            return handler(data)
        except ValidationError as error:
            raise cls._explained(error, data) from None

    @classmethod
    def keys(cls) -> list[str]:
        """The keys as a user writes them."""
        return [field.alias or name for name, field in cls.model_fields.items()]

    @classmethod
    def _explained(cls, error: ValidationError, data: Any) -> ValidationError:
        """The same errors; those that need to know this model are told here, the others where they are shown."""
        lines = []
        for line in error.errors(include_url=False):
            kind, loc = line["type"], line["loc"]
            if kind == "extra_forbidden" and len(loc) == 1:
                lines.append(_line(_unknown_key(cls, str(loc[0])), loc, line["input"]))
            elif kind == "missing" and len(loc) == 1:
                lines.append(_line(_missing_key(cls, str(loc[0])), loc, data))
            elif kind in ("model_type", "model_attributes_type", "dict_type") and not loc:
                lines.append(_line(_no_mapping(cls, data), loc, data))
            else:
                lines.append(_again(line, loc))
        return ValidationError.from_exception_data(cls.__name__, lines)

    @field_validator("*", mode="wrap")
    @classmethod
    def _interpolated(cls, value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
        kind = value.__class__
        if kind is Interpolated:
            if info.field_name in cls.fixed:
                raise _not_here(cls, str(info.field_name))
            made = _late(value, handler)
            return value if info.field_name in cls.judged_when_taken else made
        if (
            kind is tuple
            and info.field_name not in cls.of_items
            and any(each.__class__ is Interpolated for each in value)
        ):
            if info.field_name in cls.fixed:
                raise _not_here(cls, str(info.field_name))
            return _late_elements(value, handler)
        return handler(value)


def _not_here(model: type[Model], name: str) -> PydanticCustomError:
    key = model.model_fields[name].alias or name
    if name in model.why_fixed:
        return problem("ORC219", *model.why_fixed[name])
    return problem(
        "ORC219",
        f"`{key}` cannot hold `${{…}}`: it is needed before any value is known",
        "write the value itself",
    )


def _again(line: Any, loc: tuple[int | str, ...]) -> InitErrorDetails:
    """An error to be raised once more, at another place."""
    kind = line["type"]
    if kind.startswith("ORC"):
        return _line(PydanticCustomError(kind, "{message}", line["ctx"]), loc, line["input"])
    details = InitErrorDetails(type=kind, loc=loc, input=line["input"])
    if "ctx" in line:
        details["ctx"] = line["ctx"]
    return details


def decode_each(values: Iterable[tuple[int | str, Any]], decode: Callable[[Any], Any]) -> list[Any]:
    """Decodes the elements of a collection, each with its index or key; the errors of all of them, at their places.

    What a field of type `tuple[Annotated[Any, PlainValidator(decode)], ...]` would do, without building a model for it.
    """
    made: list[Any] = []
    lines: list[InitErrorDetails] = []
    for key, value in values:
        try:
            made.append(decode(value))
        except ValidationError as error:
            lines.extend(_again(line, (key, *line["loc"])) for line in error.errors(include_url=False))
        except PydanticCustomError as error:
            lines.append(_line(error, (key,), value))
    if lines:
        raise ValidationError.from_exception_data("elements", lines)
    return made


def lazy_model(name: str) -> Any:
    """A field whose model, `module:Class`, is imported when a spec uses it."""

    def decode(value: Any) -> Any:
        from importlib import import_module

        module, _, kind = name.partition(":")
        return getattr(import_module(module), kind).model_validate(value)

    return Annotated[Any, PlainValidator(decode), LazySchema(f"model:{name}")]


def lazy_condition() -> Any:
    """A field that holds a condition."""

    def decode(value: Any) -> Any:
        from orchestrator.spec.conditions import decode_condition

        return decode_condition(value)

    return Annotated[Any, PlainValidator(decode), LazySchema("condition")]


def _line(error: PydanticCustomError, loc: tuple[int | str, ...], value: Any) -> InitErrorDetails:
    return InitErrorDetails(type=error, loc=loc, input=value)


def _unknown_key(model: type[Model], key: str) -> PydanticCustomError:
    from orchestrator.diagnostics.suggest import closest

    near = closest(key, model.keys())
    hint = (
        f"did you mean `{near}`?"
        if near
        else "the keys are " + ", ".join(f"`{each}`" for each in model.keys())
    )
    return problem("ORC104", f"unknown key `{key}` in {model.noun or _noun(model)}", hint)


def _missing_key(model: type[Model], key: str) -> PydanticCustomError:
    field = next((each for name, each in model.model_fields.items() if key in (name, each.alias)), None)
    said = (field.description or "").rstrip(".") if field else ""
    return problem(
        "ORC101",
        f"missing key `{key}` in {model.noun or _noun(model)}",
        f"`{key}` is {said[:1].lower()}{said[1:]}" if said else "",
    )


def _no_mapping(model: type[Model], data: Any) -> PydanticCustomError:
    noun = model.noun or _noun(model)
    if model.shorthand and not isinstance(data, tuple | dict) and data is not None:
        hint = (
            f'write a specifier in quotes: ">={data}"'
            if model.shorthand == "version"
            else f'write it in quotes: "{data}"'
        )
        return problem("ORC102", f"expected a text or a mapping for {noun}, got {_shown(data)}", hint)
    if data is None:
        return problem(
            "ORC102",
            f"expected a mapping for {noun}, got nothing",
            "write what belongs there, or take the line out",
        )
    own = [key for key in model.keys() if key not in _COMMON] or model.keys()
    return problem(
        "ORC102",
        f"expected a mapping for {noun}, got {_shown(data)}",
        "the keys are " + ", ".join(f"`{each}`" for each in own),
    )


_COMMON = frozenset({"id", "why", "needs", "when", "timeout", "deadline", "retry", "on_failure"})
"""Keys of every item: known, and left out where a message lists what is special."""


def _noun(model: type[Model]) -> str:
    """`RestartPolicy` is a restart policy."""
    return "".join(
        f" {each.lower()}" if each.isupper() else each for each in model.__name__.lstrip("_")
    ).strip()


def _late(value: Interpolated, handler: Callable[[Any], Any]) -> Any:
    """A value from variables is text, checked as the type of its field: `"8000"` is a port."""
    if not value.known:
        return _later(value, handler)
    text = str(value)
    try:
        try:
            return handler(text)
        except ValidationError:
            scalar = resolve(text)[0]
            if scalar.__class__ is str:
                raise
            return handler(scalar)
    except ValidationError:
        if value.secret:
            raise _unsaid(value) from None
        raise


def _later(value: Interpolated, handler: Callable[[Any], Any]) -> Any:
    """The text as written until a start knows better; a short form is put into its model even so."""
    try:
        made = handler(value)
    except ValidationError:
        return value
    return made if isinstance(made, Model) else value


def _late_elements(values: tuple[Any, ...], handler: Callable[[Any], Any]) -> Any:
    """The same for the elements of a list."""
    try:
        return handler(values)
    except ValidationError as error:
        secret = next(
            (each for each in values if each.__class__ is Interpolated and each.secret and each.known), None
        )
        if any(line["type"] == "ORC216" for line in error.errors(include_url=False)):
            raise
        if secret is not None:
            raise _unsaid(secret) from None
        wrong = {line["loc"][0] for line in error.errors(include_url=False) if line["loc"]}
        unknown = {at for at, each in enumerate(values) if each.__class__ is Interpolated and not each.known}
        if wrong and wrong <= unknown:
            return values
        read = tuple(
            resolve(str(each))[0] if each.__class__ is Interpolated and each.known else each
            for each in values
        )
        if read == values:
            raise
        return handler(read)


def _unsaid(value: Interpolated) -> PydanticCustomError:
    return problem(
        "ORC218",
        f"the value of `{value.written}` does not fit here; it is secret and not shown",
        "set it to a value of the right type",
    )


def keyed(
    data: Any, noun: str, names: Collection[str], common: Collection[str], load: Callable[[str], type[Model]]
) -> Any:
    """Decodes a mapping whose kind is told by which key is present.

    The choice is ours, so that an error is about the kind that was meant and not about every kind there is.
    """
    if isinstance(data, Model):
        return data
    if not isinstance(data, dict):
        raise problem("ORC102", f"expected a {noun} as a mapping, got {_shown(data)}", _example(noun, names))
    present = [key for key in data if key in names]
    if len(present) > 1:
        listed = " and ".join(f"`{each}`" for each in present)
        raise problem("ORC111", f"a {noun} has exactly one kind, found {listed}", "split it in two")
    if not present:
        raise _no_kind(data, noun, names, common)
    return load(present[0]).model_validate(data)


def _no_kind(
    data: Mapping[Any, Any], noun: str, names: Collection[str], common: Collection[str]
) -> PydanticCustomError:
    from orchestrator.diagnostics.suggest import closest

    strangers = [key for key in data if key not in common and not str(key).startswith("x-")]
    listed = ", ".join(f"`{each}`" for each in sorted(names))
    for key in strangers:
        near = closest(str(key), [*names, *common])
        if near:
            return problem("ORC112", f"unknown kind of {noun} `{key}`", f"did you mean `{near}`?", str(key))
    if strangers:
        return problem(
            "ORC112", f"unknown kind of {noun} `{strangers[0]}`", f"one of {listed}", str(strangers[0])
        )
    return problem("ORC111", f"a {noun} needs one of {listed}", _example(noun, names))


def _example(noun: str, names: Collection[str]) -> str:
    return _EXAMPLES.get(noun) or (f"write the {noun} as `{min(names)}: …`" if names else "")


_EXAMPLES = {
    "condition": "for example {variable: DEBUG, is: true}", "wait": "for example `tcp: db:5432`", "fallback action": "for example `warn`",
    "check": "for example `run: [python, -m, app.check]`",
}  # fmt: skip


def _shown(data: object) -> str:
    from orchestrator.document.node import words_for

    return words_for(data)


def no_number(value: object, what: str, example: str, code: str) -> PydanticCustomError:
    """The error for a bare number where a unit is needed."""
    if isinstance(value, bool):
        return problem(code, f"expected {what}, got `{str(value).lower()}`", f"for example `{example}`")
    if isinstance(value, int | float) and math.isfinite(value):
        return problem(
            code, f"expected {what}, got the bare number `{value}`", f"write the unit: `{example}`"
        )
    return problem(code, f"expected {what}, got {_shown(value)}", f"for example `{example}`")


class LazySchema:
    """Stands in a generated schema until the generator puts the models there."""

    def __init__(self, schema_of: str) -> None:
        self.schema_of = schema_of

    def __get_pydantic_json_schema__(self, core_schema: Any, handler: Any) -> dict[str, Any]:
        return {"x-lazy": self.schema_of}


def described(default: Any, description: str, **extra: Any) -> Any:
    """A field: its default, and what it is for in words for users."""
    return Field(default, description=description, **extra)
