"""The spec as a whole: the sections of `startup.yaml`.

A section's models are imported when a spec uses it: most specs use few, and reading one must be fast.
"""

import re
from collections.abc import Iterator
from functools import partial
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainValidator,
    ValidationError,
    WithJsonSchema,
)
from pydantic_core import CoreSchema, InitErrorDetails, core_schema

from orchestrator.spec.errors import combined, details, problem, refuse_template, validate_each
from orchestrator.spec.item import Actions
from orchestrator.spec.kinds import REQUIREMENTS
from orchestrator.spec.model import Lazy, Model
from orchestrator.spec.sections import module_of, validate_items
from orchestrator.spec.templated import Templated
from orchestrator.spec.types import PathText


class Items:
    """Stands beside the type of a section that is a list of items."""

    def __init__(self, section: str) -> None:
        self.section = section

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        del source, handler
        return core_schema.no_info_plain_validator_function(partial(validate_items, self.section))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        del schema, handler
        several = self.section in ("wait_for", "checks")
        one = {"x-lazy": f"{module_of(self.section)}:KIND"}
        return {"type": "array", "items": {"$ref": f"#/$defs/{self.section}"} if several else one}


def _variables(value: Any) -> dict[str, Any]:
    refuse_template(value)
    if not isinstance(value, dict):
        raise problem(
            "ORC102",
            "`variables` is a mapping of names to contracts",
            "for example {PORT: {type: port, default: 8000}}",
        )
    made = validate_each(((name, (name, each)) for name, each in value.items()), _validate_named)
    return dict(zip(value, made, strict=True))


VARIABLE_NAME = r"[A-Za-z_][A-Za-z0-9_]*\*?"
"""A name, or the beginning of names, with `*`."""
_VARIABLES = WithJsonSchema(
    {
        "type": "object",
        "propertyNames": {"type": "string", "pattern": f"^{VARIABLE_NAME}$"},
        "additionalProperties": {"anyOf": [{"x-lazy": f"{module_of('variables')}:KIND"}, {"type": "null"}]},
    }
)


def _validate_named(named: tuple[str, Any]) -> Any:
    """A contract; what is wrong with its name stands at the key, as with any other mapping."""
    name, value = named
    found: list[InitErrorDetails] = []
    if not re.fullmatch(VARIABLE_NAME, name):
        pattern = f"^{VARIABLE_NAME}$"
        found.append(
            InitErrorDetails(
                type="string_pattern_mismatch", loc=("[key]",), input=name, ctx={"pattern": pattern}
            )
        )
    try:
        contract = REQUIREMENTS.load("variables").model_validate({} if value is None else value)
    except ValidationError as error:
        found += details(error)
    if found:
        raise combined(found)
    return contract


def _version(value: Any) -> int:
    refuse_template(value)
    if value == 1 and isinstance(value, int) and not isinstance(value, bool):
        return 1
    if isinstance(value, str) and value in ("1", "1.0"):
        raise problem("ORC114", f'the version is the number 1, got the text "{value}"', "write `version: 1`")
    raise problem(
        "ORC114", f"this orchestrator reads version 1 of the spec, got `{value}`", "write `version: 1`"
    )


