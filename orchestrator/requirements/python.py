"""`python`: the interpreter that runs the service."""

import os
import sys
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

from pydantic import AfterValidator, Field, WithJsonSchema

from orchestrator.core.outcome import failed, ok
from orchestrator.requirements._base import COMMON, Requirement
from orchestrator.spec.errors import problem
from orchestrator.spec.templated import Templated
from orchestrator.spec.types import NonEmpty, PathText, Specifier

if TYPE_CHECKING:
    from collections.abc import Iterator

    from packaging.specifiers import SpecifierSet

    from orchestrator.core.context import Context
    from orchestrator.core.outcome import Outcome

_SAME_ARCH = {"amd64": "x86_64", "arm64": "aarch64"}
"""Docker's words for what the kernel calls otherwise."""


def _bits(value: int) -> int:
    if value in (32, 64):
        return value
    raise problem("ORC103", f"addresses have 32 or 64 bits, got `{value}`", "write 64")


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

    version: Templated[Specifier] | None = Field(
        None, description="A version specifier (PEP 440).", examples=[">=3.11"]
    )
    implementation: Templated[Literal["cpython", "pypy", "graalpy"]] | None = Field(
        None, description="The implementation."
    )
    free_threaded: Templated[bool] | None = Field(
        None,
        description="Whether it must run without the global interpreter lock (true), or with it (false).",
    )
    arch: Templated[str] | Annotated[tuple[Templated[str], ...], NonEmpty] | None = Field(
        None, description="The machine it must run on, or several.", examples=["x86_64", ["amd64", "arm64"]]
    )
    bits: Templated[Annotated[int, AfterValidator(_bits), WithJsonSchema({"enum": [32, 64]})]] | None = Field(
        None, description="How wide its addresses must be."
    )
    venv: Templated[bool] | None = Field(
        None, description="Whether it must be the Python of a virtual environment."
    )
    prefix: Templated[PathText] | None = Field(
        None, description="The directory it must be installed in (`sys.prefix`).", examples=["/opt/venv"]
    )
    utf8: Templated[bool] | None = Field(
        None, description="Whether text files and standard streams must be UTF-8 by default."
    )
    optimise: Templated[Annotated[int, Field(ge=0, le=2)]] | None = Field(
        None,
        description="How much it must leave out: 0 nothing, 1 `assert` (PYTHONOPTIMIZE=1), 2 docstrings as well.",
    )
    hash_seed: Templated[Annotated[int, Field(ge=0, le=4294967295)] | Literal["random"]] | None = Field(
        None, description="What PYTHONHASHSEED must be: `random`, which is also without it, or a number."
    )
    unbuffered: Templated[bool] | None = Field(
        None, description="Whether what it prints must be seen at once (PYTHONUNBUFFERED), or must not."
    )
    dont_write_bytecode: Templated[bool] | None = Field(
        None, description="Whether it must write no compiled modules (PYTHONDONTWRITEBYTECODE), or must."
    )
    path_contains: Annotated[tuple[Templated[PathText], ...], NonEmpty] | None = Field(
        None, description="Directories that modules must be looked for in (`sys.path`).", examples=[["src"]]
    )
    user_site: Templated[bool] | None = Field(
        None,
        description="Whether packages in a user's home directory must be found too (true), or must not (false).",
    )

    @property
    def title(self) -> str:
        return ""

    def attempt(self, context: "Context") -> "Outcome":
        version = ".".join(map(str, sys.version_info[:3]))
        wrong = [*self._version(version), *self._build()]
        if self.model_fields_set - COMMON - {"version", "implementation"}:
            wrong += [*self._place(context), *self._encoding(), *self._environment(context)]
        if wrong:
            said = "; ".join(each.summary for each in wrong)
            hint = "; ".join(each.hint for each in wrong)
            return failed("ORC411", wrong[0].reason, said, hint, final=True, found=version)
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

    def _build(self) -> "Iterator[Wrong]":
        """What it was made as, and for which machine."""
        found = sys.implementation.name
        if self.implementation not in (None, found):
            said = f"needs {self.implementation}, this is {found}"
            yield Wrong("implementation", said, f"run it with {self.implementation}")
        if self.free_threaded is not None:
            yield from self._threads(self.free_threaded)
        if self.arch is not None:
            yield from _machine((self.arch,) if isinstance(self.arch, str) else self.arch)
        bits = 64 if sys.maxsize > 2**32 else 32
        if self.bits not in (None, bits):
            said = f"needs a Python of {self.bits} bits, this has {bits}"
            yield Wrong("bits", said, f"use a base image of {self.bits} bits: FROM --platform=…")

    def _threads(self, wanted: bool) -> "Iterator[Wrong]":
        made = "t" in sys.abiflags
        locked = getattr(sys, "_is_gil_enabled", lambda: True)()
        if wanted and not made:
            hint = "use a free-threaded build: its executable is called python3.14t or the like"
            yield Wrong("free-threaded", "needs a free-threaded Python, this is none", hint)
        elif wanted and locked:
            said = "needs Python without the global interpreter lock, and it is switched on"
            yield Wrong(
                "free-threaded", said, "set PYTHON_GIL=0; an extension module may have switched it on"
            )
        elif not wanted and not locked:
            said = "needs Python with the global interpreter lock, and it is switched off"
            yield Wrong("free-threaded", said, "set PYTHON_GIL=1, or use another build")

    def _place(self, context: "Context") -> "Iterator[Wrong]":
        inside = sys.prefix != sys.base_prefix
        if self.venv is not None and self.venv != inside:
            said = f"needs {'a' if self.venv else 'no'} virtual environment, sys.prefix is {sys.prefix}"
            hint = (
                "put the environment's bin directory first: ENV PATH=/opt/venv/bin:$PATH"
                if self.venv
                else "use the system's Python"
            )
            yield Wrong("venv", said, hint)
        if self.prefix is not None:
            wanted = os.path.realpath(context.path(self.prefix))
            if os.path.realpath(sys.prefix) != wanted:
                said = f"needs the Python of {self.prefix}, sys.prefix is {sys.prefix}"
                yield Wrong("prefix", said, f"put its bin directory first: ENV PATH={wanted}/bin:$PATH")
        yield from self._search(context)

    def _search(self, context: "Context") -> "Iterator[Wrong]":
        from orchestrator.requirements._installed import search_path

        found = {os.path.realpath(each) for each in search_path(context)}
        for each in self.path_contains or ():
            wanted = context.path(each)
            if os.path.realpath(wanted) not in found:
                said = f"modules are not looked for in {wanted}"
                yield Wrong(
                    "path", said, f"ENV PYTHONPATH={wanted} in the Dockerfile, or install what is there"
                )
        if self.user_site is not None:
            yield from _user_site(self.user_site, context)

    def _encoding(self) -> "Iterator[Wrong]":
        utf8 = sys.flags.utf8_mode == 1 or sys.getfilesystemencoding() == "utf-8"
        if self.utf8 is not None and utf8 != self.utf8:
            said = f"the default encoding is {'UTF-8' if utf8 else 'not UTF-8'}"
            hint = "set PYTHONUTF8=0 and another LANG" if utf8 else "set PYTHONUTF8=1, or LANG=C.UTF-8"
            yield Wrong("encoding", said, hint)

    def _environment(self, context: "Context") -> "Iterator[Wrong]":
        """What the server's Python will be told by its environment."""
        optimise = _level(context, "PYTHONOPTIMIZE", sys.flags.optimize)
        if self.optimise not in (None, optimise):
            said = f"needs the optimisation level {self.optimise}, found {optimise}"
            yield Wrong("optimise", said, _set("PYTHONOPTIMIZE", self.optimise or ""))
        seed = context.environ.get("PYTHONHASHSEED") or "random"
        if self.hash_seed is not None and str(self.hash_seed) != seed:
            said = f"needs the hash seed {self.hash_seed}, found {seed}"
            yield Wrong("hash-seed", said, _set("PYTHONHASHSEED", self.hash_seed))
        for field, name, flag in (
            ("unbuffered", "PYTHONUNBUFFERED", "buffers what it prints"),
            ("dont_write_bytecode", "PYTHONDONTWRITEBYTECODE", "writes compiled modules"),
        ):
            wanted, found = getattr(self, field), bool(context.environ.get(name))
            if wanted is not None and wanted != found:
                said = f"Python {'' if wanted else 'no longer '}{flag}, and {name} is {'set' if found else 'not set'}"
                yield Wrong(field.replace("_", "-"), said, _set(name, "1" if wanted else ""))


