"""The smaller sections: `defaults`, `user`, `telemetry`, `lint`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from orchestrator.diagnostics.patterns import pattern
from orchestrator.document.plain import Interpolated
from orchestrator.spec.fields import AfterValidator, Field, PlainValidator, WithJsonSchema, model_validator
from orchestrator.spec.model import LazySchema, Model, described, lazy_model, problem
from orchestrator.spec.types import Duration, PathText
from orchestrator.system.rights import CAPABILITIES

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


class OwnerOf(Model):
    """The uid of who owns a path."""

    noun = "uid"

    owner_of: PathText = described(..., "Whose owner it is; root's counts as none.", examples=["/data"])
    otherwise: Annotated[int, Field(ge=1, le=2**32 - 2)] | None = described(
        None, "The uid where nothing is there, or root owns it.", alias="else", examples=[911]
    )


def _uid(value: Any) -> Any:
    if isinstance(value, dict):
        return OwnerOf.model_validate(value)
    if isinstance(value, int) and not isinstance(value, bool):
        if 0 <= value <= 2**32 - 2:
            return value
        raise problem("ORC105", f"a uid is 0 to {2**32 - 2}, got `{value}`", "for example 1000")
    raise problem("ORC102", "`uid` is a number, or {owner_of, else}", "for example 1000")


class NamedUser(Model):
    """Who the service is: a user of the image, or any numbers. No account is edited."""

    noun = "user"

    name: Annotated[str, Field(min_length=1)] | None = described(
        None, "The user's name in the image; with `uid` and `gid` it need not exist.", examples=["app"]
    )
    uid: Annotated[Any, PlainValidator(_uid), LazySchema("uid")] = described(
        None, "The uid it is to have, or whose path's owner it is.", examples=["${PUID}"]
    )
    gid: UserId | None = described(None, "The gid it is to have.", examples=["${PGID}"])
    groups: tuple[str | int, ...] | None = described(
        None, "More groups, by name or number.", examples=[["docker", 44]]
    )
    home: PathText | None = described(None, "Its HOME, in place of the account's.", examples=["/data/home"])
    capabilities: tuple[str, ...] | None = described(
        None,
        "What it keeps of root's rights, for the server too; none otherwise.",
        examples=[["NET_BIND_SERVICE"]],
    )
    allow_privilege_escalation: bool = described(
        False, "Set-uid programs such as sudo may give it more rights: no_new_privs stays off."
    )

    @model_validator(mode="after")
    def _somebody(self) -> NamedUser:
        if self.name is None and (self.uid is None or self.gid is None):
            raise problem("ORC113", "`user` has a `name`, or both `uid` and `gid`", "for example `name: app`")
        for name in self.capabilities or ():
            if not isinstance(name, Interpolated) and name.upper().removeprefix("CAP_") not in CAPABILITIES:
                raise problem(
                    "ORC105",
                    f"there is no capability `{name}`",
                    "for example NET_BIND_SERVICE",
                    "capabilities",
                )
        return self


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
