"""The contract of an environment variable, and whether a text keeps it. Pure: where the text comes from is the engine's."""

import re
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, PlainValidator, WithJsonSchema, model_validator

from orchestrator.diagnostics.patterns import pattern
from orchestrator.document.node import words_for
from orchestrator.document.plain import Template, as_text
from orchestrator.spec import refused_texts
from orchestrator.spec.breaking import CannotBreak
from orchestrator.spec.errors import problem, validate_each
from orchestrator.spec.item import AnyCondition, Item
from orchestrator.spec.model import Lazy, Model
from orchestrator.spec.text_types import ARTICLES, EXAMPLES, READERS, has_stray_blanks
from orchestrator.spec.types import (
    NonEmpty,
    Pattern,
    Scalar,
    VariableName,
    parse_duration,
    parse_size,
)

if TYPE_CHECKING:
    from orchestrator.spec.breaking import Sandbox
    from orchestrator.spec.variable_parts import Generate
else:
    Generate = Annotated[Any, Lazy("orchestrator.spec.variable_parts:Generate")]

_SERVICE_LINK = pattern(r"(?:tcp|udp|sctp)://[0-9a-f.:\[\]]+:[0-9]+\Z")
Type = Literal[
    "string", "integer", "number", "boolean", "port", "url", "path", "duration", "size", "list", "json", "email",
]  # fmt: skip


def _default(value: Any) -> Any:
    if not isinstance(value, tuple):
        return _scalar(value)
    if value and all(isinstance(each, dict) for each in value):
        from orchestrator.spec.variable_parts import Choice

        return tuple(validate_each(enumerate(value), Choice.model_validate))
    return tuple(validate_each(enumerate(value), _text))


def _scalar(value: Any) -> Any:
    if isinstance(value, str | bool | int | float | Template):
        return value
    raise problem(
        "ORC102",
        f"`default` expects a text, a number or true or false, got {words_for(value)}",
        "for a list write [a, b]",
    )


def _text(value: Any) -> Any:
    if isinstance(value, str | Template):
        return value
    raise problem(
        "ORC102",
        f"an item of `default` expects a text, got {words_for(value)}",
        "a list is of texts alone, or of {value, when} alone"
        if isinstance(value, dict | tuple)
        else f'write it in quotes: "{value}"',
    )


Default = Annotated[
    Any,
    PlainValidator(
        _default,
        json_schema_input_type=Scalar
        | tuple[str, ...]
        | Annotated[
            tuple[Annotated[Any, Lazy("orchestrator.spec.variable_parts:Choice")], ...], Field(min_length=1)
        ],
    ),
]
_removed = WithJsonSchema({"anyOf": [{"type": "string"}, {"const": True}]})


