"""`tls`: a certificate that is valid, and stays valid for a while."""

import time
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from orchestrator.core.outcome import ok
from orchestrator.spec.breaking import TALKING
from orchestrator.spec.templated import Templated
from orchestrator.spec.types import PathText
from orchestrator.waits._address import HostPort
from orchestrator.waits._base import Asking
from orchestrator.waits._failure import Failure
from orchestrator.waits._stream import connect, secure
from orchestrator.waits._tls import Trust

if TYPE_CHECKING:
    from orchestrator.core.context import Context
    from orchestrator.core.outcome import Outcome
    from orchestrator.waits._failure import Deadline


class Certificate(HostPort):
    """A server with TLS, and what its certificate must be like."""

    noun = "address"
    removed_keys: ClassVar = {
        "chain": "name the certificate itself as its authority: `ca: /path/server.pem`",
        "min_version": "take it out: nothing older than TLS 1.2 is spoken, and the server decides whether 1.2 is enough",
    }

    days_left: Templated[Annotated[int, Field(ge=0, le=3650)]] | None = Field(
        None, description="How many more days it must be valid.", examples=[14]
    )
    server_name: Templated[str] | None = Field(
        None, description="Whom it must be for, if not the host that is asked."
    )
    ca: Templated[PathText] | None = Field(
        None, description="A file with the authorities that are trusted instead of the system's."
    )

    def trust(self, context: "Context") -> Trust:
        return Trust(self.server_name or "", ca=context.path(self.ca) if self.ca else "")


class Tls(Asking):
    """Waits until a server speaks TLS with a certificate that is valid, trusted and for the name that is asked."""

    ways = TALKING
    example: ClassVar = {"name": "mail", "tls": {"host": "mail.example.org", "port": 993, "days_left": 14}}

    tls: Certificate = Field(description="The host and the port, or a mapping with more.")

    def speaks_tls(self) -> bool:
        return True

    def ask(self, context: "Context", deadline: "Deadline") -> "Outcome":
        server = self.tls.server()
        stream = connect(server.host, server.port, deadline, context.environ)
        with secure(stream, server.host, self.tls.trust(context)) as secured:
            return self._judged(secured.connection)

    def _judged(self, connection: Any) -> "Outcome":
        import ssl

        where = self.target()
        version = str(connection.version()).removeprefix("TLSv")
        ends = ssl.cert_time_to_seconds(connection.getpeercert()["notAfter"])
        days = int((ends - time.time()) // 86400)
        if self.tls.days_left is not None and days < self.tls.days_left:
            wanted = f"expected at least {self.tls.days_left}"
            raise Failure(
                "tls",
                f"the certificate of {where} is valid for {days} days, {wanted}",
                "renew the certificate",
            )
        return ok(f"{where} speaks TLS {version}, its certificate is valid for {days} days", days_left=days)


KIND = Tls