class Spec(Model):
    """What a service needs to start, how it is started, and what is done when something fails."""

    noun = "spec"
    elsewhere: ClassVar = {
        "name": "service", "env": "variables", "environment": "variables", "requirements": "packages", "dependencies": "packages",
        "imports": "modules", "volumes": "directories", "depends_on": "wait_for", "waits": "wait_for", "hooks": "steps",
        "commands": "steps", "command": "launch", "server": "launch", "app": "launch", "healthcheck": "health", "probes": "health",
    }  # fmt: skip

    version: Annotated[Literal[1], PlainValidator(_version), WithJsonSchema({"const": 1})] = Field(
        description="The version of the spec's language: 1."
    )
    extends: PathText | None = Field(
        None, description="A base spec that this one is laid over; relative to this file."
    )
    service: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")] = Field(
        description="The service's name.", examples=["shop-api"]
    )
    variables: Annotated[Any, PlainValidator(_variables), _VARIABLES] = Field({}, description="The contract of each environment variable.")  # fmt: skip
    python: Annotated[Any, Lazy("orchestrator.requirements.python:KIND")] = Field(
        None, description="The Python that runs the service.", examples=[">=3.11"]
    )
    packages: Annotated[tuple[Any, ...], Items("packages")] = Field(
        (), description="Distributions that must be installed."
    )
    modules: Annotated[tuple[Any, ...], Items("modules")] = Field(
        (), description="Modules that must be importable."
    )
    directories: Annotated[tuple[Any, ...], Items("directories")] = Field(
        (), description="Directories that must exist and be usable."
    )
    files: Annotated[tuple[Any, ...], Items("files")] = Field(
        (), description="Files that must exist and be right."
    )
    host: Annotated[Any, Lazy("orchestrator.requirements.host:KIND")] = Field(
        None, description="Properties of the machine or container."
    )
    wait_for: Annotated[tuple[Any, ...], Items("wait_for")] = Field(
        (), description="Things that must answer."
    )
    checks: Annotated[tuple[Any, ...], Items("checks")] = Field((), description="Checks of your own.")
    steps: Annotated[tuple[Any, ...], Items("steps")] = Field(
        (), description="What is done before the launch, in order."
    )
    launch: Annotated[Any, Lazy("orchestrator.spec.launch:KIND")] = Field(None, description="The server.")
    roles: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")], dict[str, Any]] | None = Field(None, description="Parts of a spec, laid over the top level when the role is chosen.")  # fmt: skip
    default_role: str | None = Field(None, description="The role when none is said.")
    unknown_role: str | None = Field(
        None,
        description="What an unknown word does: `stop` (default), `exec`, or a role that takes the words.",
    )
    health: Annotated[Any, Lazy("orchestrator.spec.health:KIND")] = Field(
        None, description="Endpoints that tell whether the server is well."
    )
    fallbacks: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")], Actions] | None = Field(
        None, description="Named lists of fallback actions."
    )
    on_failure: Actions | None = Field(
        None, description="What is done for all items that say nothing; `stop` when absent."
    )
    defaults: Annotated[Any, Lazy("orchestrator.spec.settings:Defaults")] = Field(
        None, description="Times that hold for all items that say nothing."
    )
    user: Templated[Annotated[Any, Lazy("orchestrator.spec.settings:AnyUser")]] | None = Field(
        None, description="Who runs steps and server when started as root."
    )
    rehearsal: dict[str, Literal["ready", "healed", "degraded", "maintenance", "stopped"]] | None = Field(
        None, description="Item → the outcome that is expected when it fails."
    )
    lint: Annotated[Any, Lazy("orchestrator.spec.settings:Lint")] = Field(
        None, description="Findings that are accepted, and settings of `orchestrator lint`."
    )
    telemetry: Annotated[Any, Lazy("orchestrator.spec.settings:Telemetry")] = Field(
        None, description="Log, metrics and traces of the engine itself."
    )

    def located_items(self) -> Iterator[tuple[tuple[str | int, ...], Any]]:
        """Every item with its path in the document, in the order of the phases."""
        for name, contract in self.variables.items():
            yield ("variables", name), contract
        if self.python is not None:
            yield ("python",), self.python
        for section in ("packages", "directories", "files", "modules", "wait_for", "checks", "steps"):
            if section == "directories" and self.host is not None:
                yield from ((("host", key), each) for key, each in self.host.items())
            for index, item in enumerate(getattr(self, section)):
                yield (section, index), item


def identity(path: tuple[str | int, ...], item: Any) -> str:
    """The id of an item: variables get theirs from their key."""
    return f"variable:{path[1]}" if path[0] == "variables" else item.identity
