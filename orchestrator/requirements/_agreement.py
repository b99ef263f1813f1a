"""Whether what is installed satisfies what asks for it: versions, extras, and all of it together."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Any

from orchestrator.core.outcome import failed, ok
from orchestrator.diagnostics.patterns import pattern
from orchestrator.requirements import _installed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from packaging.requirements import Requirement as Parsed

    from orchestrator.core.outcome import Outcome

_MOST = 20
_CREDENTIALS = pattern(r"//[^/@]*@")


def hidden(url: str) -> str:
    """The address without a password."""
    return _CREDENTIALS.sub("//", url)


def same_place(wanted: str, recorded: str) -> bool:
    """Whether two addresses are the same but for credentials, the tool in front, the revision behind."""
    plain = [hidden(each).partition("#")[0].removeprefix("git+").rstrip("/") for each in (wanted, recorded)]
    short = [re.sub(r"@[^/@]*\Z", "", each) for each in plain]
    return plain[0] == plain[1] or short[0] == short[1]


def bare(wanted: Parsed) -> str:
    """The requirement without its marker, as it is installed."""
    extras = f"[{','.join(sorted(wanted.extras))}]" if wanted.extras else ""
    return (
        f"{wanted.name}{extras} @ {hidden(wanted.url)}"
        if wanted.url
        else f"{wanted.name}{extras}{wanted.specifier}"
    )


def fits(specifier: Any, version: str) -> bool:
    """Whether a version satisfies a specifier, pre-releases as well."""
    from packaging.version import InvalidVersion

    try:
        return bool(specifier.contains(version, prereleases=True))
    except InvalidVersion:
        return not str(specifier)


def applies(wanted: Parsed, extra: str = "") -> bool:
    """Whether a requirement counts here: its marker may say otherwise."""
    return wanted.marker is None or bool(wanted.marker.evaluate({"extra": extra}))


def _required(found: _installed.Distribution) -> Iterator[Parsed]:
    """What a distribution requires. Very old metadata has another grammar, and cannot be checked."""
    from packaging.requirements import InvalidRequirement
    from packaging.requirements import Requirement as Parse

    for text in found.requires:
        try:
            yield Parse(text)
        except InvalidRequirement:
            continue


def lacking(
    found: _installed.Distribution, extra: str, path: Sequence[str], seen: set[tuple[str, str]]
) -> Iterator[str]:
    """What an extra requires and is not there, also through the extras that it asks of others."""
    if (key := (_installed.normalise(found.name), extra)) in seen:
        return
    seen.add(key)
    for each in _required(found):
        if each.marker is None or applies(each) or not applies(each, extra):
            continue
        there = _installed.find(each.name, path)
        if not there:
            yield bare(each)
        elif not fits(each.specifier, there[0].version):
            yield f"{bare(each)} (found {there[0].version})"
        else:
            for inner in sorted(each.extras):
                yield from lacking(there[0], inner, path, seen)


def consistent(path: Sequence[str]) -> Outcome:
    """Whether everything installed satisfies everything else, as `pip check` asks."""
    wrong: list[str] = []
    remedies: list[str] = []
    installed = _installed.names(path)
    for name in installed:
        found = _installed.find(name, path)
        versions = sorted({each.version for each in found if each.version})
        if len(versions) > 1:
            wrong.append(f"{found[0].name} is installed twice in {found[0].place}: {' and '.join(versions)}")
            remedies.append(f"pip install --force-reinstall {shlex.quote(found[0].name)}")
        for each in filter(applies, _required(found[0])):
            there = _installed.find(each.name, path)
            if not there or not fits(each.specifier, there[0].version):
                has = f"{there[0].version} is installed" if there else "it is not installed"
                wrong.append(f"{found[0].name} {found[0].version} requires {bare(each)}, but {has}")
                remedies.append(f"pip install {shlex.quote(bare(each))}")
    if not wrong:
        return ok(f"{len(installed)} distributions satisfy one another")
    more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
    return failed(
        "ORC415",
        "inconsistent",
        wrong[0] + more,
        remedies[0],
        details="\n".join(wrong[:_MOST]),
        problems=len(wrong),
    )
