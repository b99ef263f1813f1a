"""A module that is not there, or that raises when it is imported: in the private copy of its source."""

from __future__ import annotations

import os
import shutil
from importlib.machinery import PathFinder
from typing import TYPE_CHECKING

from orchestrator.rehearsal.sandbox_filesystem import CannotBreak
from orchestrator.requirements._installed import search_path

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec

    from orchestrator.engine.item import Work
    from orchestrator.rehearsal.sandbox_filesystem import Place

RAISES = 'raise ImportError("made to fail by the rehearsal")\n'


def make(place: Place, work: Work, reason: str) -> None:
    launch = place.start.spec.launch
    more = [place.path(launch.cwd)] if launch is not None and launch.cwd else []
    found = _found(work.item.module, [*more, *search_path(place.start.context())])
    if reason == "import":
        _raise(found)
    else:
        _remove(found)


def _found(name: str, path: list[str]) -> ModuleSpec:
    """Found without importing what is above it."""
    top, *below = name.split(".")
    spec = PathFinder.find_spec(top, path)
    whole = top
    for each in below:
        whole = f"{whole}.{each}"
        above = list(spec.submodule_search_locations or ()) if spec is not None else []
        spec = PathFinder.find_spec(whole, above) if above else None
    if spec is None or (spec.origin is None and not spec.submodule_search_locations):
        raise CannotBreak(f"there is no file of {name}")
    return spec


def _remove(spec: ModuleSpec) -> None:
    for folder in spec.submodule_search_locations or ():
        shutil.rmtree(folder)
    if spec.origin is not None and os.path.exists(spec.origin):
        os.unlink(spec.origin)


def _raise(spec: ModuleSpec) -> None:
    if spec.origin is None or not spec.origin.endswith(".py"):
        raise CannotBreak(f"{spec.name} has no Python source")
    with open(spec.origin, "w", encoding="utf-8") as file:
        file.write(RAISES)
