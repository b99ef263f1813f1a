"""`health`: the endpoints that tell whether the launched server is well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from orchestrator.spec.fields import AfterValidator, Field, PlainValidator, WithJsonSchema, model_validator
from orchestrator.spec.item import Actions
from orchestrator.spec.model import LazySchema, Model, described, lazy_model, problem
from orchestrator.spec.types import Argv, Duration, PathText, Port

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from orchestrator.spec.expect import Expect
else:
    Expect = lazy_model("orchestrator.spec.expect:Expect")


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
    """A file that the service touches while it is well."""

    file: PathText = described(..., "The file.")
    max_age: Duration = described(..., "How old it may be.", examples=["30s"])


class Endpoint(Model):
    """A health endpoint: a path, or a command, or a heartbeat."""

    noun = "health endpoint"
    shorthand = "path"
    alternatives: ClassVar = (("path",), ("command",), ("heartbeat",))

    path: UrlPath | None = described(None, "The path that is asked.", examples=["/ready"])
    port: Port | None = described(None, "The port, where it is not the launch's.")
    scheme: Literal["http", "https"] = described(
        "http", "The scheme. The certificate of a service's own endpoint is not verified."
    )
    host_header: str | None = described(
        None, "The Host header, for servers that check it.", examples=["shop.example.org"]
    )
    method: Literal["GET", "HEAD", "POST", "OPTIONS"] = described("GET", "The method.")
    headers: dict[str, str] | None = described(None, "More headers.")
    timeout: Duration | None = described(None, "How long an answer may take; 2s by default.")
    expect: Expect | None = described(
        None, "What the answer must look like; without it a status of 200 to 299."
    )
    command: Argv | None = described(None, "A command that must end with 0, for services that serve no HTTP.")
    heartbeat: Heartbeat | None = described(
        None, "A file that must be young, for services that serve no HTTP."
    )

    @model_validator(mode="after")
    def _one_kind(self) -> Endpoint:
        given = [name for name in ("path", "command", "heartbeat") if getattr(self, name) is not None]
        if len(given) != 1:
            found = " and ".join(f"`{each}`" for each in given) or "none"
            raise problem(
                "ORC111",
                f"a health endpoint has exactly one of `path`, `command`, `heartbeat`, found {found}",
                "for example `ready: /ready`",
                rivals=given,
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

    interval: Duration = described(10.0, "How often.", examples=["10s"])
    failures: Annotated[int, Field(ge=1, le=100)] = described(3, "So many failures in a row make it unwell.")
    successes: Annotated[int, Field(ge=1, le=100)] = described(
        1, "So many successes in a row make it well again."
    )


def _watch(value: Any) -> Any:
    if value is True:
        return Watch()
    if value is False or value is None:
        return None
    return Watch.model_validate(value)


class Health(Model):
    """Which endpoints tell whether the server is well, and what is done when they say no."""

    noun = "health"
    elsewhere: ClassVar = {
        "liveness": "live",
        "alive": "live",
        "readiness": "ready",
        "startup": "ready",
        "timeout": "deadline",
    }
    fixed = frozenset({"endpoints", "on_failure"})

    live: Endpoint | None = described(
        None, "Whether the process is alive: never asks a dependency.", examples=["/live"]
    )
    ready: Endpoint | None = described(None, "Whether it can serve.", examples=["/ready"])
    endpoints: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")], Endpoint] | None = described(
        None, "More endpoints by name."
    )
    deadline: Duration | None = described(
        None, "From the launch to the first ready; 60s by default.", examples=["60s"]
    )
    watch: Annotated[Any, PlainValidator(_watch), LazySchema("watch")] = described(
        None, "Asking again while it runs; off by default."
    )
    on_failure: Actions | None = described(
        None, "What is done when it never becomes ready, or the watch fails."
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
