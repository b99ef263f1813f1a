"""What all waits share. A kind makes one attempt; the engine repeats it."""

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from orchestrator.document.plain import Template
from orchestrator.spec.breaking import CannotBreak
from orchestrator.spec.item import Item
from orchestrator.spec.types import ItemName

if TYPE_CHECKING:
    from orchestrator.core.context import Context
    from orchestrator.core.outcome import Outcome
    from orchestrator.spec.breaking import Sandbox
    from orchestrator.waits._failure import Deadline


class Wait(Item):
    """Something that must answer before the service may serve."""

    kind = "wait"
    noun = "wait"
    extra: ClassVar[str] = ""
    """The extra of this distribution that brings the driver, if the kind needs one."""
    example: ClassVar[dict[str, Any]] = {}
    """A wait of this kind as it stands under `wait_for`."""

    name: ItemName = Field(description="The wait's name: `db` makes the id `wait:db`.", examples=["db"])

    @property
    def title(self) -> str:
        return self.name

    def target(self) -> str:
        """What is asked, without secrets: `db:5432`."""
        raise NotImplementedError

    def attempt(self, context: "Context") -> "Outcome":
        """Asks once, within `context.timeout` seconds in all. Returns an outcome; raises only for a bug.

        The reason of a failure is one of refused, timeout, dns, unreachable, tls, auth, protocol, unexpected. It is
        `final` where trying again cannot help.
        """
        raise NotImplementedError

    def failures(self) -> tuple[str, ...]:
        return ("refused", "timeout")

    def make_fail(self, failure: str, sandbox: "Sandbox") -> None:  # noqa: ARG002 - for kinds that can
        raise CannotBreak(f"nothing is known of what `{type(self).__module__.rpartition('.')[2]}` asks")

    def make_healthy(self, sandbox: "Sandbox") -> None:  # noqa: ARG002 - for kinds that can
        """Puts a server in place of the one that is asked; raises CannotBreak where that needs its protocol."""
        raise CannotBreak("no server of ours can be well at the address that its `use` takes")


class Asking(Wait):
    """A wait whose attempt has one deadline, and may raise a `Failure` at any depth."""

    @property
    def word(self) -> str:
        """The kind as users write it, which is also the name of the field with the address."""
        return type(self).__module__.rpartition(".")[2]

    def target(self) -> str:
        value = getattr(self, self.word)
        if isinstance(value, str | Template):
            from orchestrator.waits._address import references

            return references(value)  # still `${…}`: the text around it may be a password
        return str(value.shown())

    def attempt(self, context: "Context") -> "Outcome":
        from orchestrator.waits._failure import Deadline, Failure

        try:
            return self.ask(context, Deadline(context.timeout))
        except Failure as failure:
            return failure.outcome
        except RecursionError:  # JSON of a thousand levels, from wherever it came
            return Failure("unexpected", f"the answer of {self.target()} is nested too deeply").outcome

    ways: ClassVar[tuple[str, ...]] = ("refused", "timeout")
    """The ways in which a server of this kind can fail."""

    def failures(self) -> tuple[str, ...]:
        from orchestrator.waits._breaking import failures

        return failures(self)

    def make_fail(self, failure: str, sandbox: "Sandbox") -> None:
        from orchestrator.waits._breaking import make_fail

        make_fail(self, failure, sandbox)

    def make_answerable(self, failure: str, sandbox: "Sandbox") -> None:  # noqa: ARG002 - for kinds that can
        """Prepares the item for an answer in its protocol; raises CannotBreak where the rehearsal has no such server."""
        raise CannotBreak("only the real server can refuse a password, and a private copy cannot reach it")

    def logs_in(self) -> bool:
        """Whether a password can be wrong."""
        return False

    def speaks_tls(self) -> bool:
        """Whether TLS is spoken from the first byte on, as far as that is known."""
        from orchestrator.waits._breaking import speaks_tls

        return speaks_tls(self)

    def reason_of(self, failure: str) -> str:
        if failure == "dropped":
            return "tls" if self.speaks_tls() else "refused"
        return "refused" if failure == "missing" else failure  # a socket that is not there yet

    def ask(self, context: "Context", deadline: "Deadline") -> "Outcome":
        """One attempt. A `Failure` that it raises becomes the outcome."""
        raise NotImplementedError
