"""`python`: a function of the service that says whether something is ready."""

import os
import sys
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from orchestrator.core.outcome import ok
from orchestrator.spec.expect import AnyMatcher
from orchestrator.spec.templated import Templated
from orchestrator.spec.types import FunctionReference
from orchestrator.waits._base import Asking
from orchestrator.waits._failure import Failure

if TYPE_CHECKING:
    from orchestrator.core.context import Context
    from orchestrator.core.outcome import Outcome
    from orchestrator.spec.breaking import Sandbox
    from orchestrator.waits._failure import Deadline

_SCRIPT = """
import importlib, inspect, json, os, sys
fd = int(sys.argv[1])
module, _, attribute = sys.argv[2].partition(":")
del sys.argv[1:]
def say(what, value):
    try:
        text = json.dumps([what, value], default=str)
    except (ValueError, RecursionError):
        text = ""
    if not 0 < len(text) <= 32768:
        text = json.dumps([what, f"a large {type(value).__name__}"])
    os.write(fd, text.encode())
    os.close(fd)
def why(error):
    return f"{type(error).__name__}: {error}"[:500]
def missing(error):
    name = getattr(error, "name", None)
    return isinstance(error, ModuleNotFoundError) and name and (module + ".").startswith(name + ".")
try:
    function = importlib.import_module(module)
    for part in attribute.split("."):
        function = getattr(function, part)
except BaseException as error:
    lost = missing(error) or (isinstance(error, AttributeError) and module in sys.modules)
    say("lost" if lost else "raised", why(error))
    raise
try:
    value = function()
    if inspect.iscoroutine(value):
        import asyncio
        value = asyncio.run(value)
except BaseException as error:
    say("raised", why(error))
    raise
say("returned", value)
"""


class Python(Asking):
    """Waits until a function returns without an exception, and does not return False.

    It is called without arguments, in a process of its own, as the service's user with the service's
    environment; a coroutine function is run.
    """

    ways = ("unexpected", "timeout")
    example: ClassVar = {"name": "models", "python": "app.startup:models_loaded"}

    python: Templated[FunctionReference] = Field(description="The function: `package.module:function`.")
    expect: AnyMatcher = Field(
        None, description="A matcher for what it returns; otherwise anything but False is well."
    )

    def target(self) -> str:
        return str(self.python)

    def make_fail(self, failure: str, sandbox: "Sandbox") -> None:
        sandbox.item["python"] = sandbox.function(failure)
        sandbox.item.pop("expect", None)

    def ask(self, context: "Context", deadline: "Deadline") -> "Outcome":
        import json

        from orchestrator.waits._child import run

        reading, writing = os.pipe()
        try:
            try:
                done = run(
                    [sys.executable, "-c", _SCRIPT, str(writing), self.python], context, deadline, (writing,)
                )
            finally:
                os.close(writing)
            os.set_blocking(reading, False)
            said = os.read(reading, 65536) if _readable(reading) else b""
        finally:
            os.close(reading)
        try:
            what, value = json.loads(said)
        except ValueError:
            raise Failure("unexpected", f"{self.python} {done.end}", details=done.details) from None
        return self._judged(what, value, done.details)

    def _judged(self, what: str, value: Any, details: str) -> "Outcome":
        if what == "lost":
            raise Failure("unexpected", f"there is no {self.python}: {value}", details=details, final=True)
        if what == "raised":
            raise Failure("unexpected", f"{self.python} raised {value}", details=details)
        if "expect" in self.model_fields_set:
            from orchestrator.spec.matching import mismatch

            wrong = mismatch(self.expect, value)
            if wrong:
                raise Failure(
                    "unexpected", f"{self.python} returned something else: {wrong}", details=details
                )
        elif value is False:
            raise Failure("unexpected", f"{self.python} returned false", details=details)
        return ok(f"{self.python} says so")


def _readable(descriptor: int) -> bool:
    import select

    return bool(select.select([descriptor], [], [], 0)[0])


KIND = Python
