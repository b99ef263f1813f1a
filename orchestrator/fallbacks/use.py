"""`use`: another value for the item, handed to the server in a variable."""

import dataclasses
from typing import TYPE_CHECKING, Any, Self

from pydantic import Field, model_validator

from orchestrator.fallbacks._base import Performed, Remedy
from orchestrator.spec.errors import problem
from orchestrator.spec.model import Model
from orchestrator.spec.templated import Templated
from orchestrator.spec.types import AppReference, PathText, Port, VariableName

if TYPE_CHECKING:
    from orchestrator.fallbacks._base import Hands


class Using(Model):
    """The other value: exactly one of `path`, `url`, `app`, `port`."""

    noun = "use"

    path: Templated[PathText] | None = Field(None, description="Another path, for a directory or a file.")
    url: Templated[str] | None = Field(
        None, description="Another address, for a wait; it is asked as the old one was."
    )
    app: Templated[AppReference] | None = Field(None, description="Another application, for the launch.")
    port: Templated[Port] | None = Field(None, description="Another port.")
    export: Templated[VariableName] | None = Field(
        None, description="The variable in which the server gets the value."
    )

    @model_validator(mode="after")
    def _one_value(self) -> Self:
        if sum(each is not None for each in (self.path, self.url, self.app, self.port)) != 1:
            raise problem(
                "ORC113",
                "`use` takes exactly one of `path`, `url`, `app`, `port`",
                "for example {path: /tmp/state, export: STATE_DIR}",
            )
        return self

    @property
    def value(self) -> tuple[str, str]:
        """Which it is, and its text."""
        for name in ("path", "url", "app"):
            if (value := getattr(self, name)) is not None:
                return name, str(value)
        return "port", str(self.port)


class Use(Remedy):
    """Take another value for the item, then check again."""

    beside = False
    allowed = frozenset({"directory", "file", "wait", "port", "launch", "module"})

    use: Using = Field(
        description="The other value, and where to hand it.",
        examples=[{"path": "/tmp/state", "export": "STATE_DIR"}],
    )

    @property
    def sets(self) -> tuple[str, ...]:
        return (self.use.export,) if self.use.export else ()

    @property
    def replaces(self) -> str:
        return self.use.value[0]

    def fits(self, item: Any) -> bool:
        return self.replaces == "port" or self.instead_of(item) is not None

    def instead_of(self, item: Any) -> Any | None:
        return using(item, *self.use.value)

    def perform(self, item: Any, hands: "Hands") -> Performed:
        del hands
        what, value = self.use.value
        changed = self.instead_of(item)
        if changed is None:
            return Performed(ok=False, summary=f"`{what}` cannot stand in for anything here")
        exported = f", exported as {self.use.export}" if self.use.export else ""
        return Performed(
            ok=True,
            summary=f"using {what} {value}{exported}",
            sets=dict.fromkeys(self.sets, value),
            setting=f"export {what} {value}",
            item=changed,
            used=(what, value),
            changed={what: value, "variables": list(self.sets)},
        )


def using(item: Any, what: str, value: str) -> Any | None:
    """The item with another value; None where the value cannot stand in for anything."""
    fresh: Any = int(value) if what == "port" else value
    if dataclasses.is_dataclass(item) and not isinstance(item, type):
        return dataclasses.replace(item, **{what: fresh}) if hasattr(item, what) else None
    if what in type(item).model_fields:
        return item.model_copy(update={what: fresh})
    return _elsewhere(item, value) if what == "url" else None


def _elsewhere(wait: Any, url: str) -> Any | None:
    """A wait for another address: its kind's own field takes it, and all else stays."""
    kind = type(wait).__module__.rpartition(".")[2]
    if kind not in type(wait).model_fields:
        return None
    made = type(wait).model_validate({"name": wait.name, kind: url})
    rest = {name: getattr(wait, name) for name in wait.model_fields_set if name != kind}
    return made.model_copy(update={**rest, kind: _asked_alike(getattr(wait, kind), getattr(made, kind))})


def _asked_alike(before: Any, address: Any) -> Any:
    """The new address, asked as the old one was: with its headers, its authority. Where and who is the new one's."""
    if not hasattr(before, "model_fields_set") or type(before) is not type(address):
        return address
    where = {"url", "address", "host", "port", "unix", "server_name", *getattr(before, "parts", ())}
    kept = before.model_fields_set - where
    return address.model_copy(update={name: getattr(before, name) for name in kept})


KIND = Use
