"""Whether commands that are too dear to execute at least exist: targets of make, our own commands, files that are named."""

import argparse
import re
import shlex
import tomllib
from importlib import import_module

from docs_blocks import ROOT

from orchestrator import cli

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
DOCKER = {"build", "compose", "exec", "inspect", "ps", "run", "stop"}
SHELL = {".", "cd", "curl", "git", "mkdir", "mv", "python3"}


def wrong(line: str) -> str:
    """What does not exist in a line of shell; empty when all does."""
    for part in re.split(r"\s*&&\s*", line.partition(" #")[0].strip()):
        words = [each for each in shlex.split(part) if not re.match(r"^[A-Z_]+=", each)]
        problem = _wrong(words) if words else ""
        if problem:
            return f"`{part}`: {problem}"
    return ""


def _wrong(words: list[str]) -> str:
    first = words[0].rpartition("/")[2]
    if first == "make":
        strange = [each for each in words[1:] if each not in TARGETS]
        return f"no target {strange}" if strange else ""
    if first == "docker":
        return _docker(words[1:])
    if first == "orchestrator":
        return refused(words[1:])
    if first in ("python", "python3") and words[1:2] == ["-m"]:
        return _module(words[2:])
    return "" if first in SHELL else f"`{first}` is not a command that these pages use"


def _docker(words: list[str]) -> str:
    if words[0] not in DOCKER:
        return f"docker has no {words[0]} here"
    named = words[words.index("-f") + 1] if "-f" in words else ""
    return "" if not named or (ROOT / named).exists() else f"there is no {named}"


def _module(words: list[str]) -> str:
    if words[:2] == ["pip", "install"]:
        return next(
            (problem for each in words[2:] if not each.startswith("-") and (problem := _installable(each))),
            "",
        )
    if words[0] == "pytest":
        paths = [each.partition("::")[0] for each in words[1:] if each.startswith("tests/")]
        return next((f"there is no {each}" for each in paths if not (ROOT / each).exists()), "")
    return "" if words[0] in ("venv", "pip") else f"what is {words[0]}?"


def _installable(what: str) -> str:
    """Our own distribution from a checkout, with extras that exist, or a dependency."""
    found = re.fullmatch(r"(?:\.|.*startup-orchestrator)(?:\[(?P<extra>.*)\])?", what)
    if found:
        extra = found["extra"]
        return f"no extra {extra}" if extra and extra not in PROJECT["optional-dependencies"] else ""
    return "" if re.match(r"fastapi\b", what) else f"what is {what}?"


def refused(words: list[str]) -> str:
    """Whether our own command line would refuse these words."""
    at = next((index for index, word in enumerate(words) if word in cli.COMMANDS), None)
    if at is None:
        return "" if words == ["--version"] else f"no command in {words}"
    if words[at] == "health":
        return ""
    own = argparse.ArgumentParser(exit_on_error=False)
    cli.add_common(own, default=None)
    import_module(f"orchestrator.cli.{words[at]}").add(own)
    try:
        cli.parser().parse_args(words[:at])
        own.parse_args(words[at + 1 :])
    except (SystemExit, argparse.ArgumentError) as error:
        return f"the command line refuses it: {error}"
    return ""
