"""`http`: an HTTP or HTTPS address that answers as expected."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from orchestrator.core.outcome import ok
from orchestrator.spec.expect import Expect
from orchestrator.waits import _http
from orchestrator.waits._base import Asking
from orchestrator.waits._request import Request

if TYPE_CHECKING:
    from orchestrator.core.context import Context
    from orchestrator.core.outcome import Outcome
    from orchestrator.spec.matching import Answer
    from orchestrator.waits._failure import Deadline, Failure


class Http(Asking):
    """Waits until an HTTP address answers as expected: with a status of 200 to 299 unless `expect` says else.

    Redirects are not followed and no proxy is used.
    """

    example: ClassVar = {
        "name": "assistant",
        "http": "http://ollama:11434/api/version",
        "expect": {"status": 200, "json": {"version": {"matches": "^0\\."}}},
    }

    http: Request = Field(
        description="The URL, or a mapping with more.", examples=["http://ollama:11434/api/version"]
    )
    expect: Expect | None = Field(None, description="What the answer must look like.")

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
