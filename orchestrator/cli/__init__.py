"""The command line: which commands there are, and their options in common. A command is imported when it is run."""

from __future__ import annotations

import argparse
import os
import sys
from importlib import import_module

COMMANDS = {
    "run": "check, wait, run the steps, launch, and keep the service well",
    "check": "check the requirements and wait for what must answer; start nothing",
    "validate": "check the spec alone: no app, no network, no root",
    "config": "print the effective spec",
    "plan": "print the order, what runs side by side, and the worst-case time",
    "rehearse": "make things fail on purpose, and show what each fallback does",
    "health": "ask a health endpoint: 0 is well, 1 is not",
    "status": "print what the running engine knows",
    "report": "print the last start: every item, every attempt, the timeline",
    "schema": "print the JSON Schema of the spec",
    "explain": "explain a code or a kind: explain ORC104, explain tcp",
}
"""Each is the file of its name; `health` is answered before this module is imported."""
BUG = "internal error[ORC901]: this is a bug; please report it with the traceback above"


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="orchestrator",
        description="Starts a Python web service in a container by the contract in startup.yaml.",
        epilog="orchestrator COMMAND --help says more; orchestrator explain CODE explains a message.",
    )
    top.add_argument("--version", action="store_true", help="print the version and what it is made of")
    _common(top, default=None)
    commands = top.add_subparsers(dest="command", metavar="COMMAND")
    for name, said in COMMANDS.items():
        commands.add_parser(name, help=said, add_help=False)
    return top


def _common(to: argparse.ArgumentParser, default: object) -> None:
    to.add_argument(
        "-f",
        "--file",
        action="append",
        metavar="FILE",
        default=default,
        help="the spec; several are laid one over the other (startup.yaml)",
    )
    to.add_argument(
        "--env", metavar="NAME", default=default, help="lay startup.NAME.yaml over it (ORCHESTRATOR_ENV)"
    )
    to.add_argument(
        "--log-format",
        choices=("auto", "text", "json"),
        default=default,
        help="how the engine's own log is written",
    )
    to.add_argument(
        "--color", choices=("auto", "always", "never"), default=default, help="colour in text output"
    )


def main(argv: list[str]) -> int:
    """Runs a command; its exit code. No exception of the user's making leaves this function."""
    at = next(
        (index for index, word in enumerate(argv) if word in COMMANDS and not _is_value(argv, index)), None
    )
    top = parser()
    if at is None:
        options = top.parse_args(argv)
        if options.version:
            return _version()
        top.print_help(sys.stderr)
        return 2
    before = top.parse_args(argv[:at])
    name = argv[at]
    if name == "health":
        from orchestrator.health import probe

        return probe.main(argv[at + 1 :])
    return _guarded(name, before, argv[at + 1 :])


def _is_value(argv: list[str], index: int) -> bool:
    """`-f run` names a file, not the command."""
    return index > 0 and argv[index - 1] in ("-f", "--file", "--env", "--log-format", "--color")


def _guarded(name: str, before: argparse.Namespace, words: list[str]) -> int:
    try:
        command = import_module(f"orchestrator.cli.{name}")
    except ImportError as error:
        return _missing(error, name)
    own = argparse.ArgumentParser(
        prog=f"orchestrator {name}", description=(command.__doc__ or "").strip().partition("\n")[0]
    )
    # Given before the command or behind it: both are what people write.
    _common(own, default=argparse.SUPPRESS)
    command.add(own)
    at = words.index("--") if "--" in words and name == "run" else len(words)
    options = own.parse_args(words[:at], namespace=before)
    options.words = words[at + 1 :]
    options.env = options.env or os.environ.get("ORCHESTRATOR_ENV", "")
    options.color = options.color or "auto"
    try:
        code = command.run(options)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # whoever read our output has gone
        return 0
    except KeyboardInterrupt:
        return 130
    except ImportError as error:
        return _missing(error, name)
    except Exception:
        return _bug(name)
    return int(code)


def _missing(error: ImportError, command: str) -> int:
    """The engine's own dependency is not there: one line with the remedy."""
    name = (error.name or "").partition(".")[0]
    if name in ("", "orchestrator"):
        return _bug(command)
    distribution = {"yaml": "PyYAML"}.get(name, name)
    return _said_last(
        f"error[ORC902]: the engine needs `{name}`, which cannot be imported: {error}; pip install {distribution}",
        3,
        command,
    )


def _bug(command: str) -> int:
    import traceback

    traceback.print_exc()
    return _said_last(BUG, 1, command)


def _said_last(text: str, code: int, command: str) -> int:
    """On stderr, and where the platform looks for it if a service was to be started."""
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
