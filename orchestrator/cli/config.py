"""Print the effective spec: overlays merged, variables not interpolated.

`--provenance` adds to each value the file and line it came from, and what it overrode.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from orchestrator.cli import _spec
from orchestrator.diagnostics import summary
from orchestrator.spec.role_selection import choose

if TYPE_CHECKING:
    import argparse

    from orchestrator.spec.loading import Loaded


def add(parser: argparse.ArgumentParser) -> None:
    _spec.add_role(parser)
    _spec.add_format(parser, "yaml", "json")
    parser.add_argument("--provenance", action="store_true", help="add where each value comes from")


def run(options: argparse.Namespace) -> int:
    from orchestrator.document import dump
    from orchestrator.spec.loading import provenance

    loaded = _read(options)
    if options.format == "json":
        record = {
            "schema": 1,
            "diagnostics": [diagnostic.record() for diagnostic in loaded.diagnostics],
            "summary": summary(loaded.diagnostics),
            "spec": dump.to_data(loaded.tree) if loaded.tree is not None else None,
        }
        if options.provenance:
            record["provenance"] = provenance(loaded)
        print(json.dumps(record, indent=2))
    else:
        _spec.show(loaded.diagnostics, loaded.sources, options)
        if loaded.tree is not None:
            sys.stdout.write(dump.to_yaml(loaded.tree, provenance=options.provenance))
    return _spec.INVALID if loaded.failed else 0


def _read(options: argparse.Namespace) -> Loaded:
    """A role is laid over an invalid spec, too: people look at the whole to find their mistake."""
    loaded = _spec.read(options)
    if not options.role:
        return loaded
    roles = loaded.tree.get("roles") if loaded.tree is not None else None
    if loaded.spec is None and roles is not None and roles.get(options.role) is not None:
        return loaded.for_role(options.role)
    return choose(loaded, options.role).loaded
