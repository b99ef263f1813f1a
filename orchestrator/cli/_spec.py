"""What commands have in common: options, reading the spec that they name, showing what is wrong with it."""

from __future__ import annotations

import gc
import os
import re
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from orchestrator.core.exceptions import Usage
from orchestrator.diagnostics import SEVERITIES, formats, review, terminal

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Mapping, Sequence

    from orchestrator.diagnostics import Diagnostic
    from orchestrator.spec.loading import Loaded
    from orchestrator.spec.spec import Spec

INVALID, FINDINGS = 78, 4
_ENVIRONMENT = re.compile(r"[a-z0-9-]+\Z")


def add_role(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("role", nargs="?", default="", metavar="ROLE", help="one of the spec's roles")


def add_format(parser: argparse.ArgumentParser, *names: str) -> None:
    """`--format`; the first name is the default."""
    parser.add_argument("--format", choices=names, default=names[0], help="output format")


def add_fail_on(parser: argparse.ArgumentParser) -> None:
    words = (*SEVERITIES, "never")
    parser.add_argument("--fail-on", choices=words, default="error", help="the least severity that fails")


def read(options: argparse.Namespace, files: Sequence[str] = ()) -> Loaded:
    """The spec of `-f` and `--env`; raises Usage."""
    from orchestrator.spec.loading import load_files

    named = list(files) or spec_files(options)
    if options.env and len(named) > 1:
        raise Usage(
            f"several -f and {_origin(options)} exclude each other: name the overlays with -f as well"
        )
    if options.env and not _ENVIRONMENT.match(options.env):
        raise Usage(
            f"the environment `{options.env}` ({_origin(options)}) must be lower-case letters, digits and `-`"
        )
    gc.disable()  # a large spec is a million objects, and none of them garbage: collections would only cost time
    try:
        return load_files(named, environment=options.env or "")
    finally:
        gc.freeze()
        gc.enable()


def read_role(options: argparse.Namespace) -> Loaded:
    """The spec of the role that the command line names; raises Usage."""
    from orchestrator.spec.role_selection import choose

    return choose(read(options), options.role, options.words).loaded


def spec_files(options: argparse.Namespace) -> list[str]:
    """The files of `-f`, by default the one that is there."""
    if options.file:
        return list(options.file)
    other = not os.path.exists("startup.yaml") and os.path.exists("startup.yml")
    return ["startup.yml" if other else "startup.yaml"]


def _origin(options: argparse.Namespace) -> str:
    """Where the environment's name comes from: a variable of the container is easily overlooked."""
    return "--env" if options.env != os.environ.get("ORCHESTRATOR_ENV") else f"ORCHESTRATOR_ENV={options.env}"


def item_ids(spec: Spec, option: str, references: Iterable[str]) -> list[str]:
    """The ids that an option's references mean; raises Usage for those that mean none or several."""
    from orchestrator.spec.index import Index

    index, ids = Index(spec), []
    for reference in references:
        found = index.find(reference)
        if len(found) > 1:
            raise Usage(f"{option} {reference}: ambiguous; it may mean {', '.join(found)}")
        if not found:
            raise Usage(f"{option} {reference}: no such item; the items are {', '.join(index.names)}")
        ids += found
    return ids


def show_errors(loaded: Loaded, options: argparse.Namespace) -> int:
    """Shows why a spec cannot be used; its exit code."""
    show(loaded.diagnostics, loaded.sources, options)
    return INVALID


def show(diagnostics: Sequence[Diagnostic], sources: Mapping[str, str], options: argparse.Namespace, *, form: str = "text",
         fail_on: str = "error") -> None:  # fmt: skip
    """Writes findings: text to stderr, the formats for machines to stdout."""
    stream = sys.stdout if form != "text" else sys.stderr
    terminal.tolerate(stream)
    cwd = os.getcwd()
    settings = formats.Options(
        color=terminal.color(options.color, stream, os.environ), width=terminal.width(stream, os.environ), cwd=cwd,
        root=review.repository(os.environ, cwd), fail_on=fail_on,
    )  # fmt: skip
    if form == "github":
        settings = replace(settings, summary=_write_step_summary(diagnostics, settings))
    text = formats.get(form)(diagnostics, sources, settings)
    if text:
        stream.write(text if text.endswith("\n") else text + "\n")


def _write_step_summary(diagnostics: Sequence[Diagnostic], settings: formats.Options) -> bool:
    """Appends all findings to GitHub's step summary; whether there is one."""
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if not summary:
        return False
    from orchestrator.diagnostics.formats import github

    try:
        with open(summary, "a", encoding="utf-8") as file:
            file.write(github.step_summary(diagnostics, settings))
    except OSError as error:
        print(f"orchestrator: cannot write the step summary {summary}: {error.strerror}", file=sys.stderr)
        return False
    return True


def verdict(diagnostics: Sequence[Diagnostic], fail_on: str) -> int:
    """78 for errors, 4 for lesser findings at or above `fail_on`, else 0."""
    found = {diagnostic.severity for diagnostic in diagnostics}
    if fail_on == "never" or not found:
        return 0
    if "error" in found:
        return INVALID
    return FINDINGS if found.intersection(SEVERITIES[: SEVERITIES.index(fail_on) + 1]) else 0
