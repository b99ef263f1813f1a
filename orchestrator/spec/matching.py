"""Compares values with the matchers of `expect`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from orchestrator.spec.expect import Expect, Matcher
from orchestrator.system import bounded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_WORDS = {"True": "true", "False": "false", "None": "null"}
SHOWN = 60
"""Characters of a found value that a message shows."""


class Answer(NamedTuple):
    """An HTTP answer, as `expect` sees it."""

    status: int
    headers: Mapping[str, str]
    """By lower-case name."""
    body: bytes
    seconds: float
    """How long it took until it was complete."""
    whole: bool = True
    """Whether the body is complete; else only its beginning was read."""


def mismatch(matcher: Any, value: Any) -> str | None:
    """What was expected and what was found, None when the value matches. A plain matcher means equality."""
    if not isinstance(matcher, Matcher):
        return None if same(matcher, value) else f"expected {shown(matcher)}, got {shown(value)}"
    for name in Matcher.model_fields:
        if name in matcher.model_fields_set:
            wrong = _OPERATORS[name](getattr(matcher, name), value)
            if wrong:
                return wrong
    return None


def same(expected: Any, found: Any) -> bool:
    """Equality without surprises: `true` is not 1, the text "1" is not the number; 1 is 1.0."""
    if isinstance(expected, bool) or isinstance(found, bool):
        return isinstance(expected, bool) and isinstance(found, bool) and expected == found
    if isinstance(expected, list | tuple) and isinstance(found, list | tuple):
        return len(expected) == len(found) and all(map(same, expected, found))
    if isinstance(expected, dict) and isinstance(found, dict):
        return expected.keys() == found.keys() and all(same(expected[key], found[key]) for key in expected)
    return bool(expected == found)


def shown(value: Any) -> str:
    """A value as JSON spells it, short."""
    if isinstance(value, str | list | tuple | dict):
        import json

        start = value[: SHOWN + 1] if isinstance(value, str | list | tuple) else value
        try:
            text = json.dumps(start, ensure_ascii=False, default=str)
        except RecursionError:
            return "something nested very deep"
        return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
    return _WORDS.get(repr(value), str(value))


def at(path: str, document: Any) -> Any:
    """The value at a dotted path such as `items.0.name`; a LookupError says which part is missing."""
    value = document
    parts = path.split(".") if path else []
    for index, part in enumerate(parts):
        try:
            value = _child(value, part)
        except LookupError:
            missing = ".".join(parts[: index + 1])
            raise LookupError(f"there is no `{missing}`") from None
    return value


def _child(value: Any, part: str) -> Any:
    if isinstance(value, dict):
        return value[part]
    if isinstance(value, list | tuple) and part.isdecimal():
        return value[int(part)]
    raise LookupError(part)


def mismatches(matchers: Mapping[str, Any], document: Any) -> Iterator[str]:
    """What is wrong with the values at dotted paths, each with its path in front."""
    for path, matcher in matchers.items():
        try:
            wrong = mismatch(matcher, at(path, document))
        except LookupError as missing:
            wrong = str(missing)
        if wrong:
            yield wrong if wrong.startswith("there is no") else f"{path}: {wrong}"


def unexpected(expect: Expect | None, answer: Answer) -> str | None:
    """What is wrong with an HTTP answer, None when it is as expected; the first of status, headers, body."""
    return next(_wrong(expect or Expect(), answer), None)


def _wrong(expect: Expect, answer: Answer) -> Iterator[str]:
    wanted = expect.status or ((200, 299),)
    if not any(low <= answer.status <= high for low, high in wanted):
        yield f"status {answer.status}, expected {statuses(wanted)}"
    if expect.max_time is not None and answer.seconds > expect.max_time:
        yield f"took {answer.seconds:.3g} s, expected at most {expect.max_time:g} s"
    for name, matcher in (expect.headers or {}).items():
        found = answer.headers.get(name.lower())
        wrong = "is missing" if found is None else mismatch(matcher, found)
        if wrong:
            yield f"header {name}: {wrong}"
    if "body" in expect.model_fields_set:
        wrong = mismatch(expect.body, answer.body.decode("utf-8", "replace"))
        if wrong:
            yield f"body: {wrong}"
    if expect.json_ is not None:
        yield from _wrong_json(expect.json_, answer)


def statuses(ranges: tuple[tuple[int, int], ...]) -> str:
    return ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in ranges)


def _wrong_json(expected: Mapping[str, Any], answer: Answer) -> Iterator[str]:
    import json

    try:
        document = json.loads(answer.body)
    except (ValueError, RecursionError):
        cut = "" if answer.whole else f" (only its first {len(answer.body) // 1024} KiB were read)"
        yield f"body is not JSON{cut}: {shown(answer.body[:SHOWN].decode('utf-8', 'replace'))}"
        return
    yield from (f"json {wrong}" for wrong in mismatches(expected, document))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _ordered(word: str, holds: Callable[[Any, Any], bool]) -> Callable[[Any, Any], str | None]:
    def compare(limit: Any, value: Any) -> str | None:
        if not _is_number(value):
            return f"expected a number {word} {shown(limit)}, got {shown(value)}"
        return None if holds(value, limit) else f"expected {word} {shown(limit)}, got {shown(value)}"

    return compare


def _in(allowed: Any, value: Any) -> str | None:
    if any(same(each, value) for each in allowed):
        return None
    return f"expected one of {', '.join(map(shown, allowed))}, got {shown(value)}"


def _contains(part: Any, value: Any) -> str | None:
    if isinstance(value, str) and isinstance(part, str):
        holds = part in value
    else:
        holds = isinstance(value, list | tuple) and any(same(part, each) for each in value)
    return None if holds else f"expected something that contains {shown(part)}, got {shown(value)}"


def _matches(pattern: Any, value: Any) -> str | None:
    wanted = f"expected a match of `{pattern}`"
    if not isinstance(value, str):
        return f"{wanted}, got {shown(value)}"
    try:
        return None if bounded.search(pattern, value) else f"{wanted}, got {shown(value)}"
    except bounded.TooLong:
        return f"{wanted}: searching took more than {bounded.SECONDS:g} s, simplify the pattern"


def _version(specifier: Any, value: Any) -> str | None:
    from packaging.specifiers import SpecifierSet
    from packaging.version import InvalidVersion, Version

    try:
        holds = isinstance(value, str) and SpecifierSet(specifier).contains(Version(value), prereleases=True)
    except InvalidVersion:
        return f"expected a version {specifier}, got {shown(value)}, which is no version"
    return None if holds else f"expected a version {specifier}, got {shown(value)}"


def _not(matcher: Any, value: Any) -> str | None:
    if mismatch(matcher, value) is not None:
        return None
    what = "what is excluded" if isinstance(matcher, Matcher) else shown(matcher)
    return f"expected anything but {what}, got {shown(value)}"


_OPERATORS: dict[str, Callable[[Any, Any], str | None]] = {
    "in_": _in,
    "contains": _contains,
    "matches": _matches,
    "gt": _ordered("greater than", lambda value, limit: bool(value > limit)),
    "ge": _ordered("at least", lambda value, limit: bool(value >= limit)),
    "lt": _ordered("less than", lambda value, limit: bool(value < limit)),
    "le": _ordered("at most", lambda value, limit: bool(value <= limit)),
    "version": _version,
    "not_": _not,
}
