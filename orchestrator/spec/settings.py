"""The smaller sections: `defaults`, `user`, `telemetry`, `lint`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from orchestrator.diagnostics.patterns import pattern
from orchestrator.document.plain import Interpolated
from orchestrator.spec.fields import AfterValidator, Field, PlainValidator, WithJsonSchema
from orchestrator.spec.model import LazySchema, Model, described, lazy_model, problem
from orchestrator.spec.types import Duration, PathText

if TYPE_CHECKING:
    from orchestrator.spec.retry import Retry
else:
    Retry = lazy_model("orchestrator.spec.retry:Retry")


class Defaults(Model):
    """What holds for all items that say nothing themselves."""

    deadline: Duration | None = described(
        None, "The deadline of waits; 60s where nothing is said.", examples=["2m"]
    )
    timeout: Duration | None = described(
        None, "How long one attempt may take; 2s where nothing is said.", examples=["5s"]
    )
    retry: Retry | None = described(
        None, "How attempts follow one another: from 50ms, doubling, to 5s, with full jitter."
    )


_USER = pattern(r"[^\s:]+(?::[^\s:]+)?\Z")
UserId = Annotated[int, Field(ge=0, le=2**32 - 2)]


class NamedUser(Model):
    """A user with other numbers than the image gives it, as images with PUID and PGID do. No account is edited."""

    name: Annotated[str, Field(min_length=1)] = described(
        ..., "The user's name in the image.", examples=["app"]
    )
    uid: UserId | None = described(None, "The uid it is to have.", examples=["${PUID}"])
    gid: UserId | None = described(None, "The gid it is to have.", examples=["${PGID}"])


def decode_user(value: Any) -> Any:
    if isinstance(value, dict):
        return NamedUser.model_validate(value)
    if isinstance(value, str) and (value.__class__ is Interpolated or _USER.match(value)):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        raise problem(
            "ORC102", f"expected a user, got the number `{value}`", f'write "{value}:{value}" in quotes'
        )
    raise problem("ORC102", "`user` is a name, `uid:gid`, or {name, uid, gid}", 'for example "10001:10001"')


AnyUser = Annotated[Any, PlainValidator(decode_user), LazySchema("user")]


class Log(Model):
    """The engine's own log."""

    format: Literal["auto", "text", "json"] = described(
        "auto", "`auto` is text on a terminal and elsewhere; `json` is one object per line."
    )
    level: Literal["debug", "info", "warning", "error"] = described(
        "info", "The least level that is written."
    )


def _listen(value: str) -> str:
    host, _, port = value.rpartition(":")
    if (
        port.isdecimal()
        and port.isascii()
        and len(port) < 6
        and int(port) < 65536
        and host
        and " " not in host
    ):
        return value
    digits = port if port.isdecimal() and len(port) < 6 and int(port) < 65536 else "9000"
    raise problem("ORC109", f"`{value}` is no host and port", f"for example 127.0.0.1:{digits}")


class Telemetry(Model):
    """What the engine tells about itself."""

    log: Log | None = described(None, "The engine's own log.", examples=[{"format": "json"}])
    listen: (
        Annotated[
            str, AfterValidator(_listen), WithJsonSchema({"type": "string", "pattern": r"^\S+:[0-9]{1,5}$"})
        ]
        | None
    ) = described(None, "host:port of the operations listener; none by default.", examples=["127.0.0.1:9090"])
    metrics: bool | None = described(
        None, "Whether the operations listener has /metrics; it has unless this is false."
    )
    traces: str | None = described(None, "The OTLP endpoint for traces.")


class Lint(Model):
    """Findings that are accepted, and settings of `orchestrator lint`."""

    ignore: (
        dict[Annotated[str, Field(pattern=r"^ORC[0-9]{3}$")], Annotated[str, Field(min_length=1)]] | None
    ) = described(
        None, "Findings that are accepted in the whole spec: code → the reason. No errors of the spec itself."
    )
    compose_services: tuple[str, ...] | None = described(
        None, "The Compose services that run the orchestrator.", examples=[["web", "worker"]]
    )
    passthrough: tuple[str, ...] | None = described(None, "Services that may bypass it.")
    baseline: PathText | None = described(None, "A file with findings that are known and not yet mended.")
