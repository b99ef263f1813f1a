"""What every part of a spec is built from: a strict, frozen model that decodes short forms and `${…}`.

A problem that a validator finds carries its own diagnostic code: `raise problem("ORC106", ...)`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

from orchestrator.document.plain import Interpolated
from orchestrator.document.scalars import resolve
from orchestrator.spec.decoding import decode_each, of_field
from orchestrator.spec.fields import Field, LazySchema, PlainValidator, described
from orchestrator.spec.mistakes import Problem, ValidationError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from orchestrator.spec.mistakes import Line

__all__ = ["LazySchema", "Model", "ValidationError", "decode_each", "described", "keyed", "lazy_condition", "lazy_model", "no_number",
           "problem"]  # fmt: skip


def problem(
    code: str, message: str, hint: str = "", key: str | int = "", rivals: Iterable[str] = ()
) -> Problem:
    """An error with a diagnostic code of its own, to be raised in a validator.

    A validator of a whole mapping or list names the key or index that is at fault, where it is one. `rivals` are keys
    that exclude one another: where they come from several layers, the error stands at the one of the uppermost.
    """
    return Problem(code, message, hint, key, rivals)


def exactly_one(model: Model, noun: str, one: str, other: str) -> None:
    """For a validator of a whole mapping: raises unless just one of two fields has a value."""
    if (getattr(model, one) is None) == (getattr(model, other) is None):
        raise problem("ORC113", f"{noun} has exactly one of `{one}` and `{other}`", "keep one of them")


class Model:
    """A mapping of the spec. Unknown keys are errors, `x-…` keys are dropped, nothing is coerced silently.

    A subclass declares its fields as annotations with `described(default, description)`. An instance holds the values
    that were given; the others are the class's defaults.
    """

    shorthand: ClassVar[str | None] = None
    """The field that a plain string stands for."""
    elsewhere: ClassVar[dict[str, str]] = {}
    """What other tools call a key, and the key here."""
    removed_keys: ClassVar[dict[str, str]] = {}
    """Keys of earlier releases: what to write instead, as a hint."""
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

    model_fields: ClassVar[dict[str, Field]] = {}
    """The fields by name, those of the bases first."""
    _decoders: ClassVar[dict[str, tuple[str, Callable[[Any], Any]]]]
    """Key → the field's name and what decodes it; made when the first mapping is decoded."""
    _before: ClassVar[tuple[str, ...]] = ()
    _after: ClassVar[tuple[str, ...]] = ()
    """The methods that judge the whole, those of the bases first."""

    def __init_subclass__(cls) -> None:
        fields: dict[str, Field] = {}
        for base in reversed(cls.__mro__[1:]):
            fields |= base.__dict__.get("model_fields", {})
        for name, written in cls.__dict__.get("__annotations__", {}).items():  # noqa: RUF063 - that costs an import
            if str(written).startswith(("ClassVar", "typing.ClassVar")):
                continue
            given = cls.__dict__.get(name, ...)
            field = fields[name] = (given if isinstance(given, Field) else Field(given)).bind(
                written, cls.__module__
            )
            if not field.required:
                setattr(cls, name, field.default)
            elif name in cls.__dict__:
                delattr(cls, name)
        cls.model_fields = fields
        cls._before = _marked(cls, "before", cls._before)
        cls._after = _marked(cls, "after", cls._after)

    def __init__(self, **data: Any) -> None:
        self.__dict__.update(type(self).model_validate(data).__dict__)

    @classmethod
    def model_validate(cls, data: Any) -> Self:
        """Decodes a mapping, or the short form of one; raises ValidationError with all mistakes."""
        if isinstance(data, cls):
            return data
        if isinstance(data, str) and cls.shorthand:
            data = {cls.shorthand: data}
        for name in cls._before:
            data = getattr(cls, name)(data)
        if not isinstance(data, dict):
            raise _no_mapping(cls, data)
        values: dict[str, Any] = {}
        lines = cls._decode(data, values)
        if lines:
            raise ValidationError(lines)
        made = cls._of(values)
        for name in cls._after:
            made = getattr(made, name)()
        return made

    @classmethod
    def _of(cls, values: dict[str, Any]) -> Self:
        """An instance with just these values. They become its `__dict__`: one that was filled would be larger."""
        made = cls.__new__(cls)
        object.__setattr__(made, "__dict__", values)
        return made

    @classmethod
    def _decode(cls, data: dict[Any, Any], values: dict[str, Any]) -> list[Line]:
        """Puts the values of the fields where they belong; gives the mistakes."""
        known = cls._known()
        lines: list[Line] = []
        meant: set[str] = set()
        for key, value in data.items():
            found = known.get(key)
            if found is not None:
                try:
                    values[found[0]] = cls._field(found[0], value, found[1])
                except ValidationError as error:
                    lines.extend(error.errors(key))
            elif not str(key).startswith("x-"):
                mistake, near = _unknown_key(cls, str(key))
                meant.add(near)
                lines.extend(mistake.errors(key))
        for name, field in cls.model_fields.items():
            if field.required and (field.alias or name) not in data and (field.alias or name) not in meant:
                lines.extend(_missing_key(cls, name, field).errors(field.alias or name))
        return lines

    @classmethod
    def _field(cls, name: str, value: Any, decode: Callable[[Any], Any]) -> Any:
        kind = value.__class__
        if kind is Interpolated:
            if name in cls.fixed:
                raise _not_here(cls, name)
            made = _late(value, decode)
            return value if name in cls.judged_when_taken else made
        if (
            kind is tuple
            and name not in cls.of_items
            and any(each.__class__ is Interpolated for each in value)
        ):
            if name in cls.fixed:
                raise _not_here(cls, name)
            return _late_elements(value, decode)
        return decode(value)

    @classmethod
    def _known(cls) -> dict[str, tuple[str, Callable[[Any], Any]]]:
        if "_decoders" not in cls.__dict__:
            cls._decoders = {
                field.alias or name: (name, of_field(field)) for name, field in cls.model_fields.items()
            }
        return cls._decoders

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
        return {self.model_fields[name].alias or name: getattr(self, name) for name in self.model_fields_set}

    @classmethod
    def keys_that_take(cls, value: Any) -> list[str]:
        """The keys that a single value may stand for; a whole number is no number with a point."""
        found = []
        for key, (_, decode) in cls._known().items():
            if key in _COMMON:
                continue
            try:
                made = decode(value)
            except ValidationError:
                continue
            if isinstance(value, str) or made.__class__ is value.__class__:
                found.append(key)
        return found if len(found) <= 2 else []

    @property
    def model_fields_set(self) -> set[str]:
        """The fields that were given a value."""
        return self.__dict__.keys() & self.model_fields.keys()

    def model_copy(self, *, update: Mapping[str, Any] | None = None) -> Self:
        """The same with other values, which are taken as they are."""
        return self._of({**self.__dict__, **(update or {})})

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"a {self.noun or type(self).__name__} does not change: `{name}` cannot be set")

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and all(
            getattr(other, name) == getattr(self, name) for name in self.model_fields
        )

    def __hash__(self) -> int:
        return hash((type(self), *(getattr(self, name) for name in self.model_fields)))

    def __repr__(self) -> str:
        shown = (f"{name}={getattr(self, name)!r}" for name, field in self.model_fields.items() if field.repr)
        return f"{type(self).__name__}({', '.join(shown)})"


