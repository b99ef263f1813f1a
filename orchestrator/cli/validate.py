"""Check the spec alone: no app, no network, no root.

Every problem is told at once, with its place and a hint. 78 when there are errors, 4 when there are lesser findings
at the level of --fail-on.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from orchestrator.cli import _spec
from orchestrator.core.exceptions import Usage
from orchestrator.diagnostics import formats, in_order

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from orchestrator.diagnostics import Diagnostic
    from orchestrator.spec.loading import Loaded


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="*", metavar="FILE", help="the spec (startup.yaml)")
    parser.add_argument(
        "--all-environments", action="store_true", help="each overlay beside the spec as well"
    )
    parser.add_argument("--format", choices=formats.names(), default="text", help="how findings are written")
    _spec.add_fail_on(parser)


def run(options: argparse.Namespace) -> int:
    try:
        if options.files and options.file:
            raise Usage("name the spec once: with -f, or behind the command")
        loads = [_spec.read(options, options.files)]
        if options.all_environments:
            loads += _others(options)
    except Usage as error:
        return _spec.usage(error)
    found = in_order(each for loaded in loads for each in loaded.diagnostics if _holds(each, loads))
    sources = {name: text for loaded in loads for name, text in loaded.sources.items()}
    _spec.show(found, sources, options, form=options.format, fail_on=options.fail_on)
    code = _spec.verdict(found, options.fail_on)
    if options.format == "text" and code == 0:
        names = ", ".join(dict.fromkeys(name for loaded in loads for name in loaded.files))
        print(f"{names}: well", file=sys.stderr)
    return code


def _holds(found: Diagnostic, loads: Sequence[Loaded]) -> bool:
    """A comment is of no use only if it is of none in every environment; all else is said wherever it is found."""
    if found.code != "ORC223":
        return True
    return all(found in each.diagnostics for each in loads if found.place.file in each.sources)


def _others(options: argparse.Namespace) -> list[Loaded]:
    from orchestrator.spec.loading import environments, load_files

    files = list(options.files or options.file or [_spec.default_file()])
    return [load_files(files[:1], environment=name) for name in environments(files[0]) if name != options.env]
