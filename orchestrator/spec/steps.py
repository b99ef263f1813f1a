"""`steps`: what is done, in order, before the launch."""

import re
from typing import Annotated, Any, ClassVar, Self

from pydantic import BeforeValidator, Field, PlainValidator, WithJsonSchema, model_validator

from orchestrator.document.node import words_for
from orchestrator.spec.errors import problem, refuse_template, validate_each
from orchestrator.spec.item import AnyCondition, Item
from orchestrator.spec.templated import Templated
from orchestrator.spec.types import (
    Argv,
    Duration,
    ItemName,
    PathText,
    VariableName,
    as_words,
    needs_a_shell,
    shell_text,
    variable_name,
)

_NAME = "^[A-Za-z_][A-Za-z0-9_]*$"


def _shell(value: Any) -> Any:
    if not isinstance(shell_text(value), str) or not value.strip():
        raise problem("ORC102", "`shell` is a text for /bin/sh", "for example `shell: cat a | sort > b`")
    return value


def _no_line(value: Any) -> Any:
    """A line for a shell has a key of its own here, unlike in waits and checks."""
    if isinstance(value, dict) and list(value) == ["shell"]:
        raise problem("ORC102", "`run` is a list of arguments, got a mapping",
                      "a step has a key of its own for it: write `shell: …` in place of `run: {shell: …}`")  # fmt: skip
    if isinstance(value, str) and needs_a_shell(value):
        from orchestrator.document.dump import in_a_list

        raise problem("ORC102", f"expected a list of arguments, got the text `{value}`",
                      f"write `shell: {in_a_list(value)}`: only a shell understands what stands there")  # fmt: skip
    return value


def _not_reserved(name: str) -> str:
    if name == "PATH" or name.startswith(("LD_", "PYTHON")):
        raise problem(
            "ORC126", f"a step cannot set `{name}`: it decides which code runs", "set it in the image"
        )
    return name


def _output_name(value: Any) -> str:
    refuse_template(value)
    if not isinstance(value, str):
        raise problem("ORC102", f"a variable's name is a text, got {words_for(value)}", "write it in quotes")
    return _not_reserved(variable_name(value))


def _stdout(value: Any) -> str:
    if value != "stdout":
        raise problem(
            "ORC103",
            f"the value of an output can only be `stdout`, got {words_for(value)}",
            "for example {VERSION: stdout}",
        )
    return "stdout"


def _outputs(value: Any) -> Any:
    if isinstance(value, tuple):
        if not value:
            raise problem(
                "ORC115", "`outputs` must not be empty", "name the variables it sets, or take the line out"
            )
        return tuple(validate_each(enumerate(value), _output_name))
    if isinstance(value, dict) and value:
        validate_each(value.items(), _stdout)
        validate_each(((name, name) for name in value), _output_name)
        return dict(value)
    raise problem("ORC102", "`outputs` is a list of names, or {NAME: stdout}", "for example [SECRET_KEY]")


class Step(Item):
    """Something that is done before the launch: a migration, collecting static files."""

    kind = "step"
    noun = "step"
    alternatives: ClassVar = (("run",), ("shell",))

    name: ItemName = Field(
        description="The step's name: `migrate` makes the id `step:migrate`.", examples=["migrate"]
    )
    run: Annotated[Argv, BeforeValidator(_no_line)] | None = Field(
        None,
        description="The command and its arguments; no shell.",
        examples=[["alembic", "upgrade", "head"]],
    )
    shell: (
        Annotated[str, PlainValidator(_shell), WithJsonSchema({"type": "string", "pattern": r"\S"})] | None
    ) = Field(
        None,
        description="A text for /bin/sh, where a shell is really needed. `${…}` is an error in it: hand values over in `environment`.",
    )
    unless: AnyCondition | None = Field(
        None, description="The step is skipped when this condition holds: it is done already."
    )
    creates: Templated[PathText] | None = Field(
        None,
        description="The step is skipped when this path exists, and fails when it does not exist afterwards.",
    )
    grace: Templated[Duration] | None = Field(
        None, description="How long it may take to end after TERM at its deadline; then KILL. 8s by default."
    )
    user: Templated[str] | None = Field(
        None, description="Who runs it when started as root; the spec's `user` by default."
    )
    cwd: Templated[PathText] | None = Field(None, description="The directory it runs in.")
    environment: dict[VariableName, Templated[str] | None] | None = Field(
        None, description="Variables for this step alone; null unsets one."
    )
    outputs: Annotated[Any, PlainValidator(_outputs), WithJsonSchema({ "anyOf": [ {"type": "array", "items": {"type": "string", "pattern": _NAME}, "minItems": 1}, {"type": "object", "propertyNames": {"pattern": _NAME}, "additionalProperties": {"const": "stdout"}, "minProperties": 1} ] })] = Field(None, description="Variables it sets for what follows, by NAME=value lines in the file $ORCHESTRATOR_OUTPUT; or {NAME: stdout}.")  # fmt: skip
    lock: str | None = Field(
        None,
        description="Only one replica at a time: a path, or the name of a postgres wait. Needs `unless` or `creates`.",
    )

    @property
    def title(self) -> str:
        return self.name

    @classmethod
    def spelled_out(cls, text: str) -> str:
        name = re.sub(r"[^A-Za-z0-9_.-]+", "-", (text.split() or [""])[0].rpartition("/")[2]).strip("-_.")
        if not name:
            return ""
        if needs_a_shell(text):
            from orchestrator.document.dump import in_a_list

            return f"{{name: {name}, shell: {in_a_list(text)}}}"
        return f"{{name: {name}, run: {as_words(text)}}}"

    @model_validator(mode="after")
    def _one_command(self) -> Self:
        if (self.run is None) == (self.shell is None):
            found = "both" if self.run is not None else "neither"
            raise problem("ORC113", f"a step has exactly one of `run` and `shell`, found {found}",
                          "for example `run: [alembic, upgrade, head]`", "shell" if self.run is not None else "",
                          ("run", "shell") if self.run is not None else ())  # fmt: skip
        if self.lock is not None and self.unless is None and self.creates is None:
            raise problem("ORC113", "a lock alone does not make a step run once: every replica would run it in turn",
                          "add `unless` or `creates`, which is asked again under the lock", "lock")  # fmt: skip
        return self

    @property
    def output_names(self) -> tuple[str, ...]:
        return tuple(self.outputs or ())


KIND = Step
