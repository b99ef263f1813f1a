"""An HTTP request as a spec writes it: address, credentials, content."""

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from orchestrator.spec.errors import problem
from orchestrator.spec.model import Model, exactly_one
from orchestrator.spec.templated import AnyTemplated, Templated, pending
from orchestrator.spec.types import PathText
from orchestrator.system.reading import open_for
from orchestrator.waits import _http
from orchestrator.waits._address import parse_url, references
from orchestrator.waits._failure import Failure
from orchestrator.waits._security import Tls

if TYPE_CHECKING:
    from orchestrator.core.context import Context
    from orchestrator.waits._address import Server

_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz")


def _headers(value: dict[str, str]) -> dict[str, str]:
    for name, content in value.items():
        if not name or not set(name.lower()) <= _TOKEN:
            raise problem("ORC109", f"`{name}` cannot be the name of a header", "for example `Accept`")
        if not pending(content) and any(each in content for each in "\r\n\0"):
            raise problem("ORC103", f"the header `{name}` has a line end in it", "a header is one line")
    return value


def _from_file(path: str, context: "Context") -> str:
    """The content of a file without one line end; raises Failure."""
    try:
        with open(open_for(context.path(path), context.user), encoding="utf-8") as file:
            return file.read().removesuffix("\n")
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise Failure("auth", f"cannot read {path}: {why.lower()}", f"ls -l {path}") from None


class Basic(Model):
    """A user and a password."""

    user: Templated[str] = Field(description="The user.")
    password: Templated[str] | None = Field(None, description="The password. Never shown.", repr=False)
    password_file: Templated[PathText] | None = Field(None, description="The file that holds the password.")

    @model_validator(mode="after")
    def _one(self) -> Self:
        exactly_one(self, "`basic`", "password", "password_file")
        return self


class Bearer(Model):
    """A token."""

    shorthand = "token"

    token: Templated[str] | None = Field(None, description="The token. Never shown.", repr=False)
    token_file: Templated[PathText] | None = Field(
        None, description="The file that holds the token.", examples=["/run/secrets/token"]
    )

    @model_validator(mode="after")
    def _one(self) -> Self:
        exactly_one(self, "`bearer`", "token", "token_file")
        return self


class Auth(Model):
    """The credentials of a request."""

    noun = "authentication"
    alternatives = (("basic",), ("bearer",))

    basic: Basic | None = Field(None, description="A user and a password.")
    bearer: Bearer | None = Field(None, description="A token.", examples=["${API_TOKEN}"])

    @model_validator(mode="after")
    def _one(self) -> Self:
        exactly_one(self, "`auth`", "basic", "bearer")
        return self

    def header(self, context: "Context") -> str:
        """The value of `Authorization`; raises Failure where a file cannot be read."""
        if self.basic is not None:
            file = self.basic.password_file
            return _http.basic(
                self.basic.user, _from_file(file, context) if file else self.basic.password or ""
            )
        assert self.bearer is not None
        file = self.bearer.token_file
        return f"Bearer {_from_file(file, context) if file else self.bearer.token}"


class Request(Tls):
    """An address, and the request that is sent to it."""

    noun = "request"
    shorthand = "url"
    removed_keys: ClassVar = Tls.removed_keys | {
        "follow_redirects": "write the `url` that the redirects lead to: none is followed",
        "proxy": 'a wait of its own asks through it: `command: [curl, -sf, --proxy, "http://proxy:3128", URL]`',
    }

    url: Templated[str] = Field(
        description="The address, http or https; `user:password@` before the host is basic authentication.",
        repr=False,
    )
    method: Templated[Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]] = Field(
        "GET", description="The method; POST where something is sent and no method is given."
    )
    headers: Annotated[dict[str, Templated[str]], AfterValidator(_headers)] | None = Field(
        None, description="Headers that are sent. Their values are never shown.", repr=False
    )
    auth: Auth | None = Field(
        None, description="Credentials.", examples=[{"bearer": {"token_file": "/run/secrets/token"}}]
    )
    body: Templated[str] | None = Field(None, description="A text that is sent. Never shown.", repr=False)
    json_: AnyTemplated = Field(
        None,
        description="Data that is sent as JSON. Never shown.",
        alias="json",
        repr=False,
        examples=[{"query": "{ok}"}],
    )
    unix: Templated[PathText] | None = Field(
        None, description="The path of a unix socket to connect to instead of the host."
    )

    @model_validator(mode="after")
    def _readable(self) -> Self:
        if not pending(self.url):
            self.server()
        if self.body is not None and "json_" in self.model_fields_set:
            raise problem("ORC113", "`body` and `json` exclude each other", "keep one of them", "json")
        return self

    def server(self) -> "Server":
        server = parse_url(self.url, ("http", "https"), 0)
        if not server.host:
            raise problem("ORC117", "the URL has no host", "for example http://host:8000/health")
        return server

    def shown(self) -> str:
        if pending(self.url):
            return references(self.url)
        server = self.server()
        name = _http.authority(server.host, server.port or _port(server), tls=server.scheme == "https")
        return f"{server.scheme}://{name}{server.path}"

    def ready(self, context: "Context") -> _http.Request:
        """The request to send; raises Failure where a file with a secret cannot be read."""
        server = self.server()
        content, kind = self._content()
        query = self.url.partition("#")[0].partition("?")[2]
        return _http.Request(
            server.host,
            server.port or _port(server),
            server.scheme == "https",
            _http.encoded((server.path or "/") + (f"?{query}" if query else "")),
            self.method if content is None or "method" in self.model_fields_set else "POST",
            self._all_headers(server, kind, context),
            unix=context.path(self.unix) if self.unix else "",
            trust=self.trust(context),
            body=content,
        )

    def _all_headers(self, server: "Server", kind: str, context: "Context") -> dict[str, str]:
        headers = dict(self.headers or {})
        given = {name.lower() for name in headers}
        if kind and "content-type" not in given:
            headers["Content-Type"] = kind
        if "authorization" not in given:
            if self.auth is not None:
                headers["Authorization"] = self.auth.header(context)
            elif server.user:
                headers["Authorization"] = _http.basic(server.user, server.password)
        return headers

    def _content(self) -> tuple[bytes | None, str]:
        """The body and its content type."""
        if "json_" in self.model_fields_set:
            import json

            return json.dumps(self.json_).encode(), "application/json"
        return (self.body.encode("utf-8", "surrogateescape"), "") if self.body is not None else (None, "")


def _port(server: "Server") -> int:
    return 443 if server.scheme == "https" else 80
