"""What commands have in common that are asked something: the wait `command` and the check `run`."""

from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field, PlainValidator, WithJsonSchema

from orchestrator.document.plain import Template
from orchestrator.spec.errors import problem, validate_each
from orchestrator.spec.expect import AnyMatcher
from orchestrator.spec.item import Item
from orchestrator.spec.model import Model
from orchestrator.spec.templated import Templated
from orchestrator.spec.types import NonEmpty, PathText, VariableName, argv_given, shell_text

_MATCHER = {"$ref": "#/$defs/AnyMatcher"}
STREAMS = ("stdout", "stderr")


def _line(value: Any) -> Any:
    """An argument vector, or `{shell: text}`: the shell is asked for in so many words."""
    if not isinstance(value, dict):
        return argv_given(value)
    text = value.get("shell")
    if isinstance(text, Template):
        validate_each([("shell", text)], shell_text)
    if set(value) != {"shell"} or not isinstance(text, str) or not text.strip():
        raise problem(
            "ORC102",
            "expected a list of arguments, or {shell: a text for /bin/sh}",
            "for example {shell: cat a | sort}",
        )
    return ("/bin/sh", "-c", text)


CommandLine = Annotated[
    tuple[Templated[str], ...],
    BeforeValidator(_line),
    WithJsonSchema({
        "anyOf": [
            {"type": "array", "items": {"type": "string"}, "minItems": 1},
            {"type": "object", "properties": {"shell": {"type": "string", "pattern": r"\S"}}, "required": ["shell"], "additionalProperties": False},
        ]
    }),
]  # fmt: skip
"""A command and its arguments, or a text for /bin/sh."""


class Streams(Model):
    """What a command writes, by where it writes it; without blanks at both ends."""

    noun = "expectation"

    stdout: AnyMatcher = Field(None, description="A matcher for standard output.")
    stderr: AnyMatcher = Field(None, description="A matcher for standard error.", examples=[""])


def _expect(value: Any) -> Any:
    """A matcher of what it writes to standard output, or one for each stream."""
    if isinstance(value, dict) and any(each in value for each in STREAMS):
        return Streams.model_validate(value)
    return Streams.model_validate({"stdout": value})


_EXPECT = WithJsonSchema({"anyOf": [
    _MATCHER,
    {"type": "object", "properties": dict.fromkeys(STREAMS, _MATCHER), "additionalProperties": False, "minProperties": 1},
]})  # fmt: skip


class Commanding(Item):
    """How a command is run, and what it must come to."""

    removed_keys: ClassVar = {
        "inherit_env": "unset what it must not get: `environment: {NAME: null}`",
        "max_output": "take it out: the last 64 KiB of the output are kept, however much there is",
        "creates": "a wait of its own asks: `file: /path/that/must/be/there`",
    }

    exit_codes: Annotated[tuple[Templated[Annotated[int, Field(ge=0, le=255)]], ...], NonEmpty] = Field(
        (0,), description="The exit codes that mean success."
    )
    expect: Annotated[Any, PlainValidator(_expect), _EXPECT] = Field(
        None,
        description="A matcher for what it writes to standard output, or {stdout, stderr} with a matcher each.",
        examples=["ok", {"stderr": ""}],
    )
    stdin: Templated[str] | None = Field(
        None, description="A text that it reads from standard input. Never shown.", repr=False
    )
    cwd: Templated[PathText] | None = Field(None, description="The directory it runs in.")
    environment: dict[VariableName, Templated[str] | None] | None = Field(
        None, description="Variables for this command alone; null unsets one.", repr=False
    )
    user: Templated[str] | None = Field(
        None, description="Who runs it when started as root; the spec's `user` by default."
    )
