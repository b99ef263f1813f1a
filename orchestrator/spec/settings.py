"""The smaller sections: `defaults`, `user`, `telemetry`, `lint`."""

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, PlainValidator, WithJsonSchema, model_validator

from orchestrator.diagnostics.patterns import pattern
from orchestrator.spec.errors import problem
from orchestrator.spec.model import Lazy, Model
from orchestrator.spec.templated import Templated, pending
from orchestrator.spec.types import Duration, PathText
from orchestrator.system.rights import CAPABILITIES

if TYPE_CHECKING:
    from orchestrator.spec.retry import Retry
else:
    Retry = Annotated[Any, Lazy("orchestrator.spec.retry:Retry")]


class Defaults(Model):
    """What holds for all items that say nothing themselves."""

    deadline: Templated[Duration] | None = Field(
        None, description="The deadline of waits; 60s where nothing is said.", examples=["2m"]
    )
    timeout: Templated[Duration] | None = Field(
        None, description="How long one attempt may take; 2s where nothing is said.", examples=["5s"]
    )
    retry: Retry | None = Field(
        None, description="How attempts follow one another: from 50ms, doubling, to 5s, with full jitter."
    )


_USER = pattern(r"[^\s:]+(?::[^\s:]+)?\Z")
UserId = Annotated[int, Field(ge=0, le=2**32 - 2)]


class OwnerOf(Model):
    """The uid of who owns a path."""

    noun = "uid"

    owner_of: Templated[PathText] = Field(
        description="Whose owner it is; root's counts as none.", examples=["/data"]
    )
    otherwise: Templated[Annotated[int, Field(ge=1, le=2**32 - 2)]] | None = Field(
        None, description="The uid where nothing is there, or root owns it.", alias="else", examples=[911]
    )


def _uid(value: Any) -> Any:
    if isinstance(value, dict):
        return OwnerOf.model_validate(value)
    if isinstance(value, int) and not isinstance(value, bool):
        if 0 <= value <= 2**32 - 2:
            return value
        raise problem("ORC105", f"a uid is 0 to {2**32 - 2}, got `{value}`", "for example 1000")
    raise problem("ORC102", "`uid` is a number, or {owner_of, else}", "for example 1000")


AnyUid = Annotated[Any, PlainValidator(_uid, json_schema_input_type=UserId | OwnerOf)]


class NamedUser(Model):
    """Who the service is: a user of the image, or any numbers. No account is edited."""

    noun = "user"

    name: Templated[Annotated[str, Field(min_length=1)]] | None = Field(
        None,
        description="The user's name in the image; with `uid` and `gid` it need not exist.",
        examples=["app"],
    )
    uid: Templated[AnyUid] | None = Field(
        None, description="The uid it is to have, or whose path's owner it is.", examples=["${PUID}"]
    )
    gid: Templated[UserId] | None = Field(None, description="The gid it is to have.", examples=["${PGID}"])
    groups: tuple[Templated[str | int], ...] | None = Field(
        None, description="More groups, by name or number.", examples=[["docker", 44]]
    )
    home: Templated[PathText] | None = Field(
        None, description="Its HOME, in place of the account's.", examples=["/data/home"]
    )
    capabilities: tuple[Templated[str], ...] | None = Field(
        None,
        description="What it keeps of root's rights, for the server too; none otherwise.",
        examples=[["NET_BIND_SERVICE"]],
    )
    allow_privilege_escalation: Templated[bool] = Field(
        False, description="Set-uid programs such as sudo may give it more rights: no_new_privs stays off."
    )

    @model_validator(mode="after")
    def _somebody(self) -> Self:
        if self.name is None and (self.uid is None or self.gid is None):
            raise problem("ORC113", "`user` has a `name`, or both `uid` and `gid`", "for example `name: app`")
        for name in self.capabilities or ():
            if not pending(name) and name.upper().removeprefix("CAP_") not in CAPABILITIES:
                raise problem(
                    "ORC105",
                    f"there is no capability `{name}`",
                    "for example NET_BIND_SERVICE",
                    "capabilities",
                )
        return self


def _validate_user(value: Any) -> Any:
    if isinstance(value, dict):
        return NamedUser.model_validate(value)
    if isinstance(value, str) and _USER.match(value):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        raise problem(
            "ORC102", f"expected a user, got the number `{value}`", f'write "{value}:{value}" in quotes'
        )
    raise problem("ORC102", "`user` is a name, `uid:gid`, or {name, uid, gid}", 'for example "10001:10001"')


AnyUser = Annotated[
    Any,
    PlainValidator(
        _validate_user,
        json_schema_input_type=Annotated[str, WithJsonSchema({"type": "string", "pattern": r"\S"})]
        | NamedUser,
    ),
]


class Log(Model):
    """The engine's own log."""

    format: Templated[Literal["auto", "text", "json"]] = Field(
        "auto", description="`auto` is text on a terminal and elsewhere; `json` is one object per line."
    )
    level: Templated[Literal["debug", "info", "warning", "error"]] = Field(
        "info", description="The least level that is written."
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

    log: Log | None = Field(None, description="The engine's own log.", examples=[{"format": "json"}])
    listen: (
        Templated[
            Annotated[
                str,
                AfterValidator(_listen),
                WithJsonSchema({"type": "string", "pattern": r"^\S+:[0-9]{1,5}$"}),
            ]
        ]
        | None
    ) = Field(
        None,
        description="host:port of the operations listener; none by default.",
        examples=["127.0.0.1:9090"],
    )
    metrics: Templated[bool] | None = Field(
        None, description="Whether the operations listener has /metrics; it has unless this is false."
    )
    traces: Templated[str] | None = Field(None, description="The OTLP endpoint for traces.")


class Lint(Model):
    """Findings that are accepted, and settings of `orchestrator lint`."""

    ignore: (
        dict[Annotated[str, Field(pattern=r"^ORC[0-9]{3}$")], Annotated[str, Field(min_length=1)]] | None
    ) = Field(
        None,
        description="Findings that are accepted in the whole spec: code → the reason. No errors of the spec itself.",
    )
    compose_services: tuple[Templated[str], ...] | None = Field(
        None, description="The Compose services that run the orchestrator.", examples=[["web", "worker"]]
    )
    passthrough: tuple[Templated[str], ...] | None = Field(None, description="Services that may bypass it.")
    baseline: Templated[PathText] | None = Field(
        None, description="A file with findings that are known and not yet mended."
    )
