"""Print the effective spec: overlays merged, variables not put in.

`--provenance` adds to each value the file and line it came from, and what it overrode.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from orchestrator.cli import _spec
from orchestrator.core.exceptions import Usage
from orchestrator.diagnostics import summary
from orchestrator.spec.role_selection import choose

if TYPE_CHECKING:
    import argparse

    from orchestrator.spec.loading import Loaded


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "role", nargs="?", default="", metavar="ROLE", help="the spec of this role, not of the whole image"
    )
    parser.add_argument("--format", choices=("yaml", "json"), default="yaml", help="how it is written")
    parser.add_argument("--provenance", action="store_true", help="say where each value comes from")


def run(options: argparse.Namespace) -> int:
    from orchestrator.document import dump
    from orchestrator.spec.loading import provenance

    try:
        loaded = _spec.read(options)
        if options.role:
            loaded = _of_role(loaded, options.role)
    except Usage as error:
        return _spec.usage(error)
    if options.format == "json":
        record = {
            "schema": 1,
            "diagnostics": [each.record() for each in loaded.diagnostics],
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


def _of_role(loaded: Loaded, role: str) -> Loaded:
    """The role's part is laid over a spec with mistakes as well: to find one, people look at the whole."""
    bodies = loaded.tree.get("roles") if loaded.tree is not None else None
    if loaded.spec is not None or bodies is None or bodies.get(role) is None:
        return choose(loaded, role).loaded
    return loaded.for_role(role)
