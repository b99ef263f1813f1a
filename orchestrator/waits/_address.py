"""Addresses as a spec writes them: a URL or its parts. No text made here holds a secret."""

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar, Self, TypeVar

from pydantic import Field, model_validator

from orchestrator.diagnostics.patterns import pattern
from orchestrator.spec.errors import problem
from orchestrator.spec.model import Model
from orchestrator.spec.templated import Templated, pending
from orchestrator.spec.types import Port
from orchestrator.waits._failure import Deadline, Failure
from orchestrator.waits._stream import shown

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
_URL = pattern(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?#]*)(?P<path>[^?#]*)(?:\?(?P<query>[^#]*))?"
)
_HOST_PORT = pattern(
    r"(?:tcp://)?(?:\[(?P<six>[0-9A-Fa-f:.%a-z]+)\]|(?P<host>[^\s:/\[\]]+)):(?P<port>[0-9]{1,5})\Z"
)
_PATHS = frozenset({"unix", "redis+socket", "redis+unix"})
_ESCAPES = "in a password write %2F, %3F, %23, %40 for `/`, `?`, `#`, `@`; or write it apart, as `password`"
WRITABLE = {"writable": "write it under `expect`: `expect: {writable: true}`"}
"""Where the key of an address has moved to."""
_BLANKS = pattern(r"[\s\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Server:
    """A decoded address."""

    host: str
    port: int
    scheme: str = ""
    user: str = ""
    password: str = field(default="", repr=False)
    path: str = ""
    """As written in the URL, with its slash."""
    query: dict[str, str] = field(default_factory=dict, repr=False)

    @property
    def where(self) -> str:
        return shown(self.host, self.port)


def references(written: object) -> str:
    """The `${…}` of a text without the text around them, which may hold a password."""
    return " ".join(f"${{{name}}}" for name in re.findall(r"\$\{([A-Za-z_][A-Za-z0-9_]*)", str(written)))


def parse_url(url: str, schemes: tuple[str, ...], default_port: int) -> Server:
    """The one server of a URL. Messages never show the URL: most hold a password."""
    first, *others = parse_urls(url, schemes, default_port)
    if others:
        raise problem("ORC117", "the URL names several hosts", "write a wait for each of them")
    return first


def parse_urls(url: str, schemes: tuple[str, ...], default_port: int) -> list[Server]:
    """The servers of a URL with hosts separated by commas."""
    from urllib.parse import unquote

    found = _URL.match(url)
    example = f"for example {schemes[0]}://host"
    if found is None or found.end() != len(url.partition("#")[0]):
        raise problem("ORC117", "expected a URL", _url_hint(url, schemes) or example)
    scheme = found["scheme"].lower()
    if scheme.partition("+")[0] not in schemes:
        raise problem("ORC117", f"expected a URL with {_listed(schemes)}, got `{scheme}://`", example)
    if _BLANKS.search(url):
        raise problem("ORC117", "the URL has blanks or control characters", "write %20 for a blank")
    if _is_cut_in_two(found, url):
        # What stands before the `@` is a piece of a password: it must neither be asked nor shown.
        of_path = "; behind a user, in a path as well" if scheme in ("http", "https") else ""
        raise problem("ORC117", "the URL has an `@` behind its host", _ESCAPES + of_path)
    if "%00" in url:
        raise problem("ORC117", "the URL has a NUL character (%00)", "no server accepts one")
    userinfo, _, hosts = found["authority"].rpartition("@")
    user, _, password = userinfo.partition(":")
    query = _query(found["query"] or "")
    servers = []
    for each in hosts.split(","):
        host, port = split_port(each, default_port)
        if _BLANKS.search(unquote(host)):
            raise problem("ORC117", "the URL's host has blanks or control characters", example)
        servers.append(
            Server(unquote(host), port, scheme, unquote(user), unquote(password), found["path"], query)
        )
    return servers


def _query(text: str) -> dict[str, str]:
    """The options of a URL; the values of one that is repeated are joined by commas."""
    from urllib.parse import parse_qsl

    query: dict[str, str] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        query[name] = f"{query[name]},{value}" if name in query else value
    return query


def _is_cut_in_two(found: re.Match[str], url: str) -> bool:
    """Whether an unescaped `@` of a password ended the host too early.

    A path of HTTP may have an `@`: there it counts only behind a user.
    """
    if found["scheme"].lower() in ("http", "https"):
        return "@" in found["authority"] and "@" in found["path"]
    return "@" in url[found.end("authority") :]


_BARE = pattern(r"[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*:[0-9]{1,5}(?:/[A-Za-z0-9._/-]*)?\Z")


def _url_hint(text: str, schemes: tuple[str, ...]) -> str:
    """What to write for `db:80`, which holds no secret."""
    return f"write {schemes[0]}://{text}" if _BARE.match(text) else ""


def _listed(schemes: tuple[str, ...]) -> str:
    return " or ".join(f"`{each}://`" for each in schemes)


def split_port(hostport: str, default_port: int) -> tuple[str, int]:
    if hostport.startswith("["):
        host, _, rest = hostport[1:].partition("]")
        port = rest.removeprefix(":")
    else:
        host, _, port = hostport.partition(":")
    if port and not (port.isdecimal() and port.isascii() and 0 < int(port[:6]) < 65536):
        raise problem("ORC117", "the URL's port is not a number from 1 to 65535", _ESCAPES)
    return host, int(port or default_port)


class HostPort(Model):
    """A host and a port: `db:5432`, or its parts."""

    noun = "address"
    shorthand = "address"

    address: Templated[str] | None = Field(
        None, description="Both in one text.", examples=["db:5432", "[::1]:5432"]
    )
    host: Templated[str] | None = Field(None, description="A name or an address.", examples=["db"])
    port: Templated[Port] | None = Field(None, description="The port.", examples=[5432])

    @model_validator(mode="after")
    def _complete(self) -> Self:
        self.check_parts()
        return self

    def check_parts(self) -> None:
        """Raises unless it is one text, or a host and a port, and names a server."""
        if self.address is None and (self.host is None or self.port is None):
            raise problem("ORC101", "an address needs a host and a port", "for example `db:5432`")
        if self.address is not None and (self.host is not None or self.port is not None):
            raise problem("ORC113", "an address is one text or its parts, not both", "")
        if not any(pending(each) for each in (self.address, self.host, self.port)):
            self.server()

    def server(self) -> Server:
        if self.address is None:
            assert self.host is not None
            assert self.port is not None
            return Server(host_name(self.host), self.port)
        found = _HOST_PORT.match(self.address)
        port = int(found["port"]) if found else 0
        if found is None or not 0 < port < 65536:
            raise problem(
                "ORC117", f"expected host:port, got `{self.address}`", _host_port_hint(self.address)
            )
        return Server(found["six"] or found["host"], port)

    def shown(self) -> str:
        written = (self.address, self.host, self.port)
        if any(pending(each) for each in written):
            return references(" ".join(str(each) for each in written))
        return self.server().where


def _host_port_hint(text: str) -> str:
    inner = text.partition("://")[2].partition("/")[0] if "://" in text else text.partition("/")[0]
    if inner != text and _HOST_PORT.match(inner):
        return f"write `{inner}`: a connection is all that is made"
    if _HOST_PORT.match(text):
        return "a port is 1 to 65535"
    return "for example `db:5432` or `[::1]:5432`"


def host_name(host: str) -> str:
    if not host or _BLANKS.search(host) or "/" in host or (":" in host and host.count(":") == 1):
        raise problem("ORC117", f"`{host}` cannot be a host", "a name or an address, without a port")
    return host.removeprefix("[").removesuffix("]")


class Url(Model):
    """A URL, or its parts."""

    noun = "address"
    shorthand = "url"
    schemes: ClassVar[tuple[str, ...]] = ()
    default_port: ClassVar[int] = 0
    several: ClassVar[bool] = False
    """Whether a URL may name several hosts."""
    parts: ClassVar[tuple[str, ...]] = ("host", "port", "user", "password")
    """The fields that make an address without a URL."""

    url: Templated[str] | None = Field(
        None, description="The URL. A password in it is never shown.", repr=False
    )
    host: Templated[str] | None = Field(None, description="A name or an address.")
    port: Templated[Port] | None = Field(None, description="The port.")
    user: Templated[str] | None = Field(None, description="The user, as it is: nothing needs escaping.")
    password: Templated[str] | None = Field(
        None, description="The password, as it is. Never shown.", repr=False
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        given = [each for each in self.parts if getattr(self, each) is not None]
        if self.url is not None and given:
            raise problem(
                "ORC113", f"`url` and `{given[0]}` are both given", "an address is a URL or its parts"
            )
        if self.url is None and not self.complete():
            raise problem(
                "ORC101", "an address needs `url` or `host`", f"for example `{self.schemes[0]}://host`"
            )
        if not self.pending:
            for each in self.servers():
                if "\0" in each.user + each.password:
                    raise problem("ORC117", "a user or password has a NUL character", "no server accepts one")
        return self

    def complete(self) -> bool:
        """Whether the parts are enough without a URL."""
        return self.host is not None

    @property
    def pending(self) -> bool:
        return any(pending(getattr(self, each)) for each in ("url", *self.parts))

    def servers(self) -> list[Server]:
        """All servers that it names, of which any will do."""
        if self.url is None:
            host = self.host or ""
            host = host if not host or host.startswith("/") else host_name(host)
            return [Server(host, self.port or self.default_port, "", self.user or "", self.password or "")]
        found = (parse_urls if self.several else lambda *given: [parse_url(*given)])(
            self.url, self.schemes, self.default_port
        )
        return [
            each if each.host or each.scheme in _PATHS else replace(each, host="localhost") for each in found
        ]

    def server(self) -> Server:
        return self.servers()[0]

    def shown(self) -> str:
        """Without secrets: `db:5432`."""
        if self.pending:
            return references(" ".join(str(getattr(self, each)) for each in ("url", "host", "port")))
        return ",".join(each.where for each in self.servers())


def any_of(servers: list[Server], deadline: Deadline, ask: "Callable[[Server, Deadline], T]") -> T:
    """The first good answer. Each server gets its share of the time; the failure names them all."""
    failures: list[Failure] = []
    for index, server in enumerate(servers):
        left = len(servers) - index
        try:
            return ask(server, deadline if left == 1 else Deadline(deadline.left / left))
        except Failure as failure:
            failures.append(failure)
    worst = min(failures, key=lambda each: each.final)  # one that may still answer keeps the wait going
    if len(failures) > 1:
        worst.summary = "no host will do: " + "; ".join(each.summary for each in failures)
    raise worst
