"""The command line: the commands and their common options. A command is imported when it is run."""

from __future__ import annotations

import argparse
import os
import sys
from importlib import import_module

from orchestrator.core.exceptions import Usage

COMMANDS = {
    "run": "check, wait, run the steps, launch, and keep the service healthy",
    "check": "check the requirements and wait for what must answer; start nothing",
    "validate": "check the spec alone: no app, no network, no root",
    "config": "print the effective spec",
    "plan": "print the order, what runs side by side, and the worst-case time",
    "rehearse": "make things fail on purpose, and show what each fallback does",
    "health": "ask a health endpoint: exit 0 if healthy, 1 if not",
    "status": "print what the running engine knows",
    "report": "print the last start: every item, every attempt, the timeline",
    "schema": "print the JSON Schema of the spec",
    "explain": "explain a code or a kind: explain ORC104, explain tcp",
}
"""Each is a module of this package with that name, except `health`, which does without this package."""
USAGE = 2
BUG = "internal error[ORC901]: this is a bug; please report it with the traceback above"


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="orchestrator",
        description="Starts a Python web service in a container by the contract in startup.yaml.",
        epilog="orchestrator COMMAND --help shows its options; orchestrator explain CODE explains a message.",
    )
    top.add_argument(
        "--version", action="store_true", help="print the versions of this program and of what it uses"
    )
    add_common(top, default=None)
    commands = top.add_subparsers(dest="command", metavar="COMMAND")
    for name, purpose in COMMANDS.items():
        commands.add_parser(name, help=purpose, add_help=False)
    return top


def add_common(to: argparse.ArgumentParser, default: object) -> None:
    to.add_argument("-f", "--file", action="append", metavar="FILE", default=default,
                    help="the spec (default: startup.yaml); may be repeated, later files are laid over earlier ones")  # fmt: skip
    to.add_argument("--env", metavar="NAME", default=default,
                    help="lay startup.NAME.yaml over the spec (default: $ORCHESTRATOR_ENV)")  # fmt: skip
    to.add_argument(
        "--log-format", choices=("auto", "text", "json"), default=default, help="format of the log"
    )
    to.add_argument(
        "--color", choices=("auto", "always", "never"), default=default, help="colour in text output"
    )


def main(argv: list[str]) -> int:
    """Runs a command; its exit code. No exception leaves this function."""
    top = parser()
    at = next((at for at, word in enumerate(argv) if word in COMMANDS and not _is_value(argv, at)), None)
    if at is None:
        options = top.parse_args(argv)
        if options.version:
            return _version()
        top.print_help(sys.stderr)
        return USAGE
    name, words = argv[at], argv[at + 1 :]
    options = top.parse_args(argv[:at])
    if name == "health":
        from orchestrator.health import probe

        return probe.main(words)
    try:
        return _run(name, options, words)
    except Usage as error:
        print(f"orchestrator: {error}", file=sys.stderr)
        return USAGE
    except BrokenPipeError:  # the reader of our output has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except KeyboardInterrupt:
        return 130
    except ImportError as error:
        return _missing(error, name)
    except Exception:
        return _bug(name)


def _is_value(argv: list[str], at: int) -> bool:
    """`-f run` names a file, not the command."""
    return at > 0 and argv[at - 1] in ("-f", "--file", "--env", "--log-format", "--color")


def _run(name: str, options: argparse.Namespace, words: list[str]) -> int:
    command = import_module(f"orchestrator.cli.{name}")
    summary = (command.__doc__ or "").strip().partition("\n")[0]
    own = argparse.ArgumentParser(prog=f"orchestrator {name}", description=summary)
    add_common(own, default=argparse.SUPPRESS)  # people write them before and after the command
    command.add(own)
    at = words.index("--") if "--" in words and name == "run" else len(words)
    options = own.parse_args(words[:at], namespace=options)
    options.words = words[at + 1 :]
    options.env = options.env or os.environ.get("ORCHESTRATOR_ENV", "")
    options.color = options.color or "auto"
    code = int(command.run(options))
    sys.stdout.flush()
    return code


def _missing(error: ImportError, command: str) -> int:
    """A dependency of the engine is missing: one line with the remedy."""
    name = (error.name or "").partition(".")[0]
    if name in ("", "orchestrator"):
        return _bug(command)
    distribution = {"yaml": "PyYAML"}.get(name, name)
    return _last_line(
        f"error[ORC902]: the engine needs `{name}`, which cannot be imported: {error}; pip install {distribution}",
        3,
        command,
    )


def _bug(command: str) -> int:
    import traceback

    traceback.print_exc()
    return _last_line(BUG, 1, command)


def _last_line(text: str, code: int, command: str) -> int:
    """The last line on stderr, and for the platform if a service was to be started."""
    print(f"orchestrator: {text}", file=sys.stderr)
    if command == "run":
        from orchestrator.system import files

        files.write_last_words(f"the service did not start (exit {code}): {text}")
    return code


def _version() -> int:
    import platform

    import pydantic
    import yaml

    from orchestrator import __version__
    from orchestrator.document.read import C_PARSER

    parser_name = "libyaml" if C_PARSER else "pure Python parser: slow"
    print(
        f"orchestrator {__version__} (Python {platform.python_version()}, pydantic {pydantic.VERSION}, PyYAML {yaml.__version__} with {parser_name})"
    )
    return 0
