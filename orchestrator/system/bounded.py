"""What must end in time whatever the other side sends: patterns over foreign data.

Python's regular expressions hold the interpreter while they search, so neither a thread nor a deadline of
our own could stop one. A process of its own can be ended.
"""

from __future__ import annotations

import re
import sys

LIMIT = 64 * 1024
"""Characters of foreign text that are looked at."""
SECONDS = 1.0
_NO = 3
_CPU = "import resource;resource.setrlimit(resource.RLIMIT_CPU,(5,5))\n"
"""The child ends by itself even when whoever started it was killed."""
_SEARCH = """
import re,sys
head,_,rest=sys.stdin.buffer.read().partition(b"\\n")
size=int(head)
pattern=rest[:size].decode("utf-8","surrogatepass")
sys.exit(0 if re.search(pattern,rest[size:].decode("utf-8","surrogatepass")) else 3)
"""


class TooLong(Exception):
    """It did not end within its time."""


def search(pattern: str, text: str, seconds: float = SECONDS) -> bool:
    """Whether the pattern is found in the first 64 KiB of the text; raises TooLong."""
    text = text[:LIMIT]
    if _linear(pattern):
        return re.search(pattern, text) is not None
    encoded = pattern.encode("utf-8", "surrogatepass")
    given = b"%d\n%b%b" % (len(encoded), encoded, text.encode("utf-8", "surrogatepass"))
    return _in_a_child(given, seconds)


def _linear(pattern: str) -> bool:
    """Without repetition, alternatives and back-references there is nothing to try twice."""
    return not any(each in pattern for each in "*+?{|") and re.search(r"\\[1-9]", pattern) is None


def _in_a_child(given: bytes, seconds: float) -> bool:
    import subprocess

    command = [sys.executable, "-I", "-S", "-c", _CPU + _SEARCH]
    try:
        done = subprocess.run(
            command, input=given, capture_output=True, timeout=seconds, check=False, start_new_session=True
        )
    except subprocess.TimeoutExpired:
        raise TooLong from None
    if done.returncode < 0:
        raise TooLong
    if done.returncode not in (0, _NO):
        raise RuntimeError(f"searching in a child failed: {done.stderr.decode('utf-8', 'replace')[-500:]}")
    return done.returncode == 0
