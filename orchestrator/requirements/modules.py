"""`modules`: modules that must be there, or must import.

Finding one runs none of its code. Importing happens in the process that will serve; `judge` turns what that
process tells into outcomes.
"""

import os
import shutil
import sys
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from orchestrator.core.outcome import failed, ok
from orchestrator.diagnostics.patterns import pattern
from orchestrator.requirements import _installed
from orchestrator.requirements._base import Requirement
from orchestrator.requirements._finding import Found, Missing, elsewhere, find, siblings
from orchestrator.spec.breaking import RAISES, CannotBreak
from orchestrator.spec.errors import problem
from orchestrator.spec.templated import Templated
from orchestrator.spec.types import Duration, ImportName, PathText

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.core.context import Context
    from orchestrator.core.outcome import Outcome
    from orchestrator.spec.breaking import Sandbox

_FROM = pattern(
    r"cannot import name '(?P<name>[^']+)' from "
    r"(?P<partial>partially initialized module )?'(?P<module>[^']+)'"
)
_DOTTED = r"^[^\W\d]\w*(\.[^\W\d]\w*)*$"

_WHEN_IMPORTED = ("attribute", "max_import_time")
"""What nobody knows before the module is imported."""


class Module(Requirement):
    """A module that must be found, and by default imported."""

    kind = "module"
    noun = "module"
    shorthand = "module"
    identity_field = "module"
    use = "module"
    removed_keys: ClassVar = {
        "callable": "write a check: `python: package.module:function` calls it",
        "min_version": "list its distribution under `packages`: `NAME>=VERSION`",
        "no_warnings": "write a check: `run: [python, -W, error, -c, import MODULE]`",
        "isolated": "write a check: `run: [python, -c, import MODULE]`",
    }

    module: ImportName = Field(description="The import name.", examples=["helloria.core"])
    depth: Literal["resolvable", "importable"] = Field(
        "importable",
        description="`importable` imports it in the process that will serve; `resolvable` finds it and runs no code.",
    )
    attribute: Templated[Annotated[str, Field(pattern=_DOTTED)]] | None = Field(
        None,
        description="Something that the module must have once it is imported, such as `app` or `Settings.load`.",
    )
    max_import_time: Templated[Duration] | None = Field(
        None,
        description="How long its import may take; a longer one is ended and has failed.",
        examples=["5s"],
    )
    inside: Templated[PathText] | None = Field(
        None,
        description="A path the module must come from: catches a file that hides an installed package.",
        examples=["/app"],
    )

    @model_validator(mode="after")
    def _found_or_imported(self) -> Self:
        for name in _WHEN_IMPORTED:
            if self.depth == "resolvable" and getattr(self, name) is not None:
                raise problem(
                    "ORC113",
                    f"`{name}` is known once the module is imported; `depth: resolvable` imports nothing",
                    f"take `{name}` out, or write `depth: importable`",
                )
        return self

    @property
    def limit(self) -> float | None:
        """How long its import may take before it is ended; None where nothing says."""
        given = (self.deadline if self.deadline is not None else self.timeout, self.max_import_time)
        return min((each for each in given if each), default=None)

    def failures(self) -> tuple[str, ...]:
        return ("missing", "import") if self.depth == "importable" else ("missing",)

    def make_fail(self, failure: str, sandbox: "Sandbox") -> None:
        found = find(self.module, sandbox.search_path())
        if isinstance(found, Missing) or not found.is_file:
            raise CannotBreak(f"there is no file of {self.module}")
        if failure == "missing":
            for folder in found.locations:
                shutil.rmtree(folder)
            sandbox.remove(found.origin)
        elif found.origin.endswith(".py"):
            sandbox.write(found.origin, RAISES.encode())
        else:
            raise CannotBreak(f"{self.module} has no Python source")

    def attempt(self, context: "Context") -> "Outcome":
        """Finds the module without running any code. What importing it comes to is judged by `judge`."""
        path = _installed.search_path(context)
        found = find(self.module, path)
        if isinstance(found, Missing):
            return _missing(self.module, found, path, context)
        return self._wrong_place(found, path, context) or ok(f"found {found.origin}", origin=found.origin)

    def _wrong_place(self, found: Found, path: list[str], context: "Context") -> "Outcome | None":
        if self.inside is not None:
            return self._outside(found, context)
        top, dot, _ = self.module.partition(".")
        return None if dot else _hides(top, found, path)

    def _outside(self, found: Found, context: "Context") -> "Outcome | None":
        assert self.inside is not None
        wanted = os.path.realpath(context.path(self.inside))
        places = [found.origin] if found.is_file else found.locations
        if any(_below(os.path.realpath(each), wanted) for each in places):
            return None
        return failed(
            "ORC426",
            "elsewhere",
            f"{self.module} comes from {found.origin}, not from inside {self.inside}",
            _move_away(found.origin)
            if _below(found.origin, context.cwd)
            else f"PYTHONPATH={wanted} puts that in front",
            final=True,
            origin=found.origin,
        )


