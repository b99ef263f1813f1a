"""`expect`: what an answer must look like. Matchers and HTTP expectations, as data."""

from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, WithJsonSchema

from orchestrator.diagnostics.patterns import pattern
from orchestrator.document.node import words_for
from orchestrator.spec.errors import problem
from orchestrator.spec.model import Model
from orchestrator.spec.templated import Templated, filled_in
from orchestrator.spec.types import Duration, Keywords, NonEmpty, Pattern, Scalar, Specifier

_STATUS_RANGE = pattern(r"([1-5][0-9]{2})-([1-5][0-9]{2})\Z")


def _matcher(value: Any) -> Any:
    """A plain value means equality; a mapping names operators, all of which must hold."""
    if isinstance(value, dict):
        if not value:
            raise problem(
                "ORC119",
                "an empty matcher matches everything",
                "name an operator, for example `{contains: ok}`",
            )
        return Matcher.model_validate(value)
    if isinstance(value, tuple) and not value:
        raise problem(
            "ORC115", "an empty list is no expectation", "list what is expected, or take the line out"
        )
    return filled_in(value)


AnyMatcher = Annotated[Any, PlainValidator(_matcher), WithJsonSchema({"$ref": "#/$defs/AnyMatcher"})]


class Matcher(Model):
    """What a value must satisfy. All operators that are given must hold."""

    noun = "matcher"
    removed_keys: ClassVar = {
        "starts_with": 'use `matches`: `{matches: "^220 "}`',
        "length": 'of a text use `matches`: `{matches: "^.{3,}$"}`; of a list a path into it: `{items.0: {not: ""}}`',
        "any": 'use `in` for values, and `matches` with `|` for texts: `{matches: "^(ok|up)"}`',
        "all": "write the operators beside one another: all of them must hold",
    }

    in_: Annotated[tuple[Templated[Scalar], ...], NonEmpty] | None = Field(
        None, description="One of these values.", alias="in"
    )
    contains: Templated[Scalar] | None = Field(
        None, description="A text that contains this text, or a list that contains this value."
    )
    matches: Templated[Pattern] | None = Field(
        None, description="A text in which this regular expression is found; bounded in time."
    )
    gt: Templated[int | float] | None = Field(None, description="A number greater than this.")
    ge: Templated[int | float] | None = Field(None, description="A number greater than or equal to this.")
    lt: Templated[int | float] | None = Field(None, description="A number less than this.")
    le: Templated[int | float] | None = Field(None, description="A number less than or equal to this.")
    version: Templated[Specifier] | None = Field(
        None, description='A version that satisfies this specifier (PEP 440), such as ">=0.3".'
    )
    not_: AnyMatcher = Field(None, description="Not this.", alias="not")


StatusRange = tuple[int, int]


def _one_status(value: Any) -> StatusRange:
    if isinstance(value, int) and not isinstance(value, bool):
        if 100 <= value <= 599:
            return value, value
        raise problem("ORC105", f"an HTTP status is 100 to 599, got `{value}`", "")
    found = _STATUS_RANGE.match(value) if isinstance(value, str) else None
    if found is None:
        raise problem(
            "ORC119",
            f"expected an HTTP status, got {words_for(value)}",
            f'write "{value[0]}00-{value[0]}99"'
            if isinstance(value, str) and value[1:].lower() == "xx" and value[0] in "12345"
            else 'a number, a list of numbers, or a range such as "200-299"',
        )
    low, high = int(found.group(1)), int(found.group(2))
    if low > high:
        raise problem("ORC124", f"the range `{value}` is empty", f'write "{high}-{low}"')
    return low, high


def _listed(value: Any) -> Any:
    """One status is a list of one."""
    if value == ():
        raise problem("ORC115", "an empty list of statuses would never match", "for example 200")
    return value if isinstance(value, tuple) else (value,)


_ONE_STATUS = {
    "anyOf": [
        {"type": "integer", "minimum": 100, "maximum": 599},
        {"type": "string", "pattern": "^[1-5][0-9]{2}-[1-5][0-9]{2}$"},
    ]
}
OneStatus = Annotated[StatusRange, PlainValidator(_one_status), WithJsonSchema(_ONE_STATUS)]
Status = Annotated[
    tuple[Templated[OneStatus], ...],
    BeforeValidator(
        _listed,
        json_schema_input_type=Templated[OneStatus] | Annotated[tuple[Templated[OneStatus], ...], NonEmpty],
    ),
]
"""Ranges of accepted HTTP statuses, both ends included."""


def _some(value: dict[str, Any]) -> dict[str, Any]:
    if not value:
        raise problem(
            "ORC115", "an empty mapping expects nothing", "name what is expected, or take the line out"
        )
    return value


Matchers = Annotated[dict[str, AnyMatcher], AfterValidator(_some), Keywords(minProperties=1)]


class Expect(Model):
    """What an HTTP answer must look like. Without `expect` a status of 200 to 299 is expected."""

    noun = "expectation"
    removed_keys: ClassVar = {
        "content_type": 'use `headers`: `{headers: {Content-Type: {matches: "^application/json"}}}`',
        "schema": "use `json`: `{json: {status: ok}}`",
    }

    status: Status | None = Field(
        None,
        description="The status: a number, a list, or a range such as 200-299.",
        examples=[200, "200-299"],
    )
    headers: Matchers | None = Field(None, description="Headers by name (any case), each with a matcher.")
    body: AnyMatcher = Field(None, description="A matcher for the body as text; 64 KiB of it are read.")
    json_: Matchers | None = Field(None, description="Values of the JSON body by dotted path, such as `items.0.name`, each with a matcher.", alias="json")  # fmt: skip
    max_time: Templated[Duration] | None = Field(
        None, description="The answer must be complete within this time."
    )
