"""The types that a variable's text may have: how each is read, and how messages name it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from orchestrator.core.conditions import truth
from orchestrator.spec.types import parse_duration, parse_size

if TYPE_CHECKING:
    from collections.abc import Callable


def _boolean(text: str) -> bool:
    value = truth(text)
    if value is None:
        raise ValueError(text)
    return value


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 <= int(text) <= 65535):
        raise ValueError(text)
    return int(text)


def _url(text: str) -> str:
    """Its scheme."""
    from urllib.parse import urlsplit

    parts = urlsplit(text)
    if not parts.scheme or not (parts.netloc or parts.path):
        raise ValueError(text)
    parts.port  # noqa: B018 - raises ValueError for a port that is none
    return parts.scheme


def _path(text: str) -> str:
    if not text or "\0" in text:
        raise ValueError(text)
    return text


def _list(text: str) -> str:
    import shlex

    shlex.split(text)
    return text


def _json(text: str) -> Any:
    import json

    return json.loads(text)


def _email(text: str) -> str:
    if (
        re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", text) is None
        and re.fullmatch(r"[^@\s]+@localhost", text) is None
    ):
        raise ValueError(text)
    return text


def _integer(text: str) -> int:
    if re.fullmatch(r"[-+]?[0-9]{1,40}", text) is None:
        raise ValueError(text)
    return int(text)


def _finite(text: str) -> float:
    import math

    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


READERS: dict[str, Callable[[str], Any]] = {
    "string": str, "integer": _integer, "number": _finite, "boolean": _boolean, "port": _port, "url": _url, "path": _path,
    "duration": parse_duration, "size": parse_size, "list": _list, "json": _json, "email": _email,
}  # fmt: skip
ARTICLES = {
    "string": "a text", "integer": "an integer", "number": "a number", "boolean": "a boolean", "port": "a port", "url": "a URL",
    "path": "a path", "duration": "a duration", "size": "a size", "list": "a list", "json": "JSON", "email": "an e-mail address",
}  # fmt: skip
EXAMPLES = {
    "string": "", "integer": "digits only, for example 4", "number": "for example 0.5",
    "boolean": "true/false, yes/no, on/off, y/n, t/f or 1/0", "port": "0 to 65535, for example 8000",
    "url": "for example https://host:443/path", "path": "for example /data", "duration": "for example 30s",
    "size": "for example 200MB", "list": "quotes must be closed", "json": 'for example {"a": 1}', "email": "for example ops@example.org",
}  # fmt: skip


def has_stray_blanks(of_type: str, text: str) -> bool:
    """Whether blanks at an end are more than the type takes: our readers and others' disagree about them."""
    if of_type in ("string", "json"):
        return False
    return text != (text.rstrip("\r\n") if of_type == "list" else text.strip())
