"""A certificate of our own, made with the standard library alone: right, for somebody else, or over. Knows no kind.

Elliptic curve P-256 (SEC 1, RFC 5480) and X.509 (RFC 5280), as far as one certificate that signs itself needs them.
It is a stage prop: it is trusted in a private place for some seconds, so nothing here is made for secrecy.
"""

from __future__ import annotations

import hashlib
import ipaddress
import secrets
import time
from binascii import b2a_base64

_P = 2**256 - 2**224 + 2**192 + 2**96 - 1
_N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_BASE = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
_DAY = 86400
_Point = tuple[int, int] | None


def made(name: str, *, expired: bool = False) -> str:
    """The key and the certificate (PEM, one after the other) of a server with this name or address."""
    key = secrets.randbelow(_N - 1) + 1
    now = int(time.time())
    begins, ends = (now - 30 * _DAY, now - _DAY) if expired else (now - _DAY, now + 4000 * _DAY)
    return _pem("EC PRIVATE KEY", _private(key)) + _pem("CERTIFICATE", _certificate(key, name, begins, ends))


# The curve


def _times(count: int, point: _Point) -> _Point:
    result: _Point = None
    while count:
        if count & 1:
            result = _sum(result, point)
        point = _sum(point, point)
        count >>= 1
    return result


def _sum(one: _Point, other: _Point) -> _Point:
    if one is None or other is None:
        return other if one is None else one
    if one[0] == other[0] and (one[1] + other[1]) % _P == 0:
        return None
    if one == other:
        slope = 3 * (one[0] ** 2 - 1) * pow(2 * one[1], -1, _P) % _P
    else:
        slope = (other[1] - one[1]) * pow(other[0] - one[0], -1, _P) % _P
    x = (slope**2 - one[0] - other[0]) % _P
    return x, (slope * (one[0] - x) - one[1]) % _P


def _public(key: int) -> bytes:
    point = _times(key, _BASE)
    assert point is not None
    return b"\x04" + point[0].to_bytes(32, "big") + point[1].to_bytes(32, "big")


def _signature(key: int, data: bytes) -> bytes:
    said = int.from_bytes(hashlib.sha256(data).digest(), "big")
    while True:
        once = secrets.randbelow(_N - 1) + 1
        point = _times(once, _BASE)
        assert point is not None
        first = point[0] % _N
        second = pow(once, -1, _N) * (said + first * key) % _N
        if first and second:
            return _sequence(_integer(first), _integer(second))


# What it is written in: DER


def _tagged(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def _sequence(*parts: bytes) -> bytes:
    return _tagged(0x30, b"".join(parts))


def _integer(value: int) -> bytes:
    return _tagged(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def _bits(content: bytes, unused: int = 0) -> bytes:
    return _tagged(0x03, bytes([unused]) + content)


def _oid(dotted: str) -> bytes:
    first, second, *rest = (int(each) for each in dotted.split("."))
    return _tagged(0x06, bytes([40 * first + second]) + b"".join(_base_128(each) for each in rest))


def _base_128(value: int) -> bytes:
    groups = [value & 0x7F]
    while value := value >> 7:
        groups.append(0x80 | value & 0x7F)
    return bytes(reversed(groups))


_CURVE, _SIGNED = _oid("1.2.840.10045.3.1.7"), _sequence(_oid("1.2.840.10045.4.3.2"))


def _pem(label: str, content: bytes) -> str:
    text = b2a_base64(content, newline=False).decode()
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""])


def _private(key: int) -> bytes:
    return _sequence(
        _integer(1),
        _tagged(0x04, key.to_bytes(32, "big")),
        _tagged(0xA0, _CURVE),
        _tagged(0xA1, _bits(_public(key))),
    )


def _certificate(key: int, name: str, begins: int, ends: int) -> bytes:
    who = _sequence(_tagged(0x31, _sequence(_oid("2.5.4.3"), _tagged(0x0C, b"orchestrator rehearsal"))))
    shown = _sequence(_sequence(_oid("1.2.840.10045.2.1"), _CURVE), _bits(_public(key)))
    validity = _sequence(*(_tagged(0x18, time.strftime("%Y%m%d%H%M%SZ", time.gmtime(at)).encode()) for at in (begins, ends)))  # fmt: skip
    number = _integer(secrets.randbits(120) + 1)
    body = _sequence(
        _tagged(0xA0, _integer(2)), number, _SIGNED, who, validity, who, shown, _tagged(0xA3, _extensions(key, name)),
    )  # fmt: skip
    return _sequence(body, _SIGNED, _bits(_signature(key, body)))


def _extensions(key: int, name: str) -> bytes:
    """That it signs itself, for what it may be used, whose key it is, and whom it is for."""
    true = _tagged(0x01, b"\xff")
    identity = _tagged(0x04, hashlib.sha256(_public(key)).digest()[:20])
    return _sequence(
        _sequence(_oid("2.5.29.19"), true, _tagged(0x04, _sequence(true))),
        _sequence(_oid("2.5.29.15"), true, _tagged(0x04, _bits(b"\x84", 2))),
        _sequence(_oid("2.5.29.14"), _tagged(0x04, identity)),
        _sequence(_oid("2.5.29.17"), _tagged(0x04, _sequence(_name(name)))),
    )


def _name(name: str) -> bytes:
    try:
        return _tagged(0x87, ipaddress.ip_address(name).packed)
    except ValueError:
        return _tagged(0x82, name.encode("idna"))
