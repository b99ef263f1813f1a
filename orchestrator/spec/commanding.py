"""What commands have in common that are asked something: the wait `command` and the check `run`."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from orchestrator.document.plain import Interpolated
from orchestrator.spec.expect import AnyMatcher
from orchestrator.spec.fields import BeforeValidator, Field, PlainValidator, WithJsonSchema
from orchestrator.spec.item import Item
from orchestrator.spec.model import Model, described, problem
from orchestrator.spec.types import NonEmpty, PathText, VariableName, argv_given

_MATCHER = {"anyOf": [{"$ref": "#/$defs/matcher"}, {"type": ["string", "number", "boolean", "null"]}, {"type": "array", "minItems": 1}]}  # fmt: skip
STREAMS = ("stdout", "stderr")


def _line(value: Any) -> Any:
    """An argument vector, or `{shell: text}`: the shell is asked for in so many words."""
    if not isinstance(value, dict):
        return argv_given(value)
    text = value.get("shell")
    if set(value) != {"shell"} or not isinstance(text, str) or not text.strip():
        raise problem(
            "ORC102",
            "expected a list of arguments, or {shell: a text for /bin/sh}",
            "for example {shell: cat a | sort}",
        )
    if text.__class__ is Interpolated:
        raise problem(
            "ORC219",
            "`shell` cannot hold `${…}`: a value could become code",
            'hand it over in `environment` and write "$NAME"',
            "shell",
        )
    return ("/bin/sh", "-c", text)


CommandLine = Annotated[
    tuple[str, ...],
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

    stdout: AnyMatcher = described(None, "A matcher for standard output.")
    stderr: AnyMatcher = described(None, "A matcher for standard error.", examples=[""])


def _expect(value: Any) -> Any:
    """A matcher of what it writes to standard output, or one for each stream."""
    if isinstance(value, dict) and any(each in value for each in STREAMS):
        return Streams.model_validate(value)
    return Streams.model_validate({"stdout": value})


_EXPECT = WithJsonSchema({"anyOf": [
    *_MATCHER["anyOf"],
    {"type": "object", "properties": dict.fromkeys(STREAMS, _MATCHER), "additionalProperties": False, "minProperties": 1},
]})  # fmt: skip


class Commanding(Item):
    """How a command is run, and what it must come to."""

    removed_keys: ClassVar = {
        "inherit_env": "unset what it must not get: `environment: {NAME: null}`",
        "max_output": "take it out: the last 64 KiB of the output are kept, however much there is",
        "creates": "a wait of its own asks: `file: /path/that/must/be/there`",
    }

    exit_codes: Annotated[tuple[Annotated[int, Field(ge=0, le=255)], ...], NonEmpty] = described(
        (0,), "The exit codes that are well."
    )
    expect: Annotated[Any, PlainValidator(_expect), _EXPECT] = described(
        None,
        "A matcher for what it writes to standard output, or {stdout, stderr} with a matcher each.",
        examples=["ok", {"stderr": ""}],
    )
    stdin: str | None = described(None, "A text that it reads from standard input. Never shown.", repr=False)
    cwd: PathText | None = described(None, "The directory it runs in.")
    environment: dict[VariableName, str | None] | None = described(
        None, "Variables for this command alone; null unsets one.", repr=False
    )
    user: str | None = described(None, "Who runs it when started as root; the spec's `user` by default.")
