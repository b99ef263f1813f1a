"""TLS: whom to trust, and why a handshake failed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.waits._failure import Failure

if TYPE_CHECKING:
    import ssl

CLOSED = "a proxy with nothing behind it does this, and so does a server that expects TLS"
_PLAIN_TEXT = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "UNKNOWN_PROTOCOL", "PACKET_LENGTH_TOO_LONG")
_UNTRUSTED, _EXPIRED, _TOO_EARLY, _OTHER_NAME = (18, 19, 20, 21), (10,), (9,), (62, 64)


@dataclass(frozen=True, slots=True)
class Trust:
    """How the server's certificate is verified, and which certificate is shown to the server."""

    name: str = ""
    """Whom the certificate must be for; empty: the host that is asked."""
    verify: bool = True
    ca: str = ""
    certificate: str = ""
    key: str = ""
    check_name: bool = True


def tls_context(trust: Trust) -> ssl.SSLContext:
    import ssl

    try:
        context = ssl.create_default_context(cafile=trust.ca or None)
    except OSError as error:
        raise _unusable(f"cannot read the certificates of {trust.ca}", error) from None
    if not (trust.verify and trust.check_name):
        context.check_hostname = False
    if not trust.verify:
        context.verify_mode = ssl.CERT_NONE
    if trust.certificate:
        try:
            context.load_cert_chain(trust.certificate, trust.key or None, password="")
        except OSError as error:
            raise _unusable(f"cannot use the certificate {trust.certificate}", error) from None
    return context


def _unusable(what: str, error: OSError) -> Failure:
    return Failure("tls", f"{what}: {error.strerror or error}")


def tls_failure(error: Exception, where: str, name: str = "") -> Failure:
    import ssl

    if isinstance(error, ssl.SSLCertVerificationError):
        summary = f"the certificate of {where} is not accepted: {error.verify_message}"
        return Failure("tls", summary, _certificate_hint(error.verify_code, name))
    if isinstance(error, ssl.SSLEOFError | ConnectionError):
        return Failure("tls", f"{where} closed the connection during the TLS handshake", CLOSED, final=False)
    if isinstance(error, ssl.SSLError):
        if error.reason in _PLAIN_TEXT:
            hint = "use the address without TLS, or the port with it"
            return Failure("tls", f"{where} does not speak TLS", hint)
        why = (error.reason or str(error)).lower().replace("_", " ")
        return Failure("tls", f"TLS with {where} failed: {why}")
    if isinstance(error, ValueError):
        return Failure("tls", f"TLS with {where} failed: {error}")
    return Failure("unreachable", f"cannot reach {where}: {getattr(error, 'strerror', None) or error}")


def _certificate_hint(code: int, name: str) -> str:
    if code in _UNTRUSTED:
        return "if it is your own, name the file of the authority that signed it: `ca: /path/ca.pem`"
    if code in _EXPIRED:
        return "renew the certificate"
    if code in _TOO_EARLY:
        return "it is not valid yet: compare the clocks of both machines"
    if code in _OTHER_NAME:
        return f"it is not for {name}: use a name that it is for"
    return ""
