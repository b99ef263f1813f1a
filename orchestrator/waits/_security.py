"""How a spec asks for TLS: the fields of an address, and the words of the drivers in a URL's query."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import Field, model_validator

from orchestrator.spec.errors import problem
from orchestrator.spec.model import Model
from orchestrator.spec.templated import Templated
from orchestrator.spec.types import PathText
from orchestrator.waits._address import Url
from orchestrator.waits._tls import Trust

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.core.context import Context

_NAMES = {
    "mode": ("sslmode", "ssl", "tls", "usessl", "requiressl"),
    "ca": ("sslrootcert", "sslca", "sslcacerts", "cafile", "cacertfile", "sslcafile", "tlscafile"),
    "certificate": ("sslcert", "sslcertfile", "certfile", "tlscertfile"),
    "key": ("sslkey", "sslkeyfile", "keyfile", "tlskeyfile"),
    "verify": ("sslcertreqs", "sslverifycert", "verify", "verifyservercertificate"),
    "check_name": ("sslcheckhostname", "sslverifyidentity"),
    "server_name": ("servernameindication",),
}
"""What the drivers call it, in lower case without `-` and `_`."""
_MEANING = {name: field for field, names in _NAMES.items() for name in names}
_SECURITY = re.compile(
    r"ssl|tls|verif|cert|crl|gssenc|krb|keystore|^ca(?:file|path|data)|^key|channelbinding|^require|^authmech"
)
_HARMLESS = {
    ("sslcompression", "0"), ("sslcompression", "1"), ("sslsni", "0"), ("sslsni", "1"), ("requiressl", "0"), ("gssencmode", "disable"),
    ("gssencmode", "prefer"), ("channelbinding", "disable"), ("channelbinding", "prefer"), ("ssldisabled", "false"), ("ssldisabled", "0"),
    ("sslnegotiation", "postgres"), ("failifnopeercert", "true"), ("failifnopeercert", "false"), ("authmechanism", "plain"),
}  # fmt: skip
_YES = frozenset({"true", "1", "yes", "on", "required", "certrequired", "optional", "certoptional", "verifypeer"})  # fmt: skip
_NO = frozenset({"false", "0", "no", "off", "none", "certnone", "verifynone"})
_MODES = {
    "disable": "disable", "disabled": "disable", "allow": "allow", "prefer": "prefer", "preferred": "prefer",
    "require": "require", "required": "require", "trust": "require", "skipverify": "require", "verifyca": "verify-ca",
    "verifyfull": "verify-full", "verifyidentity": "verify-full",
} | dict.fromkeys(_YES - {"required"}, "require") | dict.fromkeys(_NO, "disable")  # fmt: skip
_VERIFIES = {
    "": (True, True), "disable": (False, False), "allow": (False, False), "prefer": (False, False), "require": (False, False),
    "verify-ca": (True, False), "verify-full": (True, True),
}  # fmt: skip
"""Whether the certificate is verified, and whether for the host's name."""


def _plain(text: str) -> str:
    return text.lower().replace("-", "").replace("_", "")


@dataclass(frozen=True, slots=True)
class TlsOptions:
    """What the query of a URL says about TLS. An option that carries security and is not known here is an error."""

    mode: str = ""
    """One of PostgreSQL's words; empty if the URL does not say."""
    ca: str = ""
    certificate: str = ""
    key: str = ""
    server_name: str = ""
    verify: bool | None = None
    check_name: bool | None = None

    @classmethod
    def of(cls, query: "Mapping[str, str]") -> Self:
        found: dict[str, str | bool] = {}
        for name, value in query.items():
            field = _MEANING.get(_plain(name))
            if (_plain(name), value.lower()) in _HARMLESS:
                continue
            if field is not None:
                found[field] = _meant(field, name, value)
            elif _SECURITY.search(_plain(name)):
                raise problem(
                    "ORC117", f"the URL's option `{name}` is not supported",
                    "take it out of this URL, or use the driver itself in a wait with `python` or `command`",
                )  # fmt: skip
        return cls(**found)  # type: ignore[arg-type]  # each field has its own type

    def applied(self, own: Trust, context: "Context") -> Trust:
        """The trust that fields and URL ask for together; `ca=system` means the system's authorities."""
        ca = "" if self.ca == "system" else self.ca
        ca, certificate, key = (
            context.path(each) if each else "" for each in (ca, self.certificate, self.key)
        )
        verify, check_name = _VERIFIES[self.mode]
        verify = verify or (self.mode == "require" and bool(ca or own.ca))
        return Trust(
            self.server_name or own.name,
            own.verify and (verify if self.verify is None else self.verify),
            ca or own.ca,
            certificate or own.certificate,
            key or own.key,
            check_name=check_name if self.check_name is None else self.check_name,
        )


