"""Make things fail on purpose, and show what each fallback does: what follows by the spec, with --prove what really follows.

Each outcome is ready, healed, degraded, maintenance or stopped. 4 when one is not what `rehearsal:` in the spec says,
or when --prove could prove nothing.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from orchestrator.cli import _spec
from orchestrator.core.exceptions import Usage
from orchestrator.diagnostics import in_order, terminal
from orchestrator.rehearsal import formats
from orchestrator.rehearsal.expected import judged
from orchestrator.rehearsal.simulate import items, simulated
from orchestrator.spec.role_selection import choose

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from orchestrator.diagnostics import Diagnostic
    from orchestrator.rehearsal.rows import Row
    from orchestrator.spec.loading import Loaded


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("role", nargs="?", default="", metavar="ROLE", help="which of the spec's roles")
    parser.add_argument(
        "--break",
        dest="broken",
        action="append",
        default=[],
        metavar="ID",
        help="this item alone; may be given several times",
    )
    parser.add_argument("--all", action="store_true", help="every item; the default")
    parser.add_argument(
        "--prove", action="store_true", help="really make them fail, in a private copy, and start the service"
    )
    parser.add_argument(
        "--format", choices=("text", "json", "junit"), default="text", help="how the result is written"
    )


def run(options: argparse.Namespace) -> int:
    try:
        loaded = choose(_spec.read(options), options.role, options.words).loaded
        if loaded.failed:
            _spec.show(loaded.diagnostics, loaded.sources, options)
            return _spec.INVALID
        only = _named(loaded, options)
    except Usage as error:
        return _spec.usage(error)
    rows = simulated(loaded, os.environ, only)
    if options.prove:
        rows = _proved(loaded, rows, options)
    wrong = judged(loaded, rows)
    _write(loaded, rows, wrong, options)
    tried = [row for row in rows if not row.skipped]
    # Asked for a proof, and none was to be had: that must not look like one.
    unproved = options.prove and bool(tried) and all(row.proved is None for row in tried)
    return _spec.FINDINGS if wrong or unproved else 0


def _named(loaded: Loaded, options: argparse.Namespace) -> list[str]:
    """The ids that `--break` means; none is all. Raises Usage."""
    from orchestrator.spec.index import Index

    if options.all and options.broken:
        raise Usage("--all and --break exclude each other")
    assert loaded.spec is not None
    index, found = Index(loaded.spec), []
    for reference in options.broken:
        meant = index.find(reference)
        if len(meant) != 1:
            there = ", ".join(meant or (work.id for work in items(loaded)))
            raise Usage(
                f"--break {reference}: {'it may mean' if meant else 'there is no such item; there are'} {there}"
            )
        found += meant
    return found


def _proved(loaded: Loaded, rows: Sequence[Row], options: argparse.Namespace) -> list[Row]:
    from orchestrator.rehearsal.prove import prove

    def said(message: str) -> None:
        print(f"orchestrator: {message}", file=sys.stderr, flush=True)

    return prove(loaded, rows, said, files=tuple(options.file or [_spec.default_file()]))


def _write(
    loaded: Loaded, rows: Sequence[Row], wrong: Mapping[str, Diagnostic], options: argparse.Namespace
) -> None:
    assert loaded.spec is not None
    terminal.tolerate(sys.stdout)
    if options.format == "json":
        sys.stdout.write(formats.as_json(rows))
    elif options.format == "junit":
        sys.stdout.write(formats.as_junit(loaded.spec.service, rows, wrong))
    else:
        sys.stdout.write(formats.as_text(loaded.spec.service, rows, proving=options.prove))
        sys.stdout.flush()
    _spec.show(in_order(wrong.values()), loaded.sources, options)
