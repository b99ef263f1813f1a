"""Explain a code, a kind or a key: what it means, an example, the fix."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from orchestrator.diagnostics.printable import printable

if TYPE_CHECKING:
    import argparse


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "topic",
        nargs="?",
        default="",
        metavar="CODE|KIND",
        help="such as ORC104, tcp, directories, degrade, deadline; all there is without it",
    )


def run(options: argparse.Namespace) -> int:
    from orchestrator.diagnostics import explain
    from orchestrator.spec import explaining

    if not options.topic.strip():
        print(explaining.contents().rstrip())
        return 0
    page = explain.page(options.topic) or explaining.page(options.topic)
    if page is None:
        near = explain.suggestion(options.topic, others=tuple(explaining.words()))
        hint = f"did you mean `{near}`?" if near else "`orchestrator explain` alone lists all there is"
        print(
            f"orchestrator: there is nothing to explain about `{printable(options.topic)}`; {hint}",
            file=sys.stderr,
        )
        return 2
    print(page.rstrip())
    return 0
