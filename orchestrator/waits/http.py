"""`http`: an HTTP or HTTPS address that answers as expected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from orchestrator.engine.outcome import ok
from orchestrator.spec.expect import Expect
from orchestrator.spec.fields import AfterValidator, model_validator
from orchestrator.spec.model import described, problem
from orchestrator.spec.types import PathText
from orchestrator.waits import _http
from orchestrator.waits._address import Tls, parse_url, pending, references
from orchestrator.waits._base import Asking

if TYPE_CHECKING:
    from orchestrator.engine.context import Context
    from orchestrator.engine.matching import Answer
    from orchestrator.engine.outcome import Outcome
    from orchestrator.waits._address import Server
    from orchestrator.waits._failure import Deadline, Failure

_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz")


def _headers(value: dict[str, str]) -> dict[str, str]:
    for name, content in value.items():
        if not name or not set(name.lower()) <= _TOKEN:
            raise problem("ORC109", f"`{name}` cannot be the name of a header", "for example `Accept`")
        if not pending(content) and any(each in content for each in "\r\n\0"):
            raise problem("ORC103", f"the header `{name}` has a line end in it", "a header is one line")
    return value


class Request(Tls):
    """An address and how it is asked."""

    noun = "request"
    shorthand = "url"

    url: str = described(
        ...,
        "The address, http or https; `user:password@` before the host is basic authentication.",
        repr=False,
    )
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] = described(
        "GET", "The method; no body is sent."
    )
    headers: Annotated[dict[str, str], AfterValidator(_headers)] | None = described(
        None, "Headers that are sent. Their values are never shown.", repr=False
    )
    unix: PathText | None = described(None, "The path of a unix socket to connect to instead of the host.")

    @model_validator(mode="after")
    def _readable(self) -> Self:
        if not pending(self.url):
            self.server()
        return self

    def server(self) -> Server:
        server = parse_url(self.url, ("http", "https"), 0)
        if not server.host:
            raise problem("ORC117", "the URL has no host", "for example http://host:8000/health")
        return server

    def shown(self) -> str:
        if pending(self.url):
            return references(self.url)
        server = self.server()
        port = server.port or _port(server)
        name = _http.authority(server.host, port, tls=server.scheme == "https")
        return f"{server.scheme}://{name}{server.path}"

    def ready(self, context: Context) -> _http.Request:
        """The request as it is sent."""
        server = self.server()
        headers = dict(self.headers or {})
        if server.user and not any(name.lower() == "authorization" for name in headers):
            headers["Authorization"] = _http.basic(server.user, server.password)
        query = self.url.partition("#")[0].partition("?")[2]
        return _http.Request(
            server.host,
            server.port or _port(server),
            server.scheme == "https",
            _http.encoded((server.path or "/") + (f"?{query}" if query else "")),
            self.method,
            headers,
            unix=context.path(self.unix) if self.unix else "",
            trust=self.trust(context),
        )


def _port(server: Server) -> int:
    return 443 if server.scheme == "https" else 80


class Http(Asking):
    """Waits until an HTTP address answers as expected: with a status of 200 to 299 unless `expect` says else.

    Redirects are not followed and no proxy is used.
    """

    example: ClassVar = {
        "name": "assistant",
        "http": "http://ollama:11434/api/version",
        "expect": {"status": 200, "json": {"version": {"matches": "^0\\."}}},
    }

    http: Request = described(
        ..., "The URL, or a mapping with more.", examples=["http://ollama:11434/api/version"]
    )
    expect: Expect | None = described(None, "What the answer must look like.")

    def ask(self, context: Context, deadline: Deadline) -> Outcome:
        schema = load_schema(self.expect, context)
        answer = _http.fetch(self.http.ready(context), deadline, context.environ)
        return judge(self.target(), self.expect, answer, schema)


def load_schema(expect: Expect | None, context: Context) -> Any:
    """What the file holds that `expect.schema` names; raises Failure."""
    if expect is None or expect.schema_ is None:
        return None
    import json

    from orchestrator.waits._failure import Failure

    try:
        with open(context.path(expect.schema_), encoding="utf-8") as file:
            return json.load(file)
    except OSError as error:
        why = error.strerror or str(error)
    except (ValueError, RecursionError) as error:
        why = str(error)
    raise Failure("unexpected", f"cannot read the schema {expect.schema_}: {why}", final=True)


def judge(target: str, expect: Expect | None, answer: Answer, schema: Any = None) -> Outcome:
    """What an answer comes to; raises Failure."""
    from orchestrator.engine.matching import unexpected

    wrong = unexpected(expect, answer, schema)
    if wrong is None:
        return ok(f"{target} answered {answer.status}", status=answer.status)
    raise _failure(target, answer, wrong)


def _failure(target: str, answer: Answer, wrong: str) -> Failure:
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