def _meant(field: str, name: str, value: str) -> str | bool:
    word = _plain(value)
    if field == "mode" and _plain(name) == "tls" and word in _YES:
        return "verify-full"
    if field == "mode" and word in _MODES:
        return _MODES[word]
    if field in ("verify", "check_name") and word in _YES | _NO:
        return word in _YES
    if field in ("mode", "verify", "check_name"):
        known = "disable, prefer, require, verify-ca, verify-full" if field == "mode" else "true or false"
        raise problem("ORC117", f"the value of the URL's option `{name}` is not known", known)
    return value


class Tls(Model):
    """How the other side of a TLS connection is verified."""

    removed_keys: ClassVar = {
        "min_tls": "take it out: nothing older than TLS 1.2 is spoken, and the server decides whether 1.2 is enough"
    }

    verify: Templated[bool] = Field(
        True, description="Whether the certificate must be valid, trusted, and for the host that is asked."
    )
    ca: Templated[PathText] | None = Field(
        None, description="A file with the authorities that are trusted instead of the system's."
    )
    certificate: Templated[PathText] | None = Field(
        None, description="A file with the certificate that is shown to the server."
    )
    key: Templated[PathText] | None = Field(
        None, description="The certificate's private key, where it is not in the same file."
    )
    server_name: Templated[str] | None = Field(
        None,
        description="Whom the certificate must be for, if not the host that is asked; it is what is asked for (SNI).",
    )

    def trust(self, context: "Context") -> Trust:
        ca, certificate, key = (
            context.path(each) if each else "" for each in (self.ca, self.certificate, self.key)
        )
        return Trust(self.server_name or "", self.verify, ca, certificate, key)


class SecuredUrl(Url, Tls):
    """A URL or its parts, with TLS if the scheme, the URL's query or `tls` asks for it."""

    secure_schemes: ClassVar[tuple[str, ...]] = ()
    optional_tls: ClassVar[bool] = False
    """Whether the protocol lets both sides agree on TLS, so that `prefer` means something."""
    removed_keys: ClassVar = Tls.removed_keys

    tls: Templated[bool] = Field(False, description="Whether TLS is used where the URL does not say so.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.pending:
            return self
        mode, secured = self.options().mode, self.secured_by_scheme or self.tls is True
        if mode == "disable" and secured:
            raise problem(
                "ORC117",
                "the URL's options switch TLS off, and something else asks for it",
                "keep one of them",
            )
        if mode in ("prefer", "allow") and not self.optional_tls:
            raise problem(
                "ORC117", f"the URL's option for TLS cannot be `{mode}` here", "TLS is either used or not"
            )
        return self

    @property
    def secured_by_scheme(self) -> bool:
        return self.url is not None and self.servers()[0].scheme in self.secure_schemes

    def options(self) -> TlsOptions:
        return TlsOptions.of(self.servers()[0].query)

    def security(self, context: "Context") -> Trust | None:
        """How TLS is verified; None without TLS. `prefer` is for the caller to look at."""
        options = self.options()
        if options.mode == "disable" or not (self.tls or self.secured_by_scheme or options != TlsOptions()):
            return None
        return options.applied(self.trust(context), context)