def judge(module: Module, event: dict[str, Any], context: "Context | None" = None) -> "Outcome":
    """The outcome of an import, from the importer's event: `imported`, or `failed` with its reason.

    With a context, a module that is not there is searched for, to say what is; and `inside` is checked.
    """
    if event["event"] == "imported":
        return _judge_imported(module, event, context)
    return _JUDGES.get(event["reason"], _judge_exception)(module, event, context)


def _judge_imported(module: Module, event: dict[str, Any], context: "Context | None") -> "Outcome":
    took = float(event.get("ms", 0)) / 1000
    if module.max_import_time is not None and took > module.max_import_time:
        return failed(
            "ORC424",
            "timeout",
            f"{module.module} took {took:.1f} s to import, at most {module.max_import_time:g} s are allowed",
            f"python -X importtime -c 'import {module.module}' shows where the time goes",
            final=True,
            ms=event["ms"],
        )
    if module.inside is not None and context is not None:
        found = find(module.module, _installed.search_path(context))
        outside = module._outside(found, context) if isinstance(found, Found) else None  # noqa: SLF001
        if outside is not None:
            return outside
    return ok(f"imported in {float(event.get('ms', 0)):.0f} ms", ms=event.get("ms", 0))


def _judge_missing(module: Module, event: dict[str, Any], context: "Context | None") -> "Outcome":
    name = str(event.get("missing", ""))
    if event.get("itself"):
        if context is not None and not (found := module.attempt(context)).ok:
            return found
        return failed(
            "ORC421",
            "missing",
            f"there is no module {module.module}: {event['message']}",
            _copy(name),
            final=True,
        )
    where = _shown(str(event.get("at", "")), context) or module.module
    return failed(
        "ORC422",
        "missing",
        f"{where} imports `{name}`, which is not installed",
        _bring(name, context),
        details=str(event.get("traceback", "")),
        final=True,
        missing=name,
    )


def _judge_exception(module: Module, event: dict[str, Any], context: "Context | None") -> "Outcome":
    kind, message = str(event.get("type", "")), str(event.get("message", ""))
    where = _shown(str(event.get("at", "")), context)
    first = message.splitlines()[0] if message else ""
    said = f"{kind}: {first}" if first else kind
    own = kind == "ImportError"
    return failed(
        "ORC422" if own else "ORC423",
        "import" if own else "exception",
        f"{where or module.module} raises {said}",
        _remedy(kind, message, where),
        details=str(event.get("traceback", "")),
        final=True,
    )


def _judge_attribute(module: Module, event: dict[str, Any], context: "Context | None") -> "Outcome":
    del context
    wanted = module.attribute or ""
    return failed(
        "ORC427",
        "attribute",
        str(event.get("message") or f"`{module.module}` has no `{wanted}`"),
        f"define `{wanted}` in {module.module}, or correct `attribute`",
        details=str(event.get("traceback", "")),
        final=True,
    )


def _judge_hang(module: Module, event: dict[str, Any], context: "Context | None") -> "Outcome":
    del context
    limit = f"within {module.max_import_time:g} s" if module.max_import_time else "in time"
    return failed(
        "ORC424",
        "timeout",
        f"the import of {module.module} did not end {limit}",
        "move what waits at import (a connection, a download, a lock) into a function",
        details=str(event.get("message", "")),
        final=True,
    )


def _judge_end(module: Module, event: dict[str, Any], context: "Context | None") -> "Outcome":
    crash = event["reason"] == "crash"
    where = _shown(str(event.get("at", "")), context)
    at = f" ({where})" if where else ""
    return failed(
        "ORC425",
        "crash" if crash else "exit",
        f"{module.module}: {event['message']}{at}",
        f"python -X faulthandler -c 'import {module.module}' shows the line that crashes"
        if crash
        else 'a module must not end the process: put the call behind `if __name__ == "__main__":`',
        details=str(event.get("traceback", "")),
        final=True,
    )


_JUDGES = {
    "missing": _judge_missing,
    "attribute": _judge_attribute,
    "hang": _judge_hang,
    "crash": _judge_end,
    "exit": _judge_end,
}


def _missing(module: str, missing: Missing, path: list[str], context: "Context") -> "Outcome":
    top, _, last = missing.name.rpartition(".")
    parent = missing.parent
    candidates = siblings(parent.locations if parent else [context.cwd])
    if parent is None:
        where = f"no `{last}` in {context.cwd}, nor among what is installed"
    elif not parent.locations:
        where = f"`{top}` is a module and no package ({parent.origin})"
    else:
        where = f"no `{last}` in {', '.join(parent.locations)}"
    hint = _locked(last, parent.locations if parent else path) or _how_to_bring(module, missing, context)
    meant = _meant(module, missing, candidates)
    if meant:
        hint = _both(meant, hint, last) if hint.startswith("COPY") else f"did you mean `{meant}`?"
    return failed("ORC421", "missing", f"{module} is not there: {where}", hint, final=True)


