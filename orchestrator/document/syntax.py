"""YAML syntax errors in words for people: place, cause and fix."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from orchestrator.diagnostics import Place, Related
from orchestrator.diagnostics.excerpt import split

if TYPE_CHECKING:
    import yaml

    from orchestrator.diagnostics import Findings


def report(error: yaml.YAMLError, file: str, text: str, findings: Findings) -> None:
    """Adds a finding for what ended the parsing."""

    def add(code: str, message: str, row: int, start: int, end: int, hint: str, *related: Related) -> None:
        place = Place(file, row + 1, start + 1, row + 1, end + 1)
        findings.add(code, message, place, hint=hint, related=related)

    context, doing = getattr(error, "context_mark", None), str(getattr(error, "context", None) or "")
    mark = getattr(error, "problem_mark", None) or context
    problem = str(getattr(error, "problem", None) or getattr(error, "reason", None) or error).strip()
    if mark is None:  # from the reader: a character that YAML does not allow
        row, column = _bad_character(text)
        hint = "a spec is printable UTF-8 text; is this the right file?"
        add("ORC003", f"cannot read the text: {problem}", row, column, column + 1, hint)
        return
    lines = split(text)
    line = lines[mark.line] if mark.line < len(lines) else ""
    indent = line[: len(line) - len(line.lstrip())]
    # For a tab, and for an unquoted `${`, the parser reports something else, somewhere else.
    if "\t" in indent:
        message = "a tab is used for indentation, YAML allows spaces only"
        add("ORC017", message, mark.line, indent.index("\t"), len(indent), "replace the tab with spaces")
        return
    if flow := _flow_interpolation(lines, mark.line, context if "flow" in doing else None):
        row, start, at = flow
        message = f"a value that {'starts with' if start == at else 'holds'} `${{` must be quoted inside `{{}}` and `[]`"
        add("ORC020", message, row, at, at + 2, _in_quotes(lines[row], start, at))
        return
    # The parser's own place; or the start of something that has no end.
    at = context if context is not None and doing.startswith("while scanning a") else mark
    related = []
    if doing and context is not None and at is mark and context.line != mark.line:
        related = [Related(doing, Place(file, context.line + 1, context.column + 1))]
    unclosed = "quoted scalar" in doing and "end of stream" in problem
    cause = "the quote that starts here is not closed" if unclosed else problem
    hint = _syntax_hint(problem, lines, at.line, at.column)
    add("ORC004", f"cannot parse the YAML: {cause}", at.line, at.column, at.column + 1, hint, *related)


_PRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _bad_character(text: str) -> tuple[int, int]:
    """Row and column, from 0, of the first character that YAML does not allow."""
    found = _PRINTABLE.search(text)
    at = found.start() if found else 0
    before = split(text[:at])
    return len(before) - 1, len(before[-1])


def _flow_interpolation(lines: list[str], row: int, opened: Any) -> tuple[int, int, int] | None:
    """An unquoted `${` in a flow collection, at or just before the row of the parser's error.

    Its row, the column where the value starts, and its own column. `opened` is the collection's mark, if known.
    """
    for at in range(min(row, len(lines) - 1), max(row - 3, -1), -1):
        line = lines[at]
        found = line.find("${")
        while found >= 0:
            before = line[:found]
            inside = "{" in before or "[" in before or (opened is not None and opened.line < at)
            if inside and before.count('"') % 2 == 0 and before.count("'") % 2 == 0:
                return at, _value_start(before), found
            found = line.find("${", found + 2)
    return None


def _value_start(before: str) -> int:
    """The column where the value that continues after this text starts."""
    return max(map(before.rfind, ",[{ \t")) + 1


def _in_quotes(line: str, start: int, at: int) -> str:
    end = line.find("}", at)
    nested = end < 0 or "${" in line[at + 2 : end]  # nested: where it ends is not obvious
    return 'write "${NAME}" with the quotes' if nested else f'write "{line[start : end + 1]}" with the quotes'


def _value_twice(lines: list[str], row: int) -> str:
    """Why a `key: value` is not allowed where it is."""
    above = next(
        (at for at in range(row - 1, -1, -1) if lines[at].strip() and not lines[at].lstrip().startswith("#")),
        None,
    )
    if above is not None and row < len(lines):
        deep, high = (len(line) - len(line.lstrip(" -")) for line in (lines[row], lines[above]))
        if re.match(r"[\s-]*[\w-]+:[^\s]+\s*$", lines[above]):
            return f"line {above + 1} has no space after its `:`"
        if deep > high and re.match(r"[\s-]*[\w.-]+:\s+[^\s]", lines[above]):
            return f"it is indented deeper than line {above + 1}, which has a value of its own: check the indentation"
    return "a text that contains `: ` must be quoted"


_INDENTATION = "check the indentation against the lines above"
_HINTS = {
    "comment or line break": "a value that starts with `>` or `|` must be quoted",
    "',' or '": "a bracket is not closed, or a comma is missing",
    "<document start>": "all top-level keys start in the same column",
    "did not find expected key": _INDENTATION,
    "block end": _INDENTATION,
    "did not find expected '-' indicator": _INDENTATION,
    "found unexpected end of stream": "add the closing quote",
    "escape": "double the `\\`, or use single quotes, in which it needs no escape",
    "expected node content": "a value is missing, or starts with a special character: quote it",
    "block sequence entries are not allowed": "a list begins on the next line: `- ` cannot follow a `:`",
    "alphabetic or numeric character": "a text that starts with `&` or `*` must be quoted",
    "whitespace or line break": "a text that starts with `!`, `&` or `*` must be quoted",
    "tag URI": "a text that starts with `!` must be quoted",
    "unexpected ':'": "a text that contains a `:` must be quoted here",
    "document indicator": "is the quote above it closed? `---` and `...` end a document",
}
"""Part of the parser's problem → hint."""


_TAG_BEFORE_BRACKET = re.compile(r"(!\w+)([}\],])")


def _syntax_hint(problem: str, lines: list[str], row: int, column: int) -> str:
    line = lines[row] if row < len(lines) else ""
    if "mapping values are not allowed" in problem:
        return _value_twice(lines, row)
    if "whitespace or line break" in problem and (tag := _TAG_BEFORE_BRACKET.match(line, column)):
        return f"write a space after the tag: `{tag[1]} {tag[2]}`"
    if "could not find expected ':'" in problem:
        return _no_key(line)
    if "cannot start any token" in problem:
        character = line[column : column + 1]
        return f"quote the text: it cannot start with `{character}`" if character else ""
    return next((hint for part, hint in _HINTS.items() if part in problem), "")


def _no_key(line: str) -> str:
    found = re.match(r"\s*([\w.-]+):(\S.*)$", line)
    if found:
        return f"write a space after the `:`: `{found[1]}: {found[2]}`"
    return "a key needs a `:` and a space after it"
