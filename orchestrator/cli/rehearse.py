"""Make things fail on purpose and show what each fallback does: by the spec, or with --prove for real.

The outcomes are ready, healed, degraded, maintenance and stopped. Exits 4 when one is not what `rehearsal:` in the
spec expects, or when --prove could prove nothing.
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
from orchestrator.rehearsal.simulate import simulated

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from orchestrator.diagnostics import Diagnostic
    from orchestrator.rehearsal.rows import Row
    from orchestrator.spec.loading import Loaded


def add(parser: argparse.ArgumentParser) -> None:
    _spec.add_role(parser)
    parser.add_argument("--break", dest="broken", action="append", default=[], metavar="ID",
                        help="only this item; may be repeated")  # fmt: skip
    parser.add_argument("--all", action="store_true", help="every item (default)")
    parser.add_argument("--prove", action="store_true",
                        help="really make them fail, in a private copy, and start the service")  # fmt: skip
    _spec.add_format(parser, "text", "json", "junit")


def run(options: argparse.Namespace) -> int:
    if options.all and options.broken:
        raise Usage("--all and --break exclude each other")
    loaded = _spec.read_role(options)
    if loaded.failed:
        return _spec.show_errors(loaded, options)
    assert loaded.spec is not None
    rows = simulated(loaded, os.environ, _spec.item_ids(loaded.spec, "--break", options.broken))
    if options.prove:
        rows = _proved(loaded, rows, options)
    wrong = judged(loaded, rows)
    _write(loaded, rows, wrong, options)
    tried = [row for row in rows if not row.skipped]
    # A proof was asked for and none was possible: that must not look like success.
    unproved = options.prove and bool(tried) and all(row.proved is None for row in tried)
    return _spec.FINDINGS if wrong or unproved else 0


def _proved(loaded: Loaded, rows: Sequence[Row], options: argparse.Namespace) -> list[Row]:
    from orchestrator.rehearsal.prove import prove

    def report(message: str) -> None:
        print(f"orchestrator: {message}", file=sys.stderr, flush=True)

    return prove(loaded, rows, report, files=tuple(_spec.spec_files(options)))


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
