"""Explain a code or a kind: what it means, an example, the fix."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("topic", metavar="CODE|KIND", help="such as ORC104, tcp, directories, degrade")


def run(options: argparse.Namespace) -> int:
    from orchestrator.diagnostics import explain
    from orchestrator.spec import reference

    page = explain.page(options.topic) or reference.page(options.topic)
    if page is None:
        near = explain.suggestion(options.topic, others=tuple(reference.topics()))
        print(
            f"orchestrator: there is nothing to explain about `{options.topic}`"
            + (f"; did you mean `{near}`?" if near else ""),
            file=sys.stderr,
        )
        return 2
    print(page.rstrip())
    return 0
