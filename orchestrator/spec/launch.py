"""`launch`: the server that is started when every requirement holds."""

from collections.abc import Collection
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, PlainValidator, model_validator
from pydantic_core import InitErrorDetails

from orchestrator.document.plain import Template
from orchestrator.document.scalars import resolve
from orchestrator.spec.errors import combined, details, problem
from orchestrator.spec.item import Actions
from orchestrator.spec.model import Model
from orchestrator.spec.templated import Templated
from orchestrator.spec.types import (
    AnyPort,
    AppReference,
    Argv,
    Duration,
    Mode,
    NonEmpty,
    PathText,
    Scalar,
    Size,
)

Count = Annotated[int, Field(ge=1, le=1024)]


class Computed(Model):
    """A number of workers computed from what the container may use."""

    noun = "workers"

    per_cpu: Templated[Annotated[float, Field(gt=0, le=64)]] | None = Field(
        None, description="Workers for each CPU of the quota."
    )
    min: Templated[Count] = Field(1, description="At least so many.")
    max: Templated[Count] | None = Field(None, description="At most so many.")
    memory_each: Templated[Size] | None = Field(
        None,
        description="The memory one worker needs: never more workers than fit in the limit.",
        examples=["150MB"],
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if (
            isinstance(self.min, int) and isinstance(self.max, int) and self.min > self.max
        ):  # else one is still `${…}`
            raise problem("ORC124", f"`min` {self.min} is greater than `max` {self.max}", "swap them", "min")
        return self


def _validate_workers(value: Any) -> Any:
    if isinstance(value, dict):
        return Computed.model_validate(value)
    if value == "auto":
        return "auto"
    if isinstance(value, int) and not isinstance(value, bool):
        if 1 <= value <= 1024:
            return value
        raise problem("ORC105", f"workers are 1 to 1024, got `{value}`", "for example 2")
    raise problem(
        "ORC102", "`workers` is a number, `auto`, or {per_cpu, min, max, memory_each}", "for example 2"
    )


AnyWorkers = Annotated[
    Any,
    PlainValidator(
        _validate_workers,
        json_schema_input_type=Annotated[int, Field(ge=1, le=1024)] | Literal["auto"] | Computed,
    ),
]


def _of_variables(value: Any) -> Any:
    """Values of variables are text; an option that is a number or a boolean reads them as YAML would."""
    if not isinstance(value, dict):
        return value
    return {
        key: _read(each.text) if isinstance(each, Template) and each.known else each
        for key, each in value.items()
    }


def _read(text: str) -> Any:
    value, trap = resolve(text)
    spelled = str(value).lower() if isinstance(value, bool) else str(value)
    return (
        text if trap or value is None or spelled != text else value
    )  # "1.10" is a text until a number is needed


class Shutdown(Model):
    """How the server is ended."""

    drain: Templated[Duration] = Field(
        0.0, description="How long readiness is off before the server is told to stop.", examples=["5s"]
    )
    grace: Templated[Duration] = Field(
        8.0, description="How long it may take to end; then it is killed.", examples=["20s"]
    )


class RestartPolicy(Model):
    """Whether a server that ended is started again."""

    shorthand = "policy"

    policy: Templated[Literal["never", "on-failure", "always"]] = Field(
        "never", description="When it is started again."
    )
    attempts: Templated[Count] = Field(3, description="At most so many times within `within`.")
    within: Templated[Duration] = Field(
        300.0, description="The time in which the attempts count.", examples=["5m"]
    )


_OF_APPS = ("factory", "options", "workers", "preload")


def _not_for_a_command(name: str) -> list[InitErrorDetails]:
    message, hint = f"`{name}` has no meaning for a command", "write it as an argument of the command"
    return details(problem("ORC113", message, hint, name, ("command", name)))


class Launch(Model):
    """The server. uvicorn is the default."""

    noun = "launch"
    shorthand = "app"
    alternatives: ClassVar = (("app",), ("command",))
    elsewhere: ClassVar = dict.fromkeys(
        ("environment", "env"), "declare it at the top level: `variables: {NAME: {default: …}}`"
    )
    removed_keys: ClassVar = {
        "interface": "leave it out: the server decides, uvicorn serves ASGI, gunicorn and granian take what the app is",
        "routes_present": "ask the route itself: `health: {endpoints: {orders: /orders}}`",
        "max_import_time": "list the module: `modules: [{module: app.main, max_import_time: 20s}]`",
    }

    app: Templated[AppReference] | None = Field(
        None, description="The application, `module:attribute`.", examples=["app.main:app"]
    )
    factory: Templated[bool] = Field(
        False, description="The attribute is a function that makes the application."
    )
    server: Literal["uvicorn", "gunicorn", "granian", "hypercorn"] = Field(
        "uvicorn", description="The server that serves it."
    )
    command: Argv | None = Field(None, description="A command instead of a server and an app.")
    arguments: Templated[Literal["append", "replace", "forbid"]] | None = Field(
        None, description="What words behind `run ROLE --` do to the command."
    )
    host: Templated[str] = Field("0.0.0.0", description="The address to listen on.")
    port: Templated[AnyPort] | None = Field(
        None,
        description="The port to listen on; 0 takes a free one. 8000 where an app is launched and nothing is said.",
    )
    unix: Templated[PathText] | None = Field(None, description="A socket path to listen on instead.")
    workers: Templated[AnyWorkers] = Field(
        None, description="How many processes serve: a number, `auto`, or {per_cpu, min, max, memory_each}."
    )
    options: (
        Annotated[
            dict[str, Templated[Scalar] | Annotated[tuple[Templated[Scalar], ...], NonEmpty] | None],
            BeforeValidator(_of_variables),
        ]
        | None
    ) = Field(
        None,
        description="The server's own options, checked against its real list.",
        examples=[{"log_level": "info", "proxy_headers": True}],
    )
    mode: Literal["supervise", "exec"] = Field(
        "supervise",
        description="`supervise`: a small supervisor stays; `exec`: the server takes the engine's place.",
    )
    importer: Literal["fork", "exec"] = Field(
        "fork", description="How the importing process is started; `exec` for agents that must be first."
    )
    preload: Templated[bool] | None = Field(
        None, description="Import before the workers are forked; the default asks whether that is safe."
    )
    user: Templated[str] | None = Field(
        None, description="Who runs it when started as root; the spec's `user` by default."
    )
    umask: Templated[Mode] | None = Field(None, description="Its file mode creation mask.", examples=["0027"])
    cwd: Templated[PathText] | None = Field(
        None, description="Its working directory, first on the app's sys.path."
    )
    restart: RestartPolicy | None = Field(
        None, description="Whether it is started again when it ends by itself."
    )
    shutdown: Shutdown | None = Field(None, description="How it is ended.")
    stop_signal: Templated[Literal["SIGTERM", "SIGINT", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGWINCH"]] = Field("SIGTERM", description="The signal that asks it to end.")  # fmt: skip
    on_failure: Actions | None = Field(None, description="What is done when it does not boot.")

    @classmethod
    def below(cls) -> dict[str, Collection[str]]:
        from orchestrator.spec.kinds import SERVERS
        from orchestrator.spec.options import options, owned

        of_servers = {
            name for each in SERVERS.built_in for name in set(options(each) or ()) - set(owned(each))
        }
        return {"restart": RestartPolicy.keys(), "shutdown": Shutdown.keys(), "options": of_servers}

    @property
    def identity(self) -> str:
        return "launch"

    @model_validator(mode="after")
    def _one_target(self) -> Self:
        if (self.app is None) == (self.command is None):
            both = self.app is not None
            raise problem("ORC113", f"`launch` has exactly one of `app` and `command`, found {'both' if both else 'neither'}",
                          "for example `app: package.module:app`", "command" if both else "", ("app", "command") if both else ())  # fmt: skip
        strange = [name for name in _OF_APPS if self.command is not None and getattr(self, name)]
        if strange:
            raise combined(line for name in strange for line in _not_for_a_command(name))
        if self.unix is not None and isinstance(self.port, int):
            raise problem(
                "ORC113",
                "`unix` and `port` exclude each other",
                "keep one of them",
                "unix",
                ("port", "unix"),
            )
        return self

    @property
    def listening_port(self) -> int | None:
        """The port it listens on; None for a socket path, or a command that says none."""
        if self.unix is not None:
            return None
        return self.port if self.port is not None or self.command is not None else 8000


KIND = Launch
