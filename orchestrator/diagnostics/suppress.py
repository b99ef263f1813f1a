"""Comments that silence findings: `# orchestrator: ignore[ORC312] reason`, in YAML, Dockerfiles and Python.

A comment at the end of a line concerns that line; one on a line of its own concerns the next line that is not a
comment. Warnings, notes and all findings of `lint` can be silenced; errors of the other families cannot, because an
invalid spec stays invalid. A comment without a reason, or without effect, is itself a finding: ORC223.
`lint: {ignore: …}` in the spec silences a code in all of its lines, by the same rules.
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
    """A comment: the codes it silences, the reason, its place and the line it concerns."""

    codes: tuple[str, ...]
    reason: str
    place: Place
    line: int
    """0 for all lines."""


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
    """The findings that remain, and ORC223 for faulty comments.

    A comment for a code outside `families`, which were checked for, may still have an effect elsewhere.
    """
    here: dict[tuple[str, int], list[Diagnostic]] = {}
    for diagnostic in diagnostics:
        here.setdefault((diagnostic.place.file, diagnostic.place.line), []).append(diagnostic)
    findings = Findings()
    for file, text in sources.items():
        for comment in find(file, text):
            for code in comment.codes or ("",):
                found = here.get((file, comment.line), [])
                left = [one for one in found if not _silences(comment, code, one)]
                if len(left) == len(found):
                    _complain(findings, comment, code, left, families)
                here[file, comment.line] = left
    return [one for found in here.values() for one in found] + findings.found


def accept(
    diagnostics: Iterable[Diagnostic],
    accepted: Iterable[Suppression],
    families: Collection[str] = SPEC_FAMILIES,
) -> list[Diagnostic]:
    """The findings that remain when `lint: {ignore: …}` accepts codes in the whole spec."""
    left = list(diagnostics)
    findings = Findings()
    for suppression in accepted:
        (code,) = suppression.codes
        before, left = left, [found for found in left if not _silences(suppression, code, found)]
        if len(left) == len(before):
            _complain(findings, suppression, code, left, families)
    return left + findings.found


def may_be_silenced(diagnostic: Diagnostic) -> bool:
    return diagnostic.severity != "error" or diagnostic.code.startswith("ORC3")


def _match(line: str) -> re.Match[str] | None:
    match = _COMMENT.search(line)
    # Inside quotes it is no comment.
    return match if match and not _quoted(line[: match.start()]) else None


def _quoted(before: str) -> bool:
    return before.count('"') % 2 == 1 or re.search(r"(?:^|[\s\[{:,])'[^']*$", before) is not None


def _concerned(lines: list[str]) -> list[int]:
    """For each line the one that a comment on it concerns: itself, or the next that is not a comment."""
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
    findings: Findings, comment: Suppression, code: str, here: list[Diagnostic], families: Collection[str]
) -> None:
    """Reports a comment that silenced nothing, unless it may have an effect elsewhere."""
    effect = f"suppression of `{code}` has no effect"
    if not code:
        message, hint = "suppression names no code", "write `# orchestrator: ignore[ORC213] why`"
    elif code not in CODES and not (code.startswith("ORC3") and _CODE.fullmatch(code)):
        message = f"suppression names an unknown code `{code}`"
        hint = did_you_mean(code, CODES) or "a code is ORC and three digits, as the finding shows it"
    elif not comment.reason:
        message = f"suppression of `{code}` has no reason, so it silences nothing"
        hint = f"give the reason on the same line: `# orchestrator: ignore[{code}] why`"
    elif any(found.code == code for found in here):
        message = f"`{code}` is an error and cannot be silenced"
        hint = "fix it; only errors of lint can be silenced"
    elif code[:4] not in families:
        return
    elif not comment.line:
        message, hint = f"{effect}: the spec has no such finding", "remove the line"
    else:
        message, hint = f"{effect}: line {comment.line} has no such finding", "remove the comment"
    findings.add("ORC223", message, comment.place, hint=hint)
