"""Which command lines this very Python will run, and how they come to write their stacks; knows nothing of launches.

Only what is certain is touched: another interpreter, an unusual option or a shell keeps its words as they are.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

DUMPS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "stack_dump.py")
FLAGS = frozenset("bBdEIOPqRsSuv")
"""Options of the interpreter that are a letter and nothing else."""
LONGEST_LINE = 256


def with_dumps(argv: list[str], environ: Mapping[str, str]) -> list[str]:
    """The same command, which writes its stacks when it is sent `dumps.DUMP`; unchanged where it is no Python of ours."""
    program = _found(argv[0], environ)
    if not program:
        return argv
    if _is_ours(program):
        at = _options_end(argv)
        return [*argv[:at], DUMPS, *argv[at:]] if at else argv
    interpreter = _interpreter(program, environ)
    return [*interpreter, DUMPS, program, *argv[1:]] if interpreter else argv


def _found(word: str, environ: Mapping[str, str]) -> str:
    import shutil  # commands alone have a use for it

    return shutil.which(word, path=environ.get("PATH")) or ""


def _is_ours(program: str) -> bool:
    return os.path.realpath(program) == os.path.realpath(sys.executable)


def _options_end(argv: list[str]) -> int:
    """Where the script, or `-m` and the module, begins; 0 where neither can be told."""
    for at, word in enumerate(argv[1:], 1):
        if word == "-m":
            return at if len(argv) > at + 1 else 0
        if not word.startswith("-"):
            return at if os.path.exists(word) else 0
        if not word[1:] or not FLAGS.issuperset(word[1:]):
            return 0
    return 0


def _interpreter(program: str, environ: Mapping[str, str]) -> list[str]:
    """The words behind `#!` in a script, where they name this Python."""
    try:
        with open(program, "rb") as file:
            line = file.readline(LONGEST_LINE)
    except OSError:
        return []
    if not line.startswith(b"#!") or not line.endswith(b"\n"):
        return []
    words = os.fsdecode(line[2:].strip()).split()
    if words and os.path.basename(words[0]) == "env":
        words = [_found(word, environ) for word in words[1:2]] + words[2:]
    plain = all(each.startswith("-") and FLAGS.issuperset(each[1:]) for each in words[1:])
    return words if plain and words and _is_ours(words[0]) else []