def _both(meant: str, copy: str, last: str) -> str:
    """The likelier remedy first: a name that only goes on is rather another module than a slip."""
    if meant.rpartition(".")[2].startswith(f"{last}_"):
        return f"{copy}; or did you mean `{meant}`?"
    return f"did you mean `{meant}`? otherwise {copy}"


def _meant(module: str, missing: Missing, candidates: list[str]) -> str:
    """A module of nearly that name; empty where there is none."""
    from orchestrator.core.suggest import closest

    parent, _, last = missing.name.rpartition(".")
    near = closest(last, candidates)
    if near is None:
        return ""
    return f"{parent + '.' if parent else ''}{near}{module[len(missing.name) :]}"


def _locked(name: str, places: "Sequence[str]") -> str:
    found = _unreadable(name, places)
    return f"{found} is there and cannot be read: chmod -R a+rX {found}" if found else ""


def _how_to_bring(module: str, missing: Missing, context: "Context") -> str:
    parent = missing.parent
    if parent is None:
        return _bring(module, context)
    place = parent.locations[0] if parent.locations else parent.origin
    top = missing.name.partition(".")[0]
    own = os.path.join(context.cwd, top)
    if os.path.isdir(own) and not _below(place, own):
        # A directory without `__init__.py` gives way to a package of that name anywhere later on the path.
        return f"`{top}` is taken from {place}: add an `__init__.py` to {own}, or rename it"
    if _installed_place(place) or not _below(place, context.cwd):
        return f"the installed `{top}` has no such module: check its version"
    if not parent.locations:
        return f"correct the name, or make {place} a package: a directory with `__init__.py`"
    return _copy(missing.name)


def _unreadable(name: str, places: "Sequence[str]") -> str:
    for place in places:
        if os.path.isdir(place) and not os.access(place, os.R_OK | os.X_OK):
            return place
        for each in (os.path.join(place, name), os.path.join(place, name + ".py")):
            if os.path.exists(each) and not os.access(each, os.R_OK):
                return each
    return ""


def _hides(name: str, found: Found, path: list[str]) -> "Outcome | None":
    """A single local file that hides a package of the standard library or an installed one."""
    if not found.is_file or found.locations or _installed_place(found.origin):
        return None
    for other in elsewhere(name, path, found):
        standard = name in sys.stdlib_module_names
        if standard or (other.locations and _installed_place(other.origin)):
            what = "the standard library's" if standard else "the installed package"
            return failed(
                "ORC426",
                "elsewhere",
                f"{found.origin} hides {what} {name} ({other.origin})",
                _move_away(found.origin),
                final=True,
                origin=found.origin,
            )
    return None


def _installed_place(path: str) -> bool:
    return "/site-packages/" in path or "/dist-packages/" in path or _below(path, sys.base_prefix + "/lib")


def _move_away(path: str) -> str:
    return f"rename {path}: it hides what was meant"


def _bring(name: str, context: "Context | None") -> str:
    """What makes a missing top-level module be there; which of the two it is, the reader knows."""
    top = name.partition(".")[0]
    if context is not None and os.path.isdir(os.path.join(context.cwd, top)):
        return _copy(name)
    yours = f"{_as_package(top)}{_NOT_IGNORED}" if "." in name else _copy(top)
    return f"if a package brings `{top}`: pip install that, and list it under `packages`; if it is yours: {yours}"


def _copy(name: str) -> str:
    """The line of a Dockerfile that brings a module of the project."""
    place = name.replace(".", "/")
    folder = f"{place.rpartition('/')[0]}/" if "/" in place else ""
    return f"COPY {place}.py ./{folder} (a package: {_as_package(place)}){_NOT_IGNORED}"


def _as_package(place: str) -> str:
    return f"COPY {place}/ ./{place}/"


_NOT_IGNORED = ", and no line of .dockerignore against it"


def _remedy(kind: str, message: str, where: str) -> str:
    found = _FROM.search(message) if kind == "ImportError" else None
    if found is None:
        return f"mend {where}: the traceback says what led there" if where else "the traceback says where"
    if found["partial"]:
        return f"`{found['module']}` is imported in a circle: import it inside the function that needs it"
    return (
        f"`{found['module']}` has no `{found['name']}`: check its version, and that no file of yours hides it"
    )


def _shown(place: str, context: "Context | None") -> str:
    """`file:line`, from the working directory where the file is below it."""
    here = (context.cwd if context is not None else os.getcwd()).rstrip("/") + "/"
    return place.removeprefix(here)


def _below(path: str, directory: str) -> bool:
    return path == directory or path.startswith(directory.rstrip("/") + "/")


KIND = Module
