"""Comparisons such as `>=256MB,<2GB`, with sizes or numbers."""

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import PlainValidator, WithJsonSchema

from orchestrator.diagnostics.patterns import pattern
from orchestrator.document.node import words_for
from orchestrator.spec.errors import problem
from orchestrator.spec.types import parse_size

if TYPE_CHECKING:
    from collections.abc import Callable

_BOUND = pattern(r"\s*(>=|<=|==|>|<)\s*(\S+)\s*\Z")
_NUMBER = pattern(r"\d+(\.\d+)?\Z")
_TESTS: "dict[str, Callable[[float, float], bool]]" = {
    ">=": lambda found, wanted: found >= wanted,
    "<=": lambda found, wanted: found <= wanted,
    "==": lambda found, wanted: found == wanted,
    ">": lambda found, wanted: found > wanted,
    "<": lambda found, wanted: found < wanted,
}


def size(text: str) -> float:
    return float(parse_size(text))


def number(text: str) -> float:
    if not _NUMBER.match(text):
        raise problem("ORC103", f"expected a number, got `{text}`", 'for example ">=2"')
    return float(text)


def _bounds(value: str, read: "Callable[[str], float]") -> list[tuple[str, float]]:
    bounds = []
    for part in value.split(","):
        found = _BOUND.match(part)
        if found is None:
            raise problem("ORC103", f"expected a comparison, got `{part}`", f'write ">={part.strip()}"')
        bounds.append((found[1], read(found[2])))
    low = max((each for sign, each in bounds if sign[0] in ">="), default=0.0)
    high = min((each for sign, each in bounds if sign[0] in "<="), default=float("inf"))
    if low > high:
        raise problem("ORC124", f"nothing satisfies `{value}`", "swap the comparisons")
    return bounds


def _compared(value: Any, read: "Callable[[str], float]", example: str) -> str:
    if not isinstance(value, str):
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        hint = f'write ">={value}"' if is_number and read is number else f'for example "{example}"'
        raise problem("ORC102", f"expected a comparison, got {words_for(value)}", hint)
    _bounds(value, read)
    return value


def comparison(read: "Callable[[str], float]", example: str) -> Any:
    schema = WithJsonSchema({"type": "string", "pattern": "^\\s*(>=|<=|==|>|<)", "examples": [example]})
    return Annotated[str, PlainValidator(lambda value: _compared(value, read, example)), schema]


def holds(found: float, value: str, read: "Callable[[str], float]") -> bool:
    return all(_TESTS[sign](found, wanted) for sign, wanted in _bounds(value, read))


def least(value: str, read: "Callable[[str], float]", default: float) -> float:
    """The lower bound; the default where there is none."""
    return next((wanted for sign, wanted in _bounds(value, read) if sign[0] == ">"), default)
