"""Findings for people: the place, the line with carets, a hint, and a count at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.diagnostics import SEVERITIES, in_order, summary
from orchestrator.diagnostics.excerpt import Sources
from orchestrator.diagnostics.formats import PLAIN, Options
from orchestrator.diagnostics.printable import printable, printable_lines
from orchestrator.diagnostics.terminal import paint

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from orchestrator.diagnostics import Diagnostic, Related


def render(diagnostics: Iterable[Diagnostic], sources: Mapping[str, str], options: Options = PLAIN) -> str:
    found = in_order(diagnostics)
    if not found:
        return ""
    known = Sources(sources, found)
    blocks = ["\n".join(_block(diagnostic, known, options)) for diagnostic in found]
    return "\n\n".join([*blocks, _total(found, options)]) + "\n"


def counted(diagnostics: Iterable[Diagnostic]) -> str:
    """The counts, as in `2 errors, 1 warning`."""
    counts = summary(diagnostics).items()
    return ", ".join(f"{n} {plural if n != 1 else plural[:-1]}" for plural, n in counts if n)


def _total(found: list[Diagnostic], options: Options) -> str:
    worst = min((diagnostic.severity for diagnostic in found), key=SEVERITIES.index)
    return paint(options.color, worst, counted(found))


def _block(diagnostic: Diagnostic, sources: Sources, options: Options) -> list[str]:
    return [
        _headline(diagnostic, options),
        *_excerpt(diagnostic, sources, options),
        *(_related(related, options) for related in diagnostic.related),
        *(
            f"   {paint(options.color, 'hint', 'hint:')} {line}"
            # Every line is labelled: foreign text never starts a line.
            for line in printable_lines(diagnostic.hint)
            if line
        ),
        f"   {paint(options.color, 'quiet', 'help:')} {diagnostic.documentation}",
    ]


def _headline(diagnostic: Diagnostic, options: Options) -> str:
    place = printable(str(diagnostic.place))
    label = paint(options.color, diagnostic.severity, f"{diagnostic.severity}[{diagnostic.code}]")
    start = paint(options.color, "place", place + ":") + " " if place else ""
    return f"{start}{label}: {printable(diagnostic.message)}"


def _excerpt(diagnostic: Diagnostic, sources: Sources, options: Options) -> list[str]:
    excerpt = sources.excerpt(diagnostic.place, options.width)
    if excerpt is None:
        return []
    line, carets = excerpt.lines()
    gutter, bar, text = line.partition("|")
    empty, _, marks = carets.partition("|")
    return [
        paint(options.color, "gutter", gutter + bar) + text,
        paint(options.color, "gutter", empty + bar) + paint(options.color, diagnostic.severity, marks),
    ]


def _related(related: Related, options: Options) -> str:
    words = f"{related.message} {related.place}".strip()
    return f"   {paint(options.color, 'gutter', '=')} {printable(words)}"
