"""What must end in time whatever the other side sends: patterns and schemas over foreign data.

Python's regular expressions hold the interpreter while they search, so neither a thread nor a deadline of
our own could stop one. A process of its own can be ended.
"""

from __future__ import annotations

import re
import sys

LIMIT = 64 * 1024
"""Characters of foreign text that are looked at."""
SECONDS = 1.0
_NO, _BAD = 3, 4
_CPU = "import resource;resource.setrlimit(resource.RLIMIT_CPU,(5,5))\n"
"""The child ends by itself even when whoever started it was killed."""
_SEARCH = """
import re,sys
head,_,rest=sys.stdin.buffer.read().partition(b"\\n")
size=int(head)
pattern=rest[:size].decode("utf-8","surrogatepass")
sys.exit(0 if re.search(pattern,rest[size:].decode("utf-8","surrogatepass")) else 3)
"""
_SCHEMA = """
import json,sys
given=json.load(sys.stdin)
sys.path[:]=given["path"]
import jsonschema
from referencing import Registry
from referencing.exceptions import Unresolvable
schema=given["schema"]
kind=jsonschema.validators.validator_for(schema,jsonschema.Draft202012Validator)
try:
    kind.check_schema(schema)
    found=jsonschema.exceptions.best_match(kind(schema,registry=Registry()).iter_errors(given["value"]))
except jsonschema.SchemaError as error:
    print("the schema itself is invalid: "+error.message)
    sys.exit(4)
except Unresolvable as error:
    print("the schema refers to what is not in it: "+str(error.ref))
    sys.exit(4)
except RecursionError:
    print("it is nested too deep")
    sys.exit(3)
if found is not None:
    print(found.json_path+": "+found.message)
    sys.exit(3)
"""


class TooLong(Exception):
    """It did not end within its time."""


class Unusable(Exception):
    """The schema cannot be used; the text says why."""


def search(pattern: str, text: str, seconds: float = SECONDS) -> bool:
    """Whether the pattern is found in the first 64 KiB of the text; raises TooLong."""
    text = text[:LIMIT]
    if _linear(pattern):
        return re.search(pattern, text) is not None
    encoded = pattern.encode("utf-8", "surrogatepass")
    given = b"%d\n%b%b" % (len(encoded), encoded, text.encode("utf-8", "surrogatepass"))
    return _child(["-I", "-S", "-c", _CPU + _SEARCH], given, seconds)[0] == 0


def _linear(pattern: str) -> bool:
    """Without repetition, alternatives and back-references there is nothing to try twice."""
    return not any(each in pattern for each in "*+?{|") and re.search(r"\\[1-9]", pattern) is None


def against_schema(schema: object, value: object, seconds: float = 2 * SECONDS) -> str | None:
    """What is wrong with a JSON value, None when it satisfies the schema; no remote `$ref` is fetched.

    Raises TooLong, and Unusable for a schema that cannot be used.
    """
    import json

    try:
        given = json.dumps({"path": sys.path, "schema": schema, "value": value}).encode()
    except RecursionError:
        return "it is nested too deep"
    code, said = _child(["-I", "-c", _CPU + _SCHEMA], given, seconds)
    if code == _BAD:
        raise Unusable(said)
    return said if code == _NO else None


def _child(arguments: list[str], given: bytes, seconds: float) -> tuple[int, str]:
    import subprocess

    command = [sys.executable, *arguments]
    try:
        done = subprocess.run(
            command, input=given, capture_output=True, timeout=seconds, check=False, start_new_session=True
        )
    except subprocess.TimeoutExpired:
        raise TooLong from None
    if done.returncode < 0:
        raise TooLong
    if done.returncode not in (0, _NO, _BAD):
        raise RuntimeError(f"evaluating in a child failed: {done.stderr.decode('utf-8', 'replace')[-500:]}")
    return done.returncode, done.stdout.decode("utf-8", "replace").strip()[:300]
