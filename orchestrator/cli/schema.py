"""Print the JSON Schema of the spec, with the kinds of installed plug-ins, for editors and other tools."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--overlay", action="store_true", help="the schema of overlays, in which nothing is required"
    )


def run(options: argparse.Namespace) -> int:
    from orchestrator.spec.kinds import BrokenPlugin
    from orchestrator.spec.schema import base_schema, overlay_schema

    try:
        schema = overlay_schema(plugins=True) if options.overlay else base_schema(plugins=True)
    except BrokenPlugin as error:
        print(f"orchestrator: {error}", file=sys.stderr)
        return 3
    print(json.dumps(schema, indent=2))
    return 0
