"""Comments that silence findings: `# orchestrator: ignore[ORC312] reason`, in YAML, Dockerfiles and Python.

A comment behind something concerns its own line; one that stands alone concerns the next line that is no
comment. Warnings, notes and everything that `lint` finds can be silenced. The errors of the other families
cannot: a spec that cannot be read, or means nothing, does not start a service because a comment says so.
A comment without a reason silences nothing; that, and a comment that silences nothing, is ORC223.
What the spec itself accepts under `lint` holds for all of its lines, by the same rules.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.core.suggest import did_you_mean
from orchestrator.diagnostics import Diagnostic, Findings, Place
from orchestrator.diagnostics.catalogue import CODES
from orchestrator.diagnostics.excerpt import split
from orchestrator.diagnostics.patterns import pattern

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

_COMMENT = pattern(r"(?:^|(?<=\s))#\s*orchestrator:\s*ignore\[(?P<codes>[^\]]{0,200})\](?P<reason>.*)$")
_CODE = pattern(r"ORC\d{3}")
SPEC_FAMILIES = ("ORC0", "ORC1", "ORC2")
"""What reading and validating a spec can find."""


@dataclass(frozen=True, slots=True)
class Suppression:
    """A comment: which codes it silences, why, where it stands and which line it concerns."""

    codes: tuple[str, ...]
    reason: str
    place: Place
    line: int
    """0: all lines."""


def find(file: str, text: str) -> list[Suppression]:
    """The suppressions in a text."""
    if "orchestrator:" not in text:
        return []
    lines = split(text)
    found = [(number, match) for number, line in enumerate(lines, 1) if (match := _match(line))]
    concerned = _concerned(lines) if found else []
    return [_suppression(file, number, match, concerned[number - 1]) for number, match in found]


def apply(
    diagnostics: Iterable[Diagnostic],
    sources: Mapping[str, str],
    families: Collection[str] = SPEC_FAMILIES,
) -> list[Diagnostic]:
    """The findings that remain, and ORC223 for comments at fault.

    A comment for a code outside the `families` that were looked for is not called useless.
    """
    here: dict[tuple[str, int], list[Diagnostic]] = {}
    for each in diagnostics:
        here.setdefault((each.place.file, each.place.line), []).append(each)
    findings = Findings()
    for file, text in sources.items():
        for comment in find(file, text):
            for code in comment.codes or ("",):
                found = here.get((file, comment.line), [])
                left = [each for each in found if not _silences(comment, code, each)]
                if len(left) == len(found):
                    _complain(findings, comment, code, left, families)
                here[file, comment.line] = left
    return [each for found in here.values() for each in found] + findings.found


def accept(
    diagnostics: Iterable[Diagnostic],
    accepted: Iterable[Suppression],
    families: Collection[str] = SPEC_FAMILIES,
) -> list[Diagnostic]:
    """The findings that remain when some codes are accepted in the whole spec, as `lint: {ignore: …}` says."""
    left = list(diagnostics)
    findings = Findings()
    for each in accepted:
        (code,) = each.codes
        before, left = left, [found for found in left if not _silences(each, code, found)]
        if len(left) == len(before):
            _complain(findings, each, code, left, families)
    return left + findings.found


def may_be_silenced(diagnostic: Diagnostic) -> bool:
    return diagnostic.severity != "error" or diagnostic.code.startswith("ORC3")


def _match(line: str) -> re.Match[str] | None:
    match = _COMMENT.search(line)
    # Inside a quoted text it is no comment. Quotes that close again before it do not matter.
    return match if match and not _quoted(line[: match.start()]) else None


def _quoted(before: str) -> bool:
    return before.count('"') % 2 == 1 or re.search(r"(?:^|[\s\[{:,])'[^']*$", before) is not None


def _concerned(lines: list[str]) -> list[int]:
    """For each line the one that a comment on it concerns: itself, or the next that is no comment."""
    result = []
    concerned = len(lines) + 1
    for number in range(len(lines), 0, -1):
        if not lines[number - 1].lstrip().startswith("#"):
            concerned = number
        result.append(concerned)
    return result[::-1]


def _suppression(file: str, number: int, match: re.Match[str], line: int) -> Suppression:
    codes = tuple(code.strip() for code in match["codes"].split(",") if code.strip())
    place = Place(file, number, match.start() + 1, number, len(match.string.rstrip()) + 1)
    return Suppression(codes, match["reason"].strip(), place, line)


def _silences(suppression: Suppression, code: str, diagnostic: Diagnostic) -> bool:
    return diagnostic.code == code and bool(suppression.reason) and may_be_silenced(diagnostic)


def _complain(
    findings: Findings,
    suppression: Suppression,
    code: str,
    here: list[Diagnostic],
    families: Collection[str],
) -> None:
    said = _fault(suppression, code, here, families)
    if said:
        findings.add("ORC223", said[0], suppression.place, hint=said[1])


def _fault(
    suppression: Suppression, code: str, here: list[Diagnostic], families: Collection[str]
) -> tuple[str, str] | None:
    """What is wrong with a comment that silenced nothing, and the hint; None where it may yet be of use."""
    if not code:
        return "suppression names no code", "write `# orchestrator: ignore[ORC213] why`"
    if not _known(code):
        return f"suppression names an unknown code `{code}`", did_you_mean(
            code, CODES
        ) or "a code is ORC and three digits, as the finding shows it"
    if not suppression.reason:
        hint = f"say why, on the same line: `# orchestrator: ignore[{code}] why`"
        return f"suppression of `{code}` has no reason, so it silences nothing", hint
    if any(each.code == code for each in here):
        return (
            f"`{code}` is an error and cannot be silenced",
            "mend what it says; only lint's errors can be silenced",
        )
    if code[:4] not in families:
        return None
    if not suppression.line:
        return f"suppression of `{code}` has no effect: the spec has no such finding", "take the line out"
    return (
        f"suppression of `{code}` has no effect: line {suppression.line} has no such finding",
        "remove the comment",
    )


def _known(code: str) -> bool:
    return code in CODES or (code.startswith("ORC3") and _CODE.fullmatch(code) is not None)
