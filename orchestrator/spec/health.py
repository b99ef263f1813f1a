"""`health`: the endpoints that tell whether the launched server is healthy."""

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, PlainValidator, WithJsonSchema, model_validator

from orchestrator.spec.errors import problem
from orchestrator.spec.item import Actions
from orchestrator.spec.model import Lazy, Model
from orchestrator.spec.templated import Templated
from orchestrator.spec.types import Argv, Duration, PathText, Port

if TYPE_CHECKING:
    from orchestrator.spec.expect import Expect
else:
    Expect = Annotated[Any, Lazy("orchestrator.spec.expect:Expect")]


def _url_path(value: str) -> str:
    if value.startswith("/") and not any(each.isspace() for each in value):
        return value
    alone = value and not set(value) & set(" \t\n/:")
    hint = f"write `/{value}`" if alone else "a path starts with `/` and holds no spaces, such as `/ready`"
    raise problem("ORC109", f"`{value}` is no path of a URL", hint)


UrlPath = Annotated[
    str, AfterValidator(_url_path), WithJsonSchema({"type": "string", "pattern": r"^/[^\s]*$"})
]


class Heartbeat(Model):
    """A file that the service touches while it is healthy."""

    file: Templated[PathText] = Field(description="The file.")
    max_age: Templated[Duration] = Field(description="How old it may be.", examples=["30s"])


class Endpoint(Model):
    """A health endpoint: a path, or a command, or a heartbeat."""

    noun = "health endpoint"
    shorthand = "path"
    alternatives: ClassVar = (("path",), ("command",), ("heartbeat",))

    path: Templated[UrlPath] | None = Field(None, description="The path that is asked.", examples=["/ready"])
    port: Templated[Port] | None = Field(None, description="The port, where it is not the launch's.")
    scheme: Templated[Literal["http", "https"]] = Field(
        "http", description="The scheme. The certificate of a service's own endpoint is not verified."
    )
    host_header: Templated[str] | None = Field(
        None, description="The Host header, for servers that check it.", examples=["shop.example.org"]
    )
    method: Templated[Literal["GET", "HEAD", "POST", "OPTIONS"]] = Field("GET", description="The method.")
    headers: dict[str, Templated[str]] | None = Field(None, description="More headers.")
    timeout: Templated[Duration] | None = Field(
        None, description="How long an answer may take; 2s by default."
    )
    expect: Expect | None = Field(
        None, description="What the answer must look like; without it a status of 200 to 299."
    )
    command: Argv | None = Field(
        None, description="A command that must end with 0, for services that serve no HTTP."
    )
    heartbeat: Heartbeat | None = Field(
        None, description="A file that must be young, for services that serve no HTTP."
    )

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        given = [name for name in ("path", "command", "heartbeat") if getattr(self, name) is not None]
        if len(given) != 1:
            found = " and ".join(f"`{each}`" for each in given) or "none"
            raise problem(
                "ORC111",
                f"a health endpoint has exactly one of `path`, `command`, `heartbeat`, found {found}",
                "for example `ready: /ready`",
                exclusive=given,
            )
        strange = [name for name in ("expect", "headers", "port") if getattr(self, name)]
        if self.path is None and strange:
            raise problem(
                "ORC113",
                "`expect`, `headers` and `port` belong to a `path`",
                "take them out",
                strange[0],
                (given[0], strange[0]),
            )
        return self


class Watch(Model):
    """Asking again while the service runs. Only `live` may restart it; `ready` only changes the state."""

    interval: Templated[Duration] = Field(10.0, description="How often.", examples=["10s"])
    failures: Templated[Annotated[int, Field(ge=1, le=100)]] = Field(
        3, description="So many failures in a row make it unwell."
    )
    successes: Templated[Annotated[int, Field(ge=1, le=100)]] = Field(
        1, description="So many successes in a row make it well again."
    )


def _watch(value: Any) -> Any:
    if value is True:
        return Watch()
    if value is False or value is None:
        return None
    return Watch.model_validate(value)


AnyWatch = Annotated[Any, PlainValidator(_watch, json_schema_input_type=bool | Watch | None)]


class Health(Model):
    """Which endpoints tell whether the server is healthy, and what is done when they say no."""

    noun = "health"
    elsewhere: ClassVar = {
        "liveness": "live",
        "alive": "live",
        "readiness": "ready",
        "startup": "ready",
        "timeout": "deadline",
    }

    live: Endpoint | None = Field(
        None, description="Whether the process is alive: never asks a dependency.", examples=["/live"]
    )
    ready: Endpoint | None = Field(None, description="Whether it can serve.", examples=["/ready"])
    endpoints: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")], Endpoint] | None = Field(
        None, description="More endpoints by name."
    )
    deadline: Templated[Duration] | None = Field(
        None, description="From the launch to the first ready; 60s by default.", examples=["60s"]
    )
    watch: Templated[AnyWatch] = Field(None, description="Asking again while it runs; off by default.")
    on_failure: Actions | None = Field(
        None, description="What is done when it never becomes ready, or the watch fails."
    )

    @classmethod
    def below(cls) -> dict[str, Collection[str]]:
        return {"ready": Endpoint.keys(), "watch": Watch.keys()}

    def named(self) -> Iterator[tuple[str, Endpoint]]:
        """All endpoints with their names."""
        for name in ("live", "ready"):
            endpoint = getattr(self, name)
            if endpoint is not None:
                yield name, endpoint
        yield from (self.endpoints or {}).items()


KIND = Health
