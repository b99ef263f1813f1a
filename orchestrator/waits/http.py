"""`http`: an HTTP or HTTPS address that answers as expected."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from orchestrator.core.outcome import ok
from orchestrator.spec.breaking import TALKING, CannotBreak
from orchestrator.spec.expect import Expect
from orchestrator.waits import _http
from orchestrator.waits._base import Asking
from orchestrator.waits._request import Request

if TYPE_CHECKING:
    from orchestrator.core.context import Context
    from orchestrator.core.outcome import Outcome
    from orchestrator.spec.breaking import Sandbox
    from orchestrator.spec.matching import Answer
    from orchestrator.waits._failure import Deadline, Failure


class Http(Asking):
    """Waits until an HTTP address answers as expected: with a status of 200 to 299 unless `expect` says else.

    Redirects are not followed and no proxy is used.
    """

    ways = (*TALKING, "unexpected")
    example: ClassVar = {
        "name": "assistant",
        "http": "http://ollama:11434/api/version",
        "expect": {"status": 200, "json": {"version": {"matches": "^0\\."}}},
    }

    http: Request = Field(
        description="The URL, or a mapping with more.", examples=["http://ollama:11434/api/version"]
    )
    expect: Expect | None = Field(None, description="What the answer must look like.")

    def logs_in(self) -> bool:
        from orchestrator.waits._breaking import address

        if address(self) is None:
            return False
        named = any(name.lower() == "authorization" for name in self.http.headers or ())
        return named or bool(self.http.server().user or self.http.auth)

    def make_answerable(self, failure: str, sandbox: "Sandbox") -> None:
        """Without TLS: the rehearsal has no certificate that would be trusted."""
        if failure == "auth" and not self.logs_in():
            raise CannotBreak("nobody logs in there")
        if self.speaks_tls():
            server, item = self.http.server(), sandbox.item
            more = item["http"] if isinstance(item["http"], dict) else {}
            item["http"] = {
                **more,
                "url": f"http://{_http.authority(server.host, server.port or 443, tls=False)}/",
            }

    def make_healthy(self, sandbox: "Sandbox") -> None:
        from orchestrator.waits._breaking import address, place

        if address(self) is None or self.speaks_tls():
            super().make_healthy(sandbox)
        sandbox.serve(place(self.http), "healthy")

    def ask(self, context: "Context", deadline: "Deadline") -> "Outcome":
        answer = _http.fetch(self.http.ready(context), deadline, context.environ)
        return judge(self.target(), self.expect, answer)


def judge(target: str, expect: Expect | None, answer: "Answer") -> "Outcome":
    """What an answer comes to; raises Failure."""
    from orchestrator.spec.matching import unexpected

    wrong = unexpected(expect, answer)
    if wrong is None:
        return ok(f"{target} answered {answer.status}", status=answer.status)
    raise _failure(target, answer, wrong)


def _failure(target: str, answer: "Answer", wrong: str) -> "Failure":
    from orchestrator.waits._failure import Failure

    details = _http.start_of(answer.body)
    if answer.status == 401 and wrong.startswith("status"):
        return Failure(
            "auth", f"{target}: {wrong}", "it asks for other credentials", details=details, status=401
        )
    location = answer.headers.get("location", "").partition("?")[0]
    hint = (
        f"redirects are not followed; it points to {location}"
        if 300 <= answer.status < 400 and location
        else ""
    )
    return Failure("unexpected", f"{target}: {wrong}", hint, details=details, status=answer.status)


KIND = Http
