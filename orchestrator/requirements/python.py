"""`python`: the interpreter that runs the service."""

import sys
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple

from pydantic import Field

from orchestrator.core.outcome import failed, ok
from orchestrator.requirements._base import Requirement
from orchestrator.spec.templated import Templated
from orchestrator.spec.types import Specifier

if TYPE_CHECKING:
    from collections.abc import Iterator

    from packaging.specifiers import SpecifierSet

    from orchestrator.core.context import Context
    from orchestrator.core.outcome import Outcome
    from orchestrator.spec.breaking import Sandbox

_IN_A_CHECK = "write a check: `{name: build, run: [python, -c, 'import sys; sys.exit(…)']}`"
_AS_VARIABLE = "declare it under `variables`: `{}: {{required: true}}`"


class Wrong(NamedTuple):
    """One thing that is not as it should be."""

    reason: str
    summary: str
    hint: str


class Python(Requirement):
    """The Python that runs the service."""

    kind = "python"
    noun = "Python requirement"
    shorthand = "version"
    removed_keys: ClassVar = {
        **dict.fromkeys(("free_threaded", "arch", "bits", "prefix", "path_contains"), _IN_A_CHECK),
        "optimise": _AS_VARIABLE.format("PYTHONOPTIMIZE"),
        "hash_seed": _AS_VARIABLE.format("PYTHONHASHSEED"),
        "unbuffered": _AS_VARIABLE.format("PYTHONUNBUFFERED"),
        "dont_write_bytecode": _AS_VARIABLE.format("PYTHONDONTWRITEBYTECODE"),
        "user_site": _AS_VARIABLE.format("PYTHONNOUSERSITE"),
    }

    version: Templated[Specifier] | None = Field(
        None, description="A version specifier (PEP 440).", examples=[">=3.11"]
    )
    implementation: Templated[Literal["cpython", "pypy", "graalpy"]] | None = Field(
        None, description="The implementation."
    )
    venv: Templated[bool] | None = Field(
        None, description="Whether it must be the Python of a virtual environment."
    )
    utf8: Templated[bool] | None = Field(
        None, description="Whether text files and standard streams must be UTF-8 by default."
    )

    @property
    def title(self) -> str:
        return ""

    def failures(self) -> tuple[str, ...]:
        return ("version",)

    def make_fail(self, failure: str, sandbox: "Sandbox") -> None:
        del failure
        sandbox.item["version"] = ">=99"

    def attempt(self, context: "Context") -> "Outcome":
        del context
        version = ".".join(map(str, sys.version_info[:3]))
        wrong = [*self._version(version), *self._implementation(), *self._venv(), *self._encoding()]
        if wrong:
            summary = "; ".join(each.summary for each in wrong)
            hint = "; ".join(each.hint for each in wrong)
            return failed("ORC411", wrong[0].reason, summary, hint, final=True, found=version)
        return ok(f"{sys.implementation.name} {version}", found=version)

    def _version(self, found: str) -> "Iterator[Wrong]":
        if self.version is None:
            return
        from packaging.specifiers import SpecifierSet

        wanted = SpecifierSet(self.version)
        if not wanted.contains(found, prereleases=True):
            yield Wrong(
                "version",
                f"needs Python {self.version}, this is {found}",
                f"use a base image with Python {self.version}: FROM python:{_nearest(wanted)}-slim",
            )

    def _implementation(self) -> "Iterator[Wrong]":
        found = sys.implementation.name
        if self.implementation not in (None, found):
            summary = f"needs {self.implementation}, this is {found}"
            yield Wrong("implementation", summary, f"run it with {self.implementation}")

    def _venv(self) -> "Iterator[Wrong]":
        if self.venv in (None, sys.prefix != sys.base_prefix):
            return
        summary = f"needs {'a' if self.venv else 'no'} virtual environment, sys.prefix is {sys.prefix}"
        hint = (
            "put the environment's bin directory first: ENV PATH=/opt/venv/bin:$PATH"
            if self.venv
            else "use the system's Python"
        )
        yield Wrong("venv", summary, hint)

    def _encoding(self) -> "Iterator[Wrong]":
        utf8 = sys.flags.utf8_mode == 1 or sys.getfilesystemencoding() == "utf-8"
        if self.utf8 is not None and utf8 != self.utf8:
            said = f"the default encoding is {'UTF-8' if utf8 else 'not UTF-8'}"
            hint = "set PYTHONUTF8=0 and another LANG" if utf8 else "set PYTHONUTF8=1, or LANG=C.UTF-8"
            yield Wrong("encoding", said, hint)


def _nearest(wanted: "SpecifierSet") -> str:
    """Of the versions that fit, the one nearest to this: the least that has to change."""
    here = sys.version_info.minor
    fitting = [
        minor for minor in range(8, 40) if any(wanted.contains(f"3.{minor}.{last}") for last in (0, 99))
    ]
    return f"3.{min(fitting, key=lambda minor: (abs(minor - here), minor))}" if fitting else "X.Y"


KIND = Python
