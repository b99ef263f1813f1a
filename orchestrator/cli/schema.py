"""Print the JSON Schema of the spec, for editors and other tools."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--overlay", action="store_true", help="the schema of overlays: nothing is required")


def run(options: argparse.Namespace) -> int:
    from orchestrator.spec.schema import base_schema, overlay_schema

    print(json.dumps(overlay_schema() if options.overlay else base_schema(), indent=2))
    return 0
