"""`tls`: a certificate that is right, and stays so for a while."""

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from orchestrator.core.outcome import ok
from orchestrator.spec.templated import Templated
from orchestrator.spec.types import PathText
from orchestrator.waits._address import HostPort
from orchestrator.waits._base import Asking
from orchestrator.waits._failure import Failure
from orchestrator.waits._stream import Stream, Trust, connect, secure

if TYPE_CHECKING:
    from orchestrator.core.context import Context
    from orchestrator.core.outcome import Outcome
    from orchestrator.waits._failure import Deadline


class Certificate(HostPort):
    """Where TLS is spoken, and what its certificate must be like."""

    noun = "address"

    days_left: Templated[Annotated[int, Field(ge=0, le=3650)]] | None = Field(
        None, description="For how many days more it must be valid.", examples=[14]
    )
    server_name: Templated[str] | None = Field(
        None, description="Whom it must be for, if not the host that is asked."
    )
    chain: Templated[bool] = Field(
        True, description="Whether it must be signed by an authority that is trusted."
    )
    ca: Templated[PathText] | None = Field(
        None, description="A file with the authorities that are trusted instead of the system's."
    )
    min_version: Templated[Literal["1.2", "1.3"]] = Field("1.2", description="The lowest version of TLS.")

    def trust(self, context: "Context") -> Trust:
        return Trust(self.server_name or "", ca=context.path(self.ca) if self.ca else "")


class Tls(Asking):
    """Waits until a server speaks TLS with a certificate that is valid, trusted and for the name that is asked."""

    example: ClassVar = {"name": "mail", "tls": {"host": "mail.example.org", "port": 993, "days_left": 14}}

    tls: Certificate = Field(description="The host and the port, or a mapping with more.")

    def ask(self, context: "Context", deadline: "Deadline") -> "Outcome":
        trust = self.tls.trust(context)
        if not self.tls.chain:
            trust = replace(trust, ca="", anchor=self._anchor(context, deadline))
        with self._secured(context, deadline, trust) as stream:
            return self._judged(stream.connection)

    def _secured(self, context: "Context", deadline: "Deadline", trust: Trust) -> Stream:
        server = self.tls.server()
        return secure(connect(server.host, server.port, deadline, context.environ), server.host, trust)

    def _anchor(self, context: "Context", deadline: "Deadline") -> str:
        """The certificate itself, so that all but who signed it is verified."""
        import ssl

        with self._secured(context, deadline, replace(self.tls.trust(context), verify=False)) as stream:
            assert isinstance(stream.connection, ssl.SSLSocket)
            return ssl.DER_cert_to_PEM_cert(stream.connection.getpeercert(binary_form=True) or b"")

    def _judged(self, connection: Any) -> "Outcome":
        import ssl

        where = self.target()
        version = str(connection.version()).removeprefix("TLSv")
        if version < self.tls.min_version:
            raise Failure("tls", f"{where} speaks TLS {version}, expected at least {self.tls.min_version}")
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
