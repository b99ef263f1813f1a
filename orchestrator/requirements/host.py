"""`host`: properties of the machine or container. Each key of the map is an item: `host:memory`."""

import os
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import AfterValidator, Field, PlainValidator, WithJsonSchema, model_validator

from orchestrator.core.outcome import failed, ok
from orchestrator.diagnostics.patterns import pattern
from orchestrator.requirements import _host
from orchestrator.requirements._base import Requirement
from orchestrator.requirements._comparison import comparison, holds, least, number, size
from orchestrator.spec.breaking import CannotBreak
from orchestrator.spec.errors import problem
from orchestrator.spec.model import Model
from orchestrator.spec.templated import Templated, filled_in, pending
from orchestrator.system import accounts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.core.context import Context
    from orchestrator.core.outcome import Outcome
    from orchestrator.spec.breaking import Sandbox

_RANGE = pattern(r"(\d+)-(\d+)\Z")
_SHOWN = 5


class HostItem(Requirement):
    """A property of the machine or container."""

    kind = "host"
    noun = "host property"
    shorthand = "is"
    key: ClassVar[str] = ""
    impossible: ClassVar[Any] = None
    """A value of `is` that no host has; None where every value may be the host's."""

    @property
    def title(self) -> str:
        return self.key

    def failures(self) -> tuple[str, ...]:
        return ("limit",)

    def make_fail(self, failure: str, sandbox: "Sandbox") -> None:
        del failure
        if self.impossible is None:
            raise CannotBreak(f"the host's {self.key} cannot be changed for one start")
        sandbox.item["is"] = self.impossible


