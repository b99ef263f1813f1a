"""The spec as a whole: the sections of `startup.yaml`.

A section's models are imported when a spec uses it: most specs use few, and reading one must be fast.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, cast

from orchestrator.document.node import words_for
from orchestrator.spec.fields import Field, PlainValidator
from orchestrator.spec.item import Actions, Item
from orchestrator.spec.kinds import REQUIREMENTS, WAITS
from orchestrator.spec.mistakes import ValidationError, line
from orchestrator.spec.model import NOTHING, LazySchema, Model, decode_each, described, keyed, problem
from orchestrator.spec.types import PathText

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from orchestrator.spec.mistakes import Line

ITEM_LISTS = ("packages", "modules", "directories", "files", "wait_for", "checks", "steps")
"""The sections that are lists of items: overlays merge them by identity."""


def _class_of(section: str) -> type[Model]:
    if section == "steps":
        from orchestrator.spec.steps import KIND as STEP

        return STEP
    return REQUIREMENTS.load(section)


def decode_wait(value: Any) -> Any:
    """A wait, by which kind it names."""
    names = WAITS.names(plugins=isinstance(value, dict) and not any(key in WAITS.built_in for key in value))
    return keyed(value, "wait", names, [*Item.keys(), "name"], WAITS.load)


def decoder(section: str) -> Callable[[Any], Any]:
    """What decodes one item of a section."""
    if section == "wait_for":
        return decode_wait
    if section == "checks":
        from orchestrator.requirements.checks import decode_check

        return cast("Callable[[Any], Any]", decode_check)
    return _class_of(section).model_validate


def identify(section: str, value: Any) -> str | None:
    """What an overlay matches an item of a section by."""
    if section not in ("wait_for", "checks", "steps"):
        return cast("str | None", _class_of(section).identify(value))  # type: ignore[attr-defined]
    if not isinstance(value, dict):
        return value if isinstance(value, str) else None
    return next((str(value[key]) for key in ("id", "name") if isinstance(value.get(key), str)), None)


def shorthand(section: str) -> str | None:
    """The key that a short item of a section stands for."""
    return None if section in ("wait_for", "checks", "steps") else _class_of(section).shorthand


def _items(section: str) -> Any:
    def decode(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, tuple):
            hint = NOTHING if value is None else "put `- ` before each item"
            raise problem("ORC102", f"`{section}` is a list, got {words_for(value)}", hint)
        return tuple(decode_each(enumerate(value), decoder(section)))

    return Annotated[Any, PlainValidator(decode), LazySchema(f"items:{section}")]


def _part(section: str, module: str) -> Any:  # noqa: ARG001 - reads as what it is in the list of sections
    """A section that is one mapping."""

    def decode(value: Any) -> Any:
        from importlib import import_module

        return import_module(module).KIND.model_validate(value)

    return Annotated[Any, PlainValidator(decode), LazySchema(f"part:{module}")]


def _setting(name: str) -> Any:
    def decode(value: Any) -> Any:
        from orchestrator.spec import settings

        return getattr(settings, name).model_validate(value)

    return Annotated[Any, PlainValidator(decode), LazySchema(f"setting:{name}")]


def _variables(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise problem(
            "ORC102",
            "`variables` is a mapping of names to contracts",
            "for example {PORT: {type: port, default: 8000}}",
        )
    made = decode_each(((name, (name, each)) for name, each in value.items()), _named_contract)
    return dict(zip(value, made, strict=True))


VARIABLE_NAME = r"[A-Za-z_][A-Za-z0-9_]*\*?"
"""A name, or the beginning of names, with `*`."""


def _named_contract(named: tuple[str, Any]) -> Any:
    """A contract; what is wrong with its name stands at the key, as with any other mapping."""
    from orchestrator.requirements.variables import KIND as VARIABLE

    name, value = named
    lines: list[Line] = []
    if not re.fullmatch(VARIABLE_NAME, name):
        wrong = line("string_pattern_mismatch", name, "not a variable's name", pattern=f"^{VARIABLE_NAME}$")
        lines = ValidationError([wrong]).errors("[key]")
    try:
        contract = VARIABLE.model_validate({} if value is None else value)
    except ValidationError as error:
        raise ValidationError([*lines, *error.errors()]) from None
    if lines:
        raise ValidationError(lines)
    return contract


def _user(value: Any) -> Any:
    from orchestrator.spec.settings import decode_user

    return decode_user(value)


def _version(value: Any) -> int:
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
    of_items = frozenset(ITEM_LISTS)
    fixed = frozenset({
        "version", "extends", "service", "default_role", "unknown_role", "variables", "packages", "modules", "directories", "files",
        "host", "wait_for", "checks", "steps", "roles", "health", "fallbacks", "on_failure", "defaults", "rehearsal", "lint", "telemetry",
    })  # fmt: skip

    version: Annotated[Literal[1], PlainValidator(_version)] = described(
        ..., "The version of the spec's language: 1."
    )
    extends: PathText | None = described(
        None, "A base spec that this one is laid over; relative to this file."
    )
    service: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")] = described(
        ..., "The service's name.", examples=["shop-api"]
    )
    variables: Annotated[Any, PlainValidator(_variables), LazySchema("variables")] = described({}, "The contract of each environment variable.")  # fmt: skip
    python: _part("python", "orchestrator.requirements.python") = described(  # type: ignore[valid-type]
        None, "The Python that runs the service.", examples=[">=3.11"]
    )
    packages: _items("packages") = described((), "Distributions that must be installed.")  # type: ignore[valid-type]
    modules: _items("modules") = described((), "Modules that must be importable.")  # type: ignore[valid-type]
    directories: _items("directories") = described((), "Directories that must exist and be usable.")  # type: ignore[valid-type]
    files: _items("files") = described((), "Files that must exist and be right.")  # type: ignore[valid-type]
    host: _part("host", "orchestrator.requirements.host") = described(  # type: ignore[valid-type]
        None, "Properties of the machine or container."
    )
    wait_for: _items("wait_for") = described((), "Things that must answer.")  # type: ignore[valid-type]
    checks: _items("checks") = described((), "Checks of your own.")  # type: ignore[valid-type]
    steps: _items("steps") = described((), "What is done before the launch, in order.")  # type: ignore[valid-type]
    launch: _part("launch", "orchestrator.spec.launch") = described(None, "The server.")  # type: ignore[valid-type]
    roles: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")], dict[str, Any]] | None = described(None, "Parts of a spec, laid over the top level when the role is chosen.")  # fmt: skip
    default_role: str | None = described(None, "The role when none is said.")
    unknown_role: str | None = described(
        None, "What an unknown word does: `stop` (default), `exec`, or a role that takes the words."
    )
    health: _part("health", "orchestrator.spec.health") = described(  # type: ignore[valid-type]
        None, "Endpoints that tell whether the server is well."
    )
    fallbacks: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")], Actions] | None = described(
        None, "Named lists of fallback actions."
    )
    on_failure: Actions | None = described(
        None, "What is done for all items that say nothing; `stop` when absent."
    )
    defaults: _setting("Defaults") = described(None, "Times that hold for all items that say nothing.")  # type: ignore[valid-type]
    user: Annotated[Any, PlainValidator(_user), LazySchema("user")] = described(
        None, "Who runs steps and server when started as root."
    )
    rehearsal: dict[str, Literal["ready", "healed", "degraded", "maintenance", "stopped"]] | None = described(
        None, "Item → the outcome that is expected when it fails."
    )
    lint: _setting("Lint") = described(  # type: ignore[valid-type]
        None, "Findings that are accepted, and settings of `orchestrator lint`."
    )
    telemetry: _setting("Telemetry") = described(None, "Log, metrics and traces of the engine itself.")  # type: ignore[valid-type]

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