def _machine(wanted: tuple[str, ...]) -> "Iterator[Wrong]":
    found = os.uname().machine
    if found not in [_SAME_ARCH.get(each.lower(), each) for each in wanted]:
        said = f"needs a machine of the kind {' or '.join(wanted)}, this is {found}"
        yield Wrong("arch", said, f"build the image for it: docker build --platform linux/{wanted[0]}")


def _user_site(wanted: bool, context: "Context") -> "Iterator[Wrong]":
    import site

    found = bool(site.ENABLE_USER_SITE) and not context.environ.get("PYTHONNOUSERSITE")
    if found == wanted:
        return
    said = f"packages in a home directory are {'' if found else 'not '}found, too"
    hint = (
        "unset PYTHONNOUSERSITE; a virtual environment never looks there"
        if wanted
        else _set("PYTHONNOUSERSITE", "1")
    )
    yield Wrong("user-site", said, hint)


def _level(context: "Context", name: str, running: int) -> int:
    """A flag with a level: what the environment says, else how this Python was started."""
    given = context.environ.get(name)
    if given:
        return min(int(given), 2) if given.isdecimal() else 1
    return 0 if os.environ.get(name) else running


def _set(name: str, value: object) -> str:
    return f"ENV {name}={value} in the Dockerfile" if value != "" else f"take {name} out of the environment"


def _nearest(wanted: "SpecifierSet") -> str:
    """Of the versions that fit, the one nearest to this: the least that has to change."""
    here = sys.version_info.minor
    fitting = [
        minor for minor in range(8, 40) if any(wanted.contains(f"3.{minor}.{last}") for last in (0, 99))
    ]
    return f"3.{min(fitting, key=lambda minor: (abs(minor - here), minor))}" if fitting else "X.Y"


KIND = Python