class Memory(HostItem):
    """Memory that can be used: the container's limit (cgroup v1 or v2), else the machine's."""

    key = "memory"
    impossible = ">=1000000GB"

    is_: Templated[comparison(size, ">=256MB")] = Field(  # type: ignore[valid-type]
        description="A comparison with a size.", alias="is", examples=[">=256MB"]
    )

    def attempt(self, context: "Context") -> "Outcome":
        del context
        found, what = _host.memory()
        if holds(found, self.is_, size):
            return ok(f"{_mega(found)}: {what}", found=found)
        wanted = least(self.is_, size, 0)
        mega = max(1, -(-int(wanted) // 2**20))
        return failed(
            "ORC451",
            "memory",
            f"memory must be {self.is_}, found {_mega(found)}: {what}",
            more_memory(mega, what),
            final=True,
            found=found,
        )


class Cpus(HostItem):
    """Processors that can be used: the container's quota, else those the process may run on."""

    key = "cpus"
    impossible = ">=1000000"

    is_: Templated[comparison(number, ">=1")] = Field(  # type: ignore[valid-type]
        description="A comparison with a number.", alias="is", examples=[">=0.5"]
    )

    def attempt(self, context: "Context") -> "Outcome":
        del context
        found, what = _host.cpus()
        if holds(found, self.is_, number):
            return ok(f"{found:g} CPUs: {what}", found=found)
        wanted = least(self.is_, number, 1)
        return failed(
            "ORC451",
            "cpus",
            f"cpus must be {self.is_}, found {found:g}: {what}",
            more_cpus(wanted, what),
            final=True,
            found=found,
        )


class OpenFiles(HostItem):
    """How many files the service may have open at once (the soft limit)."""

    key = "open_files"
    impossible = ">=2000000000"

    is_: Templated[comparison(number, ">=1024")] = Field(  # type: ignore[valid-type]
        description="A comparison with a number.", alias="is", examples=[">=1024"]
    )

    def attempt(self, context: "Context") -> "Outcome":
        del context
        soft, hard = _host.open_files()
        if holds(float("inf") if soft < 0 else soft, self.is_, number):
            return ok(f"{'any number of' if soft < 0 else soft} open files", found=soft)
        wanted = int(least(self.is_, number, soft))
        return failed(
            "ORC452",
            "open-files",
            f"open_files must be {self.is_}, the limit is {soft} (it can be raised to {'any' if hard < 0 else hard})",
            f"docker run --ulimit nofile={wanted}:{max(wanted, hard)} (Compose: ulimits: {{nofile: {wanted}}})",
            final=True,
            found=soft,
        )


def _user(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise problem(
            "ORC102", "expected `not-root`, a name, a number or a range", 'for example "10000-20000"'
        )
    found = _RANGE.match(value) if isinstance(value, str) else None
    if found and int(found[1]) > int(found[2]):
        raise problem("ORC124", f"the range `{value}` is empty", f'write "{found[2]}-{found[1]}"')
    if value == "":
        raise problem("ORC115", "expected a user, got an empty text", "for example not-root")
    return value


_ANY_USER = WithJsonSchema({"type": ["string", "integer"], "examples": ["not-root", "app", "10000-20000"]})


class User(HostItem):
    """The user the service runs as."""

    key = "user"
    impossible = "4000000000-4000000001"

    is_: Templated[Annotated[Any, PlainValidator(_user), _ANY_USER]] = Field(
        description="`not-root`, a name, a number, or a range of numbers.", alias="is", examples=["not-root"]
    )

    def attempt(self, context: "Context") -> "Outcome":
        uid = context.user.uid
        try:
            wrong = self._wrong(uid)
        except accounts.NoSuchUser as error:
            return failed("ORC453", "user", str(error), error.hint, final=True)
        if not wrong:
            return ok(accounts.said(uid), found=uid)
        return failed(
            "ORC453",
            "user",
            f"{wrong}, the service runs as {accounts.said(uid)}",
            self._remedy(),
            final=True,
            found=uid,
        )

    def _wrong(self, uid: int) -> str:
        wanted = str(self.is_)
        if wanted == "not-root":
            return "it must not be root" if uid == 0 else ""
        if found := _RANGE.match(wanted):
            return (
                "" if int(found[1]) <= uid <= int(found[2]) else f"its uid must be {found[1]} to {found[2]}"
            )
        return "" if accounts.uid_of(wanted) == uid else f"it must be user {wanted}"

    def _remedy(self) -> str:
        wanted = str(self.is_)
        name = (
            "10001" if wanted == "not-root" else wanted.partition("-")[0] if _RANGE.match(wanted) else wanted
        )
        return f"USER {name} as the last USER line of the Dockerfile, or `user: {name}` in the spec"


class Timezone(HostItem):
    """The time zone of the service, which the system must have the rules of."""

    key = "timezone"
    impossible = "Antarctica/Troll"

    is_: Templated[str] = Field(description="The zone's name.", alias="is", examples=["UTC", "Europe/Oslo"])

    def attempt(self, context: "Context") -> "Outcome":
        found, source = _host.timezone(context.environ)
        if not _host.same_zone(found, self.is_):
            said = f"the time zone must be {self.is_}, found {found} ({source})"
            return failed(
                "ORC471", "timezone", said, f"ENV TZ={self.is_} in the Dockerfile", final=True, found=found
            )
        if not _host.has_zone(found):
            said = f"the time zone is {found}, but the system has no rules for it and takes it for UTC"
            hint = "RUN apt-get install -y tzdata (Alpine: apk add tzdata)"
            return failed("ORC471", "timezone", said, hint, final=True, found=found)
        return ok(f"{found} ({source})", found=found)


def _capabilities(value: Any) -> Any:
    if value == "none":
        return value
    if not isinstance(value, tuple) or not value:
        raise problem("ORC102", "expected `none` or a list of capabilities", "for example [NET_BIND_SERVICE]")
    return tuple(each if pending(each) else _capability(each) for each in filled_in(value))


def _capability(value: Any) -> str:
    name = str(value).upper().removeprefix("CAP_")
    if name in _host.CAPABILITIES:
        return name
    from orchestrator.core.suggest import did_you_mean

    hint = did_you_mean(name, _host.CAPABILITIES) or "for example NET_BIND_SERVICE"
    raise problem("ORC103", f"there is no capability `{value}`", hint)


_ANY_CAPABILITIES = WithJsonSchema(
    {
        "anyOf": [
            {"const": "none"},
            {"type": "array", "minItems": 1, "items": {"enum": list(_host.CAPABILITIES)}},
        ]
    }
)


class Capabilities(HostItem):
    """The Linux capabilities that the service will have."""

    key = "capabilities"
    impossible = "none" if os.geteuid() == 0 else None

    is_: Templated[Annotated[Any, PlainValidator(_capabilities), _ANY_CAPABILITIES]] = Field(
        description="`none`: all are dropped; or those it must have.",
        alias="is",
        examples=["none", ["NET_BIND_SERVICE"]],
    )

    def attempt(self, context: "Context") -> "Outcome":
        found = _host.capabilities(context.user)
        if self.is_ == "none":
            if not found:
                return ok("no capabilities")
            said = f"it must have no capabilities, found {_listed(sorted(found))}"
            hint = "docker run --cap-drop ALL (Compose: cap_drop: [ALL]), and a user that is not root"
            return failed("ORC471", "capabilities", said, hint, final=True)
        lacking = [each for each in self.is_ if each not in found]
        if not lacking:
            return ok(", ".join(self.is_))
        flags = " ".join(f"--cap-add {each}" for each in lacking)
        hint = f"docker run {flags} (Compose: cap_add: [{', '.join(lacking)}]); a user other than root gets them as ambient ones only"
        return failed("ORC471", "capabilities", f"it lacks {', '.join(lacking)}", hint, final=True)


class ReadOnlyRoot(HostItem):
    """Whether the root file system is read-only."""

    key = "read_only_root"

    is_: Templated[bool] = Field(description="True: it must be; false: it must not.", alias="is")

    def make_fail(self, failure: str, sandbox: "Sandbox") -> None:
        if self.is_:
            super().make_fail(failure, sandbox)
        sandbox.item["is"] = True

    def attempt(self, context: "Context") -> "Outcome":
        del context
        found = _host.root_is_read_only()
        words = "read-only" if found else "writable"
        if found == self.is_:
            return ok(f"the root file system is {words}")
        said = f"the root file system is {words} and must {'' if self.is_ else 'not '}be read-only"
        hint = (
            "docker run --read-only (Compose: read_only: true; Kubernetes: readOnlyRootFilesystem: true)"
            if self.is_
            else "take out --read-only, read_only or readOnlyRootFilesystem"
        )
        return failed("ORC471", "read-only-root", said, hint, final=True)


def _only_true(value: bool) -> bool:
    if value:
        return value
    raise problem("ORC125", "nobody needs packages that are not compiled", "write true, or take the line out")


class Bytecode(HostItem):
    """Whether the installed packages are compiled: without byte code every start compiles them again."""

    key = "bytecode"

    is_: Templated[Annotated[bool, AfterValidator(_only_true)]] = Field(
        description="True: they must be.", alias="is"
    )

    def attempt(self, context: "Context") -> "Outcome":
        del context
        missing, place = _host.not_compiled()
        if not missing:
            return ok("installed packages are compiled")
        said = f"{len(missing)} packages in {place} are not compiled: {_listed(missing)}"
        hint = f"RUN python -m compileall -q {place}, and no PYTHONDONTWRITEBYTECODE while pip installs"
        return failed("ORC471", "bytecode", said, hint, final=True, missing=len(missing))


class Host(Model):
    """Properties of the machine or container. A value may also be {is, when, on_failure, why}."""

    noun = "host"

    memory: Memory | None = Field(None, description="Memory that can be used.", examples=[">=256MB"])
    cpus: Cpus | None = Field(None, description="Processors that can be used.", examples=[">=1"])
    open_files: OpenFiles | None = Field(None, description="How many files may be open.", examples=[">=1024"])
    user: User | None = Field(None, description="Who the service runs as.", examples=["not-root"])
    timezone: Timezone | None = Field(None, description="The time zone.", examples=["UTC"])
    capabilities: Capabilities | None = Field(None, description="The Linux capabilities.", examples=["none"])
    read_only_root: ReadOnlyRoot | None = Field(
        None, description="Whether the root file system is read-only."
    )
    bytecode: Bytecode | None = Field(
        None, description="Whether installed packages are compiled.", examples=[True]
    )

    @model_validator(mode="before")
    @classmethod
    def _wrapped(cls, data: Any) -> Any:
        """A bare value is `{is: value}`, also where it is no text."""
        if not isinstance(data, dict):
            return data
        short = {key: value for key, value in data.items() if not isinstance(value, dict | HostItem)}
        return {**data, **{key: {"is": value} for key, value in short.items() if key in cls.model_fields}}

    def items(self) -> "Iterator[tuple[str, HostItem]]":
        """The items by their keys."""
        for name in type(self).model_fields:
            item = getattr(self, name)
            if item is not None:
                yield name, item


def more_memory(mega: int, limiting: str) -> str:
    """The remedy: a higher limit, where there is one; else no flag helps."""
    if "container" not in limiting:
        return f"no limit of a container is in the way: it takes a machine with {mega} MiB"
    return f"docker run --memory {mega}m (Compose: mem_limit: {mega}m; Kubernetes: resources.limits.memory: {mega}Mi)"


def more_cpus(wanted: float, limiting: str) -> str:
    """The same for processors."""
    if "container" not in limiting:
        return f"no quota is in the way: it takes a machine with {wanted:g} CPUs, or another --cpuset-cpus"
    return f"docker run --cpus {wanted:g} (Compose: cpus: {wanted:g}; Kubernetes: resources.limits.cpu: {wanted:g})"


def _mega(size: float) -> str:
    return f"{size / 10**6:.0f} MB"


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


KIND = Host
