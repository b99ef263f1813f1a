"""Check the spec alone: no app, no network, no root.

All problems are reported at once, each with its place and a hint. Exits 78 for errors, 4 for lesser findings at or
above --fail-on.
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
    parser.add_argument("files", nargs="*", metavar="FILE", help="the spec (default: startup.yaml)")
    parser.add_argument("--all-environments", action="store_true", help="check every overlay as well")
    _spec.add_format(parser, "text", *(name for name in formats.names() if name != "text"))
    _spec.add_fail_on(parser)


def run(options: argparse.Namespace) -> int:
    if options.files and options.file:
        raise Usage("name the spec once: with -f, or after the command")
    loads = [_spec.read(options, options.files)]
    if options.all_environments:
        loads += _other_environments(options)
    found = in_order(one for loaded in loads for one in loaded.diagnostics if _holds(one, loads))
    sources = {name: text for loaded in loads for name, text in loaded.sources.items()}
    _spec.show(found, sources, options, form=options.format, fail_on=options.fail_on)
    code = _spec.verdict(found, options.fail_on)
    if options.format == "text" and code == 0:
        names = ", ".join(dict.fromkeys(name for loaded in loads for name in loaded.files))
        print(f"{names}: OK", file=sys.stderr)
    return code


def _holds(found: Diagnostic, loads: Sequence[Loaded]) -> bool:
    """A suppression is useless only if it is in every environment; other findings count wherever they occur."""
    if found.code != "ORC223":
        return True
    return all(found in loaded.diagnostics for loaded in loads if found.place.file in loaded.sources)


def _other_environments(options: argparse.Namespace) -> list[Loaded]:
    from orchestrator.spec.loading import environments, load_files

    file = (options.files or _spec.spec_files(options))[0]
    return [load_files([file], environment=name) for name in environments(file) if name != options.env]
