"""`when`, `unless`, `required_when`, `holds`: conditions are data, not an expression language."""

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self, cast

from pydantic import AfterValidator, Field, PlainValidator, WithJsonSchema, model_validator

from orchestrator.document.plain import as_text
from orchestrator.spec.choice import validate_chosen
from orchestrator.spec.errors import problem
from orchestrator.spec.model import Model
from orchestrator.spec.templated import Templated, pending
from orchestrator.spec.types import Argv, Duration, NonEmpty, PathText, Pattern, Scalar, VariableName

if TYPE_CHECKING:
    from orchestrator.core.conditions import Condition as Lowered


class Condition(Model):
    """Something that holds or does not hold."""

    noun = "condition"

    def lowered(self) -> "Lowered":
        """The plain data that `core.conditions` evaluates."""
        raise NotImplementedError


def _known(value: Any) -> str | None:
    """The text of a value; None when only a start knows it."""
    return None if pending(value) else as_text(value)


def _known_words(value: Any) -> tuple[str | None, ...]:
    return tuple(_known(word) for word in (value if isinstance(value, tuple) else (value,)))


def validate_condition(value: Any) -> Condition:
    """A condition, by the key that tells its kind."""
    return cast("Condition", validate_chosen(value, "condition", KINDS, (), KINDS.__getitem__))


def _conditions(value: Any) -> Any:
    if not isinstance(value, tuple) or not value:
        raise problem(
            "ORC118",
            "expected a list of conditions that is not empty",
            "for example [{variable: DEBUG, is: true}]",
        )
    return tuple(validate_condition(each) for each in value)


AnyCondition = Annotated[
    Any, PlainValidator(validate_condition), WithJsonSchema({"$ref": "#/$defs/condition"})
]
Conditions = Annotated[
    Any,
    PlainValidator(_conditions),
    WithJsonSchema({"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/condition"}}),
]
EnvironmentName = Annotated[str, Field(pattern=r"^[a-z0-9-]+$")]


def _pep_508(value: str) -> str:
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        Requirement(value)
    except InvalidRequirement:
        raise problem(
            "ORC110", f"expected a requirement, got `{value}`", "for example `orjson>=3.9` (PEP 508)"
        ) from None
    return value


class Variable(Condition):
    """A variable of the environment: exactly one of `is`, `equals`, `in`, `matches`."""

    alternatives: ClassVar = (("is",), ("equals",), ("in",), ("matches",))

    variable: VariableName = Field(description="The variable's name.", examples=["RUN_MIGRATIONS"])
    is_: Templated[Literal["set", "unset", "empty", "true", "false"] | bool] | None = Field(
        None,
        description="What it must be. `true` and `false` read the usual words for booleans; unset and empty are neither.",
        alias="is",
        examples=[True],
    )
    equals: Templated[Scalar] | None = Field(None, description="The text it must equal.")
    in_: Annotated[tuple[Templated[Scalar], ...], NonEmpty] | None = Field(
        None, description="The texts of which it must be one.", alias="in"
    )
    matches: Templated[Pattern] | None = Field(
        None, description="The regular expression that must be found in it."
    )

    @model_validator(mode="after")
    def _one_test(self) -> Self:
        given = [each for each in (self.is_, self.equals, self.in_, self.matches) if each is not None]
        if len(given) != 1:
            found = "none" if not given else "several"
            raise problem("ORC118", f"a condition on a variable has exactly one of `is`, `equals`, `in`, `matches`, found {found}",
                          "for example {variable: DEBUG, is: true}")  # fmt: skip
        return self

    def lowered(self) -> "Lowered":
        if self.in_ is not None:
            return "variable", self.variable, "in", _known_words(self.in_)
        tests = (("is", self.is_), ("equals", self.equals), ("matches", self.matches))
        test, value = next(each for each in tests if each[1] is not None)
        return "variable", self.variable, test, _known(value)


class Exists(Condition):
    """A path that exists."""

    exists: Templated[PathText] = Field(
        description="The path of a file or directory.", examples=["state/migrated"]
    )

    def lowered(self) -> "Lowered":
        return "exists", _known(self.exists)


class Succeeds(Condition):
    """A command that says yes or no by its exit code; anything else it does is a failure, never no."""

    succeeds: Argv = Field(
        description="The command and its arguments. Exit code 0 is yes.",
        examples=[["python", "-m", "app.is_migrated"]],
    )
    no_codes: Annotated[tuple[Templated[Annotated[int, Field(ge=1, le=255)]], ...], NonEmpty] = Field(
        (1,), description="The exit codes that are no."
    )
    timeout: Templated[Duration] | None = Field(None, description="How long the command may take.")

    def lowered(self) -> "Lowered":
        return "succeeds", _known_words(self.succeeds), self.no_codes, self.timeout


class Role(Condition):
    """The role of this start."""

    role: Templated[Annotated[str, Field(min_length=1)]] | Annotated[tuple[Templated[str], ...], NonEmpty] = (
        Field(description="A role, or a list of which it must be one.", examples=["worker"])
    )

    def lowered(self) -> "Lowered":
        return "role", _known_words(self.role)


class Environment(Condition):
    """The environment of this start, as `--env` names it."""

    environment: Templated[EnvironmentName] | Annotated[tuple[Templated[EnvironmentName], ...], NonEmpty] = (
        Field(description="An environment, or a list of which it must be one.", examples=["production"])
    )

    def lowered(self) -> "Lowered":
        return "environment", _known_words(self.environment)


class Root(Condition):
    """Whether the engine was started as root."""

    root: Templated[bool] = Field(description="True: uid 0; false: any other.")

    def lowered(self) -> "Lowered":
        return "root", self.root if isinstance(self.root, bool) else None


class Package(Condition):
    """A distribution that is installed."""

    package: Templated[Annotated[str, AfterValidator(_pep_508)]] = Field(
        description="A requirement (PEP 508) that must be satisfied, such as orjson.", examples=["orjson"]
    )

    def lowered(self) -> "Lowered":
        return "package", _known(self.package)


class Step(Condition):
    """The state of a step before this one."""

    step: str = Field(description="The step's name.", examples=["migrate"])
    is_: Templated[Literal["ok", "healed", "degraded", "warned", "failed", "blocked", "skipped"]] = Field(
        "ok", description="Its state.", alias="is"
    )

    def lowered(self) -> "Lowered":
        return "step", f"step:{self.step.removeprefix('step:')}", _known(self.is_)


class All(Condition):
    """Every condition of a list holds."""

    all_: Conditions = Field(
        description="Conditions that must all hold.",
        alias="all",
        examples=[[{"root": True}, {"exists": "/data"}]],
    )

    def lowered(self) -> "Lowered":
        return "all", tuple(part.lowered() for part in self.all_)


class AnyOf(Condition):
    """At least one condition of a list holds."""

    any_: Conditions = Field(
        description="Conditions of which one must hold.",
        alias="any",
        examples=[[{"role": "web"}, {"role": "api"}]],
    )

    def lowered(self) -> "Lowered":
        return "any", tuple(part.lowered() for part in self.any_)


class Not(Condition):
    """A condition does not hold."""

    not_: AnyCondition = Field(
        description="The condition that must not hold.", alias="not", examples=[{"exists": "state/migrated"}]
    )

    def lowered(self) -> "Lowered":
        return "not", self.not_.lowered()


def key_of(kind: type[Condition]) -> str:
    """The key that tells a kind of condition: its first."""
    return kind.keys()[0]


KINDS: dict[str, type[Condition]] = {key_of(each): each for each in Condition.__subclasses__()}
