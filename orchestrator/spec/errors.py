"""Errors of values: pydantic's, and problems that carry a diagnostic code of their own.

`raise problem("ORC106", …)` in a validator; `messages` turns every error into a diagnostic.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from orchestrator.document.plain import Template

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    Line = Mapping[str, Any]
    """One error of a ValidationError: `type`, `loc`, `input`, `ctx`, `msg`."""

ENOUGH = 1000
"""Errors in one list; more would help nobody, and cost memory and time."""


class Problem(PydanticCustomError):
    """An error with a diagnostic code of its own (`type`), found where it is raised."""

    def __new__(
        cls, code: str, message: str, hint: str = "", key: str | int = "", exclusive: Iterable[str] = ()
    ) -> Self:
        context = {"message": message, "hint": hint, "key": key, "exclusive": tuple(exclusive)}
        return super().__new__(cls, code, "{message}", context)


def problem(
    code: str, message: str, hint: str = "", key: str | int = "", exclusive: Iterable[str] = ()
) -> Problem:
    """An error with a diagnostic code of its own, to be raised in a validator.

    A validator of a whole mapping or list names the key or index that is at fault, where it is one. `exclusive` are
    keys that exclude one another: where they come from several layers, the error stands at the one of the uppermost.
    """
    return Problem(code, message, hint, key, exclusive)


NO_TEMPLATE = "template_not_allowed"
"""The type of the error for `${…}` where it cannot stand."""


def refuse_template(value: Any) -> None:
    """For a validator that takes values of any type: raises where it is given `${…}`."""
    if isinstance(value, Template):
        raise PydanticCustomError(NO_TEMPLATE, "a value with `${{…}}` cannot stand here")


def details(
    error: ValidationError | PydanticCustomError, *path: str | int, value: Any = None
) -> list[InitErrorDetails]:
    """The errors as ValidationError.from_exception_data takes them; `path` leads from the whole to this value."""
    if isinstance(error, PydanticCustomError):
        return [InitErrorDetails(type=error, loc=path, input=value)]
    return [detail(line, *path) for line in error.errors(include_url=False)]


def detail(line: Any, *path: str | int) -> InitErrorDetails:
    """The same for one line of an error."""
    kind, context = line["type"], line.get("ctx") or {}
    if kind.startswith("ORC"):
        kind = PydanticCustomError(kind, "{message}", context)
    elif kind == NO_TEMPLATE:
        kind = PydanticCustomError(NO_TEMPLATE, line["msg"])
    return InitErrorDetails(type=kind, loc=(*path, *line["loc"]), input=line["input"], ctx=context)


def combined(found: Iterable[InitErrorDetails]) -> ValidationError:
    """One error from the details of several."""
    return ValidationError.from_exception_data("spec", list(found), hide_input=True)


def validate_each(values: Iterable[tuple[int | str, Any]], validate: Callable[[Any], Any]) -> list[Any]:
    """Validates the elements of a collection, each with its index or key; raises the errors of all, up to ENOUGH."""
    made: list[Any] = []
    found: list[InitErrorDetails] = []
    for key, value in values:
        if len(found) >= ENOUGH:
            message = f"{ENOUGH} mistakes in one list: what follows is not looked at"
            found += details(problem("ORC102", message, "fix those above first"), key)
            break
        try:
            made.append(validate(value))
        except (ValidationError, PydanticCustomError) as error:
            found += details(error, key, value=value)
    if found:
        raise combined(found)
    return made