def _marked(cls: type[Model], mode: str, inherited: tuple[str, ...]) -> tuple[str, ...]:
    own = [
        name for name, each in cls.__dict__.items()
        if getattr(getattr(each, "__func__", each), "__validates__", "") == mode
    ]  # fmt: skip
    return tuple(dict.fromkeys([*inherited, *own]))


def _not_here(model: type[Model], name: str) -> Problem:
    key = model.model_fields[name].alias or name
    if name in model.why_fixed:
        return problem("ORC219", *model.why_fixed[name])
    return problem(
        "ORC219",
        f"`{key}` cannot hold `${{…}}`: it is needed before any value is known",
        "write the value itself",
    )


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


def _nearest(model: type[Model], key: str) -> str:
    from orchestrator.core.suggest import closest

    return closest(key, model.keys()) or ""


def _holder(model: type[Model], key: str) -> str:
    """The key here under which the other one can stand."""
    return next((holder for holder, keys in model.below().items() if key in keys), "")


def _unknown_key(model: type[Model], key: str) -> tuple[Problem, str]:
    """The mistake, and the key here that was meant, where that can be told."""
    if key in model.removed_keys:
        return problem(
            "ORC104", f"`{key}` was removed from {model.noun or _noun(model)}", model.removed_keys[key]
        ), ""
    if near := model.elsewhere.get(key, ""):
        hint = f"here it is called `{near}`"
    elif near := _holder(model, key):
        hint = f"it stands under `{near}`: `{near}: {{{key}: …}}`"
    elif near := _nearest(model, key):
        hint = f"did you mean `{near}`?"
    else:
        own = sorted(model.keys(), key=lambda each: each in _COMMON)  # what is special comes first
        hint = "the keys are " + ", ".join(f"`{each}`" for each in own)
    return problem("ORC104", f"unknown key `{key}` in {model.noun or _noun(model)}", hint), near


def _missing_key(model: type[Model], name: str, field: Field) -> Problem:
    key = field.alias or name
    said = field.description.rstrip(".")
    return problem(
        "ORC101",
        f"missing key `{key}` in {model.noun or _noun(model)}",
        f"`{key}` is {said[:1].lower()}{said[1:]}" if said else "",
    )


def _no_mapping(model: type[Model], data: Any) -> Problem:
    noun = model.noun or _noun(model)
    expected = "a text or a mapping" if model.shorthand else "a mapping"
    return problem(
        "ORC102", f"expected {expected} for {noun}, got {_shown(data)}", _mapping_hint(model, data)
    )


