"""Secrets written in a spec: sure ones are errors, likely ones warnings. Never shows one. Pure."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from orchestrator.diagnostics.excerpt import URL_PASSWORD
from orchestrator.document.plain import Template

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.diagnostics import Findings
    from orchestrator.document.node import Node
    from orchestrator.spec.locations import Locations
    from orchestrator.spec.spec import Spec

    Path = tuple[str | int, ...]

_KEY = re.compile(
    r"(?:^|_)(?:PASSWORD|PASSWD|TOKEN|SECRET|SECRET_KEY|API_?KEY|PRIVATE_KEY|ACCESS_KEY)$", re.IGNORECASE
)
_PLACEHOLDERS = frozenset({
    "changeme", "change-me", "change_me", "changeit", "secret", "password", "passwd", "pass", "example", "todo", "fixme", "xxx",
    "xxxx", "test", "dummy", "insecure", "default", "none", "null",
})  # fmt: skip
MOST_TEXTS_OF_WORDS = 3.0
"""Bits a character below which a text is taken for a word and not for a key."""


def check(spec: Spec, places: Locations, findings: Findings) -> None:
    said: set[Path] = set()
    for name, contract in spec.variables.items():
        if contract.secret or _KEY.search(name):
            said.update(_default(name, contract, places, findings))
    for path, node in _texts(places.tree, ()):
        if path not in said and path[:2] not in said:
            _text(path, node, places, findings)


def _default(name: str, contract: Any, places: Locations, findings: Findings) -> Iterator[Path]:
    """The default of a variable that is secret, or has the name of one."""
    node = places.node(("variables", name)).get("default")
    given = [each for each in contract.default_values() if each not in ("", None)]
    values = [each for each in given if not isinstance(each, tuple) and not _is_open_address(str(each))]
    if node is None or not values or any(_filled_in(each) for each in [*values, node.value]):
        return
    placeholder = all(_is_placeholder(str(each)) for each in values)
    if not contract.secret and (placeholder or not any(_looks_random(str(each)) for each in values)):
        return
    path = ("variables", name, "default")
    yield path
    if placeholder:
        message = f"a placeholder is the default of the secret `{name}`: a service that starts with it is open to all"
    else:
        message = f"the default of `{name}` is a secret in plain text"
    hint = "take the default out and add `required: true`; the value comes from the environment, or with `from_file: true` from a file"
    places.add(findings, "ORC123", message, path, item=f"variable:{name}", hint=hint,
               severity="" if contract.secret else "warning")  # fmt: skip


def _is_open_address(text: str) -> bool:
    """A URL without user and password holds no secret."""
    return "://" in text and "@" not in text


def _texts(node: Node, path: Path) -> Iterator[tuple[Path, Node]]:
    """Texts that may hold a secret: those with a password in a URL, and those under a key that is named like one."""
    value = node.value
    if isinstance(value, dict):
        for key, child in value.items():
            inner = child.value
            if inner.__class__ is str:
                if ("@" in inner and "://" in inner) or (
                    len(path) > 1 and path[-1] in ("environment", "set") and _KEY.search(key)
                ):
                    yield (*path, key), child
            elif inner.__class__ is dict or inner.__class__ is list:
                yield from _texts(child, (*path, key))
    elif isinstance(value, list):
        for at, child in enumerate(value):
            inner = child.value
            if inner.__class__ is str:
                if "@" in inner and "://" in inner:
                    yield (*path, at), child
            elif inner.__class__ is dict or inner.__class__ is list:
                yield from _texts(child, (*path, at))


def _text(path: Path, node: Node, places: Locations, findings: Findings) -> None:
    text = str(node.value)
    found = URL_PASSWORD.search(text)
    if found is not None:
        password = found["password"]
        if _filled_in(password):
            return
        weak = _is_placeholder(password) or f"//{password}:" in text
        what = (
            "a placeholder stands as password in this URL"
            if weak
            else "a password stands in this URL in plain text"
        )
        findings_hint = (
            "put the URL into a `secret: true` variable, or fill the password in: `${DB_PASSWORD}`"
        )
        places.add(
            findings,
            "ORC123",
            what,
            path,
            hint=findings_hint,
            severity="warning" if weak else "",
            written=True,
        )
    elif path[-2:-1] in (("environment",), ("set",)) and _KEY.search(str(path[-1])) and not _filled_in(text):
        if _is_placeholder(text):
            places.add(findings, "ORC123", f"a placeholder is given for `{path[-1]}`", path, severity="warning",
                       hint=f'hand over a `secret: true` variable: "${{{path[-1]}}}"', written=True)  # fmt: skip
        elif _looks_random(text):
            places.add(findings, "ORC123", f"`{path[-1]}` looks like a secret in plain text", path, severity="warning",
                       hint=f'hand over a `secret: true` variable: "${{{path[-1]}}}"', written=True)  # fmt: skip


def _filled_in(value: object) -> bool:
    return isinstance(value, Template) or (isinstance(value, str) and "${" in value)


def _is_placeholder(text: str) -> bool:
    plain = text.strip("<>*{} ").casefold()
    return (
        plain in _PLACEHOLDERS
        or plain.startswith(("changeme", "change-me", "change_me", "your-", "your_", "replace"))
        or not plain
    )


def _looks_random(text: str) -> bool:
    """Whether a text has the entropy of a key rather than that of a word, a path or a file's name."""
    if len(text) < 8 or text.startswith(("/", "./")) or " " in text or text.isalpha():
        return False
    counts = [text.count(each) for each in set(text)]
    bits = -sum(each / len(text) * math.log2(each / len(text)) for each in counts)
    return bits > MOST_TEXTS_OF_WORDS or (len(text) >= 16 and any(each.isdigit() for each in text))
