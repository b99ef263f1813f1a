"""`use`: another value for the item, handed to the server in a variable."""

from __future__ import annotations

from orchestrator.spec.fields import model_validator
from orchestrator.spec.item import Action
from orchestrator.spec.model import Model, described, problem
from orchestrator.spec.types import AppReference, PathText, Port, VariableName


class Using(Model):
    """The other value: exactly one of `path`, `url`, `app`, `port`."""

    noun = "use"

    path: PathText | None = described(None, "Another path, for a directory or a file.")
    url: str | None = described(None, "Another address, for a wait; it is asked as the old one was.")
    app: AppReference | None = described(None, "Another application, for the launch.")
    port: Port | None = described(None, "Another port.")
    export: VariableName | None = described(None, "The variable in which the server gets the value.")

    @model_validator(mode="after")
    def _one_value(self) -> Using:
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

    use: Using = described(
        ...,
        "The other value, and where to hand it.",
        examples=[{"path": "/tmp/state", "export": "STATE_DIR"}],
    )


KIND = Use