def _mapping_hint(model: type[Model], data: Any) -> str:
    if data is None:
        return NOTHING
    if model.shorthand and not isinstance(data, tuple):
        return (
            f'write a specifier in quotes: ">={data}"'
            if model.shorthand == "version"
            else f'write it in quotes: "{data}"'
        )
    spelled = model.spelled_out(data) if isinstance(data, str) else ""
    meant = [] if isinstance(data, tuple) else model.keys_that_take(data)
    if spelled or meant:
        return "write " + (spelled or " or ".join(f"`{{{key}: {data}}}`" for key in meant))
    own = [key for key in model.keys() if key not in _COMMON] or model.keys()
    return "the keys are " + ", ".join(f"`{each}`" for each in own)


NOTHING = "write what belongs there, or take the line out"
"""The hint for a key with nothing behind it."""


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
    except ValidationError as error:
        if value.secret:
            raise _unsaid(value, error) from None
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
        if any(line["type"] == "ORC216" for line in error.errors()):
            raise
        if secret is not None:
            raise _unsaid(secret, error) from None
        wrong = {line["loc"][0] for line in error.errors() if line["loc"]}
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


def _unsaid(value: Interpolated, error: ValidationError) -> Problem:
    """What is wrong with a secret, without a word of it: only what was expected is said, never what was got."""
    hint = "set it to a value of the right type"
    for line in error.errors():
        said = str(line.get("ctx", {}).get("message", "")).partition(", got")[0]
        if str(value) in said:
            continue
        if said.startswith("expected "):
            hint = f"{said}: set it to one"
        elif said.startswith("the URL"):  # nothing of it is ever said
            hint = f"{said}: what a password holds is written as %40 for `@`, %2F for `/`"
    return problem(
        "ORC218", f"the value of `{value.written}` does not fit here; it is secret and not shown", hint
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
        hint = NOTHING if data is None else _LISTS.get(noun, "") if isinstance(data, tuple) else ""
        raise problem("ORC102", f"expected a {noun}, got {_shown(data)}", hint or _example(noun, names))
    present = [key for key in data if key in names]
    if len(present) > 1:
        listed = " and ".join(f"`{each}`" for each in present)
        raise problem(
            "ORC111", f"a {noun} has exactly one kind, found {listed}", "split it in two", rivals=present
        )
    if not present:
        raise _no_kind(data, noun, names, common)
    return load(present[0]).model_validate(data)


def _no_kind(
    data: Mapping[Any, Any], noun: str, names: Collection[str], common: Collection[str]
) -> ValidationError:
    """No key is a kind: which was meant to be one; and those that were meant to be something else."""
    from orchestrator.core.suggest import closest

    strangers = [str(key) for key in data if key not in common and not str(key).startswith("x-")]
    kinds = {key: near for key in strangers if (near := closest(key, names))}
    others = {key: near for key in strangers if key not in kinds and (near := closest(key, common))}
    lines = [
        line
        for key, near in others.items()
        for line in problem(
            "ORC104", f"unknown key `{key}` in {noun}", f"did you mean `{near}`?", key
        ).errors()
    ]
    listed = ", ".join(f"`{each}`" for each in sorted(names))
    unknown = next(iter(kinds), None) or next((key for key in strangers if key not in others), None)
    if unknown is None:
        kind = problem("ORC111", f"a {noun} needs one of {listed}", _example(noun, names))
    else:
        hint = f"did you mean `{kinds[unknown]}`?" if unknown in kinds else f"one of {listed}"
        kind = problem("ORC112", f"unknown kind of {noun} `{unknown}`", hint, unknown)
    return ValidationError([*kind.errors(), *lines])


def _example(noun: str, names: Collection[str]) -> str:
    return _EXAMPLES.get(noun) or (f"write the {noun} as `{min(names)}: …`" if names else "")


_LISTS = {"condition": "for several write {all: [...]} or {any: [...]}"}
_EXAMPLES = {
    "condition": "for example {variable: DEBUG, is: true}", "wait": "for example `tcp: db:5432`", "fallback action": "for example `warn`",
    "check": "for example `run: [python, -m, app.check]`",
}  # fmt: skip


def _shown(data: object) -> str:
    from orchestrator.document.node import words_for

    return words_for(data)


def no_number(value: object, what: str, example: str, code: str) -> Problem:
    """The error for a bare number where a unit is needed."""
    if isinstance(value, bool):
        return problem(code, f"expected {what}, got `{str(value).lower()}`", f"for example `{example}`")
    if isinstance(value, int | float) and math.isfinite(value):
        return problem(
            code, f"expected {what}, got the bare number `{value}`", f"write the unit: `{example}`"
        )
    return problem(code, f"expected {what}, got {_shown(value)}", f"for example `{example}`")
