"""What all waits share. A kind makes one attempt; the engine repeats it."""

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from orchestrator.document.plain import Template
from orchestrator.spec.item import Item
from orchestrator.spec.types import ItemName

if TYPE_CHECKING:
    from orchestrator.core.context import Context
    from orchestrator.core.outcome import Outcome
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

    def ask(self, context: "Context", deadline: "Deadline") -> "Outcome":
        """One attempt. A `Failure` that it raises becomes the outcome."""
        raise NotImplementedError
