"""`smtp`: a mail server that greets, and says what it can do."""

from typing import ClassVar

from pydantic import Field

from orchestrator.plugins import (
    Asking,
    Context,
    Deadline,
    Failure,
    HostPort,
    Outcome,
    Stream,
    Templated,
    connect,
    ok,
)


class Smtp(Asking):
    """Waits until a mail server greets and answers EHLO. Nothing is sent to anybody."""

    example: ClassVar = {"name": "mail", "smtp": "mail:587", "starttls": True}

    smtp: HostPort = Field(
        description="The host and the port.", examples=["mail:25", {"host": "mail", "port": 587}]
    )
    starttls: Templated[bool] = Field(False, description="Whether it must offer STARTTLS.")

    def ask(self, context: Context, deadline: Deadline) -> Outcome:
        server = self.smtp.server()
        with connect(server.host, server.port, deadline, context.environ) as stream:
            _answer(stream, 220)
            stream.send(b"EHLO orchestrator\r\n")
            offers = {line.partition(" ")[0].upper() for line in _answer(stream, 250)}
            stream.send(b"QUIT\r\n")
        if self.starttls and "STARTTLS" not in offers:
            raise Failure(
                "unexpected", f"{server.where} offers no STARTTLS", "is it the port for submission (587)?"
            )
        return ok(f"{server.where} takes mail")


def _answer(stream: Stream, wanted: int) -> list[str]:
    """The lines of one answer, without their number."""
    lines = []
    while True:
        line = stream.line().decode("utf-8", "replace")
        code, more, text = line[:3], line[3:4], line[4:]
        if not code.isdecimal():
            raise Failure("protocol", f"{stream.where} does not answer as a mail server does: {line[:40]!a}")
        if int(code) != wanted:
            raise Failure(
                "refused" if code.startswith("4") else "unexpected",
                f"{stream.where} says {line[:80]}, expected {wanted}",
            )
        lines.append(text)
        if more != "-":
            return lines


KIND = Smtp
