"""Reading the spec that a command line names, and showing what is wrong with it."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from orchestrator.core.exceptions import Usage
from orchestrator.diagnostics import SEVERITIES, formats, paths, terminal

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from orchestrator.diagnostics import Diagnostic
    from orchestrator.spec.loading import Loaded

INVALID, FINDINGS, USAGE = 78, 4, 2
_ENVIRONMENT = re.compile(r"[a-z0-9-]+\Z")


def read(options: argparse.Namespace, files: Sequence[str] = ()) -> Loaded:
    """The spec of `-f` and `--env`; raises Usage."""
    from orchestrator.spec.loading import load_files

    named = list(files or options.file or [default_file()])
    if options.env and len(named) > 1:
        raise Usage(f"several -f and {_asked(options)} exclude each other: name the overlays with -f")
    if options.env and not _ENVIRONMENT.match(options.env):
        raise Usage(
            f"the environment `{options.env}` ({_asked(options)}) must be lower-case letters, digits and `-`"
        )
    return load_files(named, environment=options.env or "")


def add_fail_on(parser: argparse.ArgumentParser) -> None:
    """`--fail-on`, which has the same words wherever findings are."""
    words = (*SEVERITIES, "never")
    parser.add_argument("--fail-on", choices=words, default="error", help="the least severity that fails")


def _asked(options: argparse.Namespace) -> str:
    """Where the environment's name comes from: a container's own variable is easily forgotten."""
    return "--env" if options.env != os.environ.get("ORCHESTRATOR_ENV") else f"ORCHESTRATOR_ENV={options.env}"


def default_file() -> str:
    return (
        "startup.yml"
        if not os.path.exists("startup.yaml") and os.path.exists("startup.yml")
        else "startup.yaml"
    )


def usage(error: Usage) -> int:
    print(f"orchestrator: {error}", file=sys.stderr)
    return USAGE


def show(diagnostics: Sequence[Diagnostic], sources: Mapping[str, str], options: argparse.Namespace, *, form: str = "text",
         fail_on: str = "error", to_stdout: bool = False) -> None:  # fmt: skip
    """Writes findings: text to stderr, the formats for machines to stdout."""
    stream = sys.stdout if to_stdout or form != "text" else sys.stderr
    terminal.tolerate(stream)
    cwd = os.getcwd()
    settings = formats.Options(
        color=terminal.color(options.color, stream, os.environ), width=terminal.width(stream, os.environ), cwd=cwd,
        root=paths.repository(os.environ, cwd), fail_on=fail_on,
    )  # fmt: skip
    if form == "github":
        settings = replace(settings, summary=_summarised(diagnostics, settings))
    text = formats.get(form)(diagnostics, sources, settings)
    if text:
        stream.write(text if text.endswith("\n") else text + "\n")


def _summarised(diagnostics: Sequence[Diagnostic], settings: formats.Options) -> bool:
    """Whether the summary of GitHub's step has all findings now."""
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if not summary:
        return False
    from orchestrator.diagnostics.formats import github

    try:
        with open(summary, "a", encoding="utf-8") as file:
            file.write(github.step_summary(diagnostics, settings))
    except OSError as error:
        print(
            f"orchestrator: cannot write the summary of the step, {summary}: {error.strerror}",
            file=sys.stderr,
        )
        return False
    return True


def verdict(diagnostics: Sequence[Diagnostic], fail_on: str) -> int:
    """78 for errors, 4 for lesser findings at the level that was asked for."""
    if any(each.severity == "error" for each in diagnostics):
        return INVALID if fail_on != "never" else 0
    if fail_on == "never":
        return 0
    level = SEVERITIES.index(fail_on)
    return FINDINGS if any(SEVERITIES.index(each.severity) <= level for each in diagnostics) else 0
