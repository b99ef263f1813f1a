"""What a model is declared with: fields, their limits, and functions that decode or judge a value.

The words are pydantic's, and mean what they mean there. A twin of every model is made with pydantic itself for the
schema (`twins`); a start does without, because importing it costs more than all the rest of reading a spec.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F")


class _Mark:
    """Stands beside a type in `Annotated`."""

    __slots__ = ("func",)

    def __init__(self, func: Callable[[Any], Any]) -> None:
        self.func = func


class PlainValidator(_Mark):
    """A function that decodes a value all by itself."""


class BeforeValidator(_Mark):
    """A function that a value goes through before it is decoded."""


class AfterValidator(_Mark):
    """A function that judges or changes what was decoded."""


class WithJsonSchema:
    """What stands in the schema."""

    __slots__ = ("json_schema",)

    def __init__(self, json_schema: dict[str, Any]) -> None:
        self.json_schema = json_schema


class LazySchema:
    """Stands in the schema until the generator puts the models there."""

    __slots__ = ("schema_of",)

    def __init__(self, schema_of: str) -> None:
        self.schema_of = schema_of


LIMITS = ("gt", "ge", "lt", "le", "pattern", "min_length", "max_length")


class Field:
    """A field of a model, or within `Annotated` the limits of a value."""

    __slots__ = (
        "_annotation",
        "_module",
        "alias",
        "default",
        "description",
        "examples",
        "limits",
        "repr",
        "written",
    )

    def __init__(
        self,
        default: Any = ...,
        *,
        description: str = "",
        alias: str | None = None,
        examples: list[Any] | None = None,
        repr: bool = True,  # noqa: A002 - as pydantic has it
        **limits: Any,
    ) -> None:
        unknown = limits.keys() - set(LIMITS)
        if unknown:
            raise TypeError(f"a field has no {', '.join(sorted(unknown))}")
        self.default = default
        self.description = description
        self.alias = alias
        self.examples = examples
        self.repr = repr
        self.limits = limits

    def bind(self, written: Any, module: str) -> Field:
        """Tells it its type as the class has it written; that is read when it is asked for."""
        self.written, self._module = written, module
        return self

    @property
    def annotation(self) -> Any:
        """Its type."""
        if not hasattr(self, "_annotation"):
            written = self.written
            if isinstance(written, str):
                written = eval(written, sys.modules[self._module].__dict__)  # noqa: S307 - the class's own words
            self._annotation = written
        return self._annotation

    @property
    def required(self) -> bool:
        return self.default is ...


def described(default: Any, description: str, **extra: Any) -> Any:
    """A field: its default (`...` where it is required), and what it is for in words for users."""
    return Field(default, description=description, **extra)


def model_validator(*, mode: str) -> Callable[[F], F]:
    """Marks a method that judges a whole model: `before` its fields are decoded, or `after`."""

    def mark(method: F) -> F:
        function: Any = getattr(method, "__func__", method)
        function.__validates__ = mode
        return method

    return mark