class Variable(Item):
    """The contract of a variable."""

    kind = "variable"
    noun = "variable"
    name: ClassVar[str] = ""
    removed_keys: ClassVar = {
        "non_empty": "write `min_length: 1`",
        "must_be_unset": "write `removed: true`, or the reason in its place",
        "host_required": "write a pattern: `pattern: '[a-z+]+://([^@/]*@)?[^:/?]+.*'`",
        "one_of": "write `conflicts: [OTHER]` and `required_when: {variable: OTHER, is: unset}`",
        "deprecated": "write `renamed_to: NEW`; or `removed: REASON` with `on_failure: warn`",
    }

    type: Type = Field("string", description="What its text must be. The server gets the text unchanged.")
    required: bool = Field(False, description="The start fails when it is unset or empty.")
    required_when: AnyCondition | None = Field(None, description="Required only when this condition holds.")
    default: Default = Field(
        None,
        description="The value when it is unset: a value, or a list of {value, when}, the first that holds.",
    )
    allowed: Annotated[tuple[Scalar, ...], NonEmpty] | None = Field(
        None, description="The only values it may have.", examples=[["debug", "info"]]
    )
    pattern: Pattern | None = Field(None, description="A regular expression that the whole text must match.")
    min: int | float | str | None = Field(
        None, description="The least value: a number, for durations and sizes with a unit."
    )
    max: int | float | str | None = Field(None, description="The greatest value.")
    min_length: Annotated[int, Field(ge=0)] | None = Field(
        None, description="The least number of characters."
    )
    forbidden: Annotated[tuple[str, ...], NonEmpty] | None = Field(
        None, description="Values it must not have, any case.", examples=[["changeme"]]
    )
    schemes: Annotated[tuple[str, ...], NonEmpty] | None = Field(
        None, description="For a URL: the schemes it may have.", examples=[["postgresql"]]
    )
    separator: Annotated[str, Field(min_length=1, max_length=3)] | None = Field(None, description="For a list: what separates elements; without it they are split like shell words.")  # fmt: skip
    secret: bool = Field(False, description="Its value is never shown.")
    from_file: bool = Field(
        False,
        description="It may be given in a file: NAME_FILE names it, or /run/secrets/<name in lower case>.",
    )
    generate: Generate | None = Field(
        None, description="Made at the first start when it is given nowhere, and kept."
    )
    conflicts: Annotated[tuple[VariableName, ...], NonEmpty] | None = Field(
        None, description="Variables that must not be set beside it."
    )
    requires: Annotated[tuple[VariableName, ...], NonEmpty] | None = Field(
        None, description="Variables that must be set when it is."
    )
    renamed_to: VariableName | None = Field(
        None, description="Its new name; the old one still works and is warned about."
    )
    removed: str | Literal[True] | None = Field(
        None, description="It has no effect any more: setting it is an error with this message."
    )
    unset: bool = Field(False, description="It is not handed to the server.")

    @property
    def title(self) -> str:
        return ""

    @classmethod
    def spelled_out(cls, text: str) -> str:
        return f"{{type: {text}}}" if text in READERS else ""

    @model_validator(mode="before")
    @classmethod
    def _no_dsn(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("type") == "dsn":
            hint = "write `type: url`: `schemes` names the driver as well, as in postgresql+asyncpg"
            raise problem("ORC103", "the type `dsn` was removed", hint, "type")
        return data

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for check in (self._range, self._only_for_type, self._alone, self._default_fits):
            check()
        return self

    def _range(self) -> None:
        low, high = self._bound("min", self.min), self._bound("max", self.max)
        if low is not None and high is not None and low > high:
            raise problem("ORC124", f"`min` {self.min} is greater than `max` {self.max}", "swap them", "min")

    def _bound(self, name: str, value: float | str | None) -> float | None:
        if value is None:
            return None
        if self.type not in ("integer", "number", "port", "duration", "size"):
            raise problem(
                "ORC113",
                f"`{name}` has no meaning for type `{self.type}`",
                "it needs type integer, number, port, duration or size",
                name,
            )
        if self.type == "duration":
            return parse_duration(value)
        if self.type == "size":
            return float(parse_size(value))
        if isinstance(value, str):
            raise problem(
                "ORC102",
                f"`{name}` must be a number for type `{self.type}`, got `{value}`",
                "write it without quotes",
                name,
            )
        return float(value)

    def _only_for_type(self) -> None:
        if self.schemes and self.type != "url":
            raise problem(
                "ORC113", f"`schemes` has no meaning for type `{self.type}`", "add `type: url`", "schemes"
            )
        if self.separator and self.type != "list":
            raise problem(
                "ORC113",
                f"`separator` has no meaning for type `{self.type}`",
                "add `type: list`",
                "separator",
            )

    def _alone(self) -> None:
        if self.renamed_to and self.removed:
            raise problem(
                "ORC113", "`renamed_to` and `removed` exclude each other", "keep one of them", "removed"
            )
        if self.generate and not self.secret:
            raise problem("ORC113", "a generated value must be a secret", "add `secret: true`", "generate")

    def _default_fits(self) -> None:
        for value in self.default_values():
            if isinstance(value, Template):
                continue
            wrong = self.judge(as_text(value, self.separator))
            if wrong is not None:
                raise problem(
                    "ORC124", f"the default does not keep the contract: {wrong[1]}", wrong[2], "default"
                )

    def default_values(self) -> tuple[Any, ...]:
        """Every value the default may come to."""
        if self.default is None:
            return ()
        if isinstance(self.default, tuple) and self.default and isinstance(self.default[0], Model):
            return tuple(each.value for each in self.default)
        return (self.default,)

    def judge(self, text: str) -> tuple[str, str, str] | None:
        """None when the text keeps the contract, else the reason, what is wrong (without a secret's text), and a hint."""
        shown = "the value" if self.secret else f"`{text[:80]}`"
        wrong = self._judge_type(text, shown) or self._judge_rules(text, shown)
        return wrong and (wrong[0], wrong[1], wrong[2])

    def _judge_type(self, text: str, shown: str) -> tuple[str, str, str] | None:
        if has_stray_blanks(self.type, text):
            return "invalid", "the value begins or ends with a blank or a line break", "take it out: it is handed on unchanged"  # fmt: skip
        try:
            value = READERS[self.type](text)
        except (ValueError, TypeError) as error:
            hint = str(error) if self.type == "json" and not self.secret else EXAMPLES[self.type]
            return "invalid", f"{shown} is not {ARTICLES[self.type]}", self._origin_hint(text) or hint
        return self._judge_range(value, shown)

    def _origin_hint(self, text: str) -> str:
        """Where a text comes from that nobody wrote like this; empty for all others."""
        if len(text) > 2 and text[0] == text[-1] and text[0] in "\"'" and self.judge(text[1:-1]) is None:
            return "take the quotes out: `docker run --env-file` keeps them as a part of the value"
        if _SERVICE_LINK.match(text):
            return "Kubernetes sets it for a Service of that name: write `enableServiceLinks: false` in the pod's spec"
        return ""

    def _judge_range(self, value: Any, shown: str) -> tuple[str, str, str] | None:
        low, high = self._bound("min", self.min), self._bound("max", self.max)
        if low is not None and value < low:
            return "invalid", f"{shown} is less than {self.min}", f"{self.min} or more"
        if high is not None and value > high:
            return "invalid", f"{shown} is more than {self.max}", f"{self.max} or less"
        if self.schemes and value not in self.schemes:
            return "invalid", f"{shown} has the scheme `{value}`", f"one of {_listed(self.schemes)}"
        return None

    def _judge_rules(self, text: str, shown: str) -> tuple[str, str, str] | None:
        if self.allowed is not None and text not in (allowed := [as_text(each) for each in self.allowed]):
            return "invalid", f"{shown} is not allowed", f"one of {_listed(allowed)}"
        if self.forbidden is not None and text.lower() in {each.lower() for each in self.forbidden}:
            return "forbidden", f"{shown} is a forbidden value", "set a value of your own"
        if self.pattern is not None and not (matches := _is_whole(self.pattern, text)):
            if matches is None:
                return (
                    "invalid",
                    f"the pattern `{self.pattern}` takes too long on {shown}",
                    "do not repeat a group that repeats something itself",
                )
            return (
                "invalid",
                f"{shown} does not match `{self.pattern}`",
                "the pattern must match the whole text",
            )
        if self.min_length is not None and len(text) < self.min_length:
            return (
                "invalid",
                f"the value has {len(text)} characters, at least {self.min_length} are needed",
                "",
            )
        return None

    def failures(self) -> tuple[str, ...]:
        if self.removed or self.renamed_to:
            return ()
        needed = self.required or self.required_when is not None
        given = self.default is not None or self.generate is not None
        has_rules = self.type not in ("string", "path", "list") or any(
            (self.allowed, self.pattern, self.forbidden, self.min_length)
        )
        possible = {
            "missing": needed and not given,
            "invalid": has_rules,
            "outside": bool(refused_texts.outside(self)),
        }
        return tuple(name for name, is_possible in possible.items() if is_possible)

    def make_fail(self, failure: str, sandbox: "Sandbox") -> None:
        sandbox.environ.pop(sandbox.name, None)
        sandbox.environ.pop(f"{sandbox.name}_FILE", None)
        sandbox.remove(f"/run/secrets/{sandbox.name.lower()}")
        if failure == "missing":
            return
        text = (refused_texts.outside if failure == "outside" else refused_texts.wrong)(self)
        if not text:
            raise CannotBreak("no wrong value is known for its contract")
        sandbox.environ[sandbox.name] = text

    def elements(self, text: str) -> list[str]:
        """The elements of a variable of type list."""
        if self.separator:
            return [each.strip() for each in text.split(self.separator) if each.strip()]
        import shlex

        return shlex.split(text)


def _is_whole(pattern: str, text: str) -> bool | None:
    """Whether the pattern matches the whole text; None when that does not end in time.

    Only a repeated group can take exponentially long: such a pattern is tried where it can be ended.
    """
    if re.search(r"\)[*+{]", pattern) is None:
        return re.fullmatch(pattern, text) is not None
    from orchestrator.system import bounded

    flags = re.match(r"(?:\(\?[aiLmsux]+\))?", pattern)
    start = flags.end() if flags else 0
    try:
        return bounded.search(rf"{pattern[:start]}\A(?:{pattern[start:]})\Z", text)
    except bounded.TooLong:
        return None


def _listed(values: Any) -> str:
    return ", ".join(f"`{each}`" for each in values)
