"""`python`: the interpreter that runs the service."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Literal

from orchestrator.engine.outcome import failed, ok
from orchestrator.requirements._base import Requirement
from orchestrator.spec.model import described
from orchestrator.spec.types import Specifier

if TYPE_CHECKING:
    from packaging.specifiers import SpecifierSet

    from orchestrator.engine.context import Context
    from orchestrator.engine.outcome import Outcome


class Python(Requirement):
    """The Python that runs the service."""

    kind = "python"
    noun = "Python requirement"
    shorthand = "version"

    version: Specifier | None = described(None, "A version specifier (PEP 440).", examples=[">=3.11"])
    implementation: Literal["cpython", "pypy", "graalpy"] | None = described(None, "The implementation.")
    venv: bool | None = described(None, "Whether it must be the Python of a virtual environment.")
    utf8: bool | None = described(None, "Whether text files and standard streams must be UTF-8 by default.")

    @property
    def title(self) -> str:
        return ""

    def attempt(self, context: Context) -> Outcome:
        del context
        version = ".".join(map(str, sys.version_info[:3]))
        wrong = [*self._version(version), *self._kind(), *self._encoding()]
        if wrong:
            said, hints = zip(*wrong, strict=True)
            return failed("ORC411", "version", "; ".join(said), "; ".join(hints), final=True, found=version)
        return ok(f"{sys.implementation.name} {version}", found=version)

    def _version(self, found: str) -> list[tuple[str, str]]:
        if self.version is None:
            return []
        from packaging.specifiers import SpecifierSet

        wanted = SpecifierSet(self.version)
        if wanted.contains(found, prereleases=True):
            return []
        return [
            (
                f"needs Python {self.version}, this is {found}",
                f"use a base image with Python {self.version}: FROM python:{_nearest(wanted)}-slim",
            )
        ]

    def _kind(self) -> list[tuple[str, str]]:
        found = sys.implementation.name
        wrong = []
        if self.implementation not in (None, found):
            wrong.append(
                (f"needs {self.implementation}, this is {found}", f"run it with {self.implementation}")
            )
        inside = sys.prefix != sys.base_prefix
        if self.venv is not None and self.venv != inside:
            where = f"needs {'a' if self.venv else 'no'} virtual environment, sys.prefix is {sys.prefix}"
            hint = (
                "put the environment's bin directory first: ENV PATH=/opt/venv/bin:$PATH"
                if self.venv
                else "use the system's Python"
            )
            wrong.append((where, hint))
        return wrong

    def _encoding(self) -> list[tuple[str, str]]:
        if self.utf8 is None:
            return []
        utf8 = sys.flags.utf8_mode == 1 or sys.getfilesystemencoding() == "utf-8"
        if utf8 == self.utf8:
            return []
        return [("the default encoding is not UTF-8", "set PYTHONUTF8=1, or LANG=C.UTF-8")]


def _nearest(wanted: SpecifierSet) -> str:
    """Of the versions that fit, the one nearest to this: the least that has to change."""
    here = sys.version_info.minor
    fitting = [
        minor for minor in range(8, 40) if any(wanted.contains(f"3.{minor}.{last}") for last in (0, 99))
    ]
    return f"3.{min(fitting, key=lambda minor: (abs(minor - here), minor))}" if fitting else "X.Y"


KIND = Python
