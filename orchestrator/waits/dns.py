"""`dns`: a name that can be resolved."""

from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, model_validator

from orchestrator.core.outcome import ok
from orchestrator.spec.breaking import CannotBreak
from orchestrator.spec.expect import AnyMatcher
from orchestrator.spec.model import Model
from orchestrator.spec.templated import Templated, pending
from orchestrator.waits._address import host_name, references
from orchestrator.waits._base import Asking
from orchestrator.waits._stream import resolve

if TYPE_CHECKING:
    from orchestrator.core.context import Context
    from orchestrator.core.outcome import Outcome
    from orchestrator.spec.breaking import Sandbox
    from orchestrator.waits._failure import Deadline


class Name(Model):
    """A name to resolve."""

    noun = "name"
    shorthand = "host"

    host: Templated[str] = Field(description="The name.", examples=["db"])
    family: Templated[Literal["ipv4", "ipv6"]] | None = Field(
        None, description="The kind of address that is needed."
    )

    @model_validator(mode="after")
    def _is_name(self) -> Self:
        if not pending(self.host):
            host_name(self.host)
        return self

    def shown(self) -> str:
        return references(self.host) if pending(self.host) else self.host


class Dns(Asking):
    """Waits until a name can be resolved, as the service itself would: by /etc/hosts and the name servers."""

    ways = ("dns",)
    example: ClassVar = {"name": "broker", "dns": "broker.internal", "expect": {"contains": "10.0.0.5"}}

    dns: Name = Field(description="The name.", examples=["db"])
    expect: AnyMatcher = Field(None, description="A matcher for the list of addresses.")

    def make_fail(self, failure: str, sandbox: "Sandbox") -> None:  # noqa: ARG002 - a private network knows no name
        if self.dns.host == "localhost" or _is_address(self.dns.host):
            raise CannotBreak(f"{self.dns.host} is known without being asked for")

    def make_healthy(self, sandbox: "Sandbox") -> None:
        sandbox.resolve(self.dns.host)

    def ask(self, context: "Context", deadline: "Deadline") -> "Outcome":
        found = resolve(self.dns.host, deadline, context.environ, family=self.dns.family or "")
        addresses = [str(address[0]) for _, address in found]
        if "expect" in self.model_fields_set:
            from orchestrator.spec.matching import mismatch
            from orchestrator.waits._failure import Failure

            wrong = mismatch(self.expect, addresses)
            if wrong:
                raise Failure("unexpected", f"the addresses of {self.dns.host}: {wrong}")
        return ok(f"{self.dns.host} is {', '.join(addresses)}", addresses=addresses)


def _is_address(name: str) -> bool:
    import ipaddress

    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


KIND = Dns
