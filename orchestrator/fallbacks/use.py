"""`use`: another value for the item, handed to the server in a variable."""

from typing import Self

from pydantic import Field, model_validator

from orchestrator.spec.errors import problem
from orchestrator.spec.item import Action
from orchestrator.spec.model import Model
from orchestrator.spec.templated import Templated
from orchestrator.spec.types import AppReference, PathText, Port, VariableName


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


class Use(Action):
    """Take another value for the item, then check again."""

    remedy = True
    allowed = frozenset({"directory", "file", "wait", "port", "launch", "module"})

    use: Using = Field(
        description="The other value, and where to hand it.",
        examples=[{"path": "/tmp/state", "export": "STATE_DIR"}],
    )


KIND = Use
