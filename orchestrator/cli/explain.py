"""Explain a code, a kind or a key: what it means, an example, the fix."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from orchestrator.core.exceptions import Usage
from orchestrator.diagnostics.printable import printable

if TYPE_CHECKING:
    import argparse


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("topic", nargs="?", default="", metavar="CODE|KIND",
                        help="such as ORC104, tcp, directories, degrade, deadline; without it, list all")  # fmt: skip


def run(options: argparse.Namespace) -> int:
    from orchestrator.diagnostics import explain
    from orchestrator.spec import explaining

    if not options.topic.strip():
        sys.stdout.write(explaining.contents().rstrip() + "\n")
        return 0
    page = explain.page(options.topic) or explaining.page(options.topic)
    if page is None:
        near = explain.suggestion(options.topic, others=tuple(explaining.words()))
        hint = f"did you mean `{near}`?" if near else "`orchestrator explain` lists all topics"
        raise Usage(f"no explanation for `{printable(options.topic)}`; {hint}")
    print(page.rstrip())
    return 0
