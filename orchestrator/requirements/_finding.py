"""Finds a module as the import system would, without importing it or the packages above it."""

from __future__ import annotations

import os
import sys
from importlib.machinery import BuiltinImporter, FrozenImporter, PathFinder
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from importlib.machinery import ModuleSpec


class Found(NamedTuple):
    """A module that is there."""

    origin: str
    """Its file; the directory of a namespace package; `built-in` or `frozen`."""
    locations: tuple[str, ...] = ()
    """Where its own modules are looked for; empty: it is no package."""

    @property
    def is_file(self) -> bool:
        return os.path.isabs(self.origin)


class Missing(NamedTuple):
    """The first part of a dotted name that is not there."""

    name: str
    """The dotted name up to the missing part."""
    parent: Found | None
    """The package it should be in; None for a top-level name."""


def find(module: str, path: Sequence[str]) -> Found | Missing:
    """Where a module is, or which part of its name is not there."""
    parts = module.split(".")
    parent: Found | None = None
    for count, part in enumerate(parts, 1):
        places = path if parent is None else parent.locations
        found = _look(part, places, top=parent is None) if places else None
        if found is None:
            return Missing(".".join(parts[:count]), parent)
        parent = found
    assert parent is not None
    return parent


def elsewhere(name: str, path: Sequence[str], found: Found) -> Iterator[Found]:
    """Other modules of the same top-level name further down the path, which the found one hides."""
    for place in path:
        other = _on_path(name, [place])
        if other is not None and other.origin != found.origin and os.path.isfile(other.origin):
            yield other


def siblings(places: Sequence[str]) -> list[str]:
    """The names of the modules in some directories."""
    return list(dict.fromkeys(name for place in places for name in _modules_in(place)))


def _modules_in(place: str) -> Iterator[str]:
    try:
        with os.scandir(place) as entries:
            for entry in entries:
                stem, dot, ending = entry.name.partition(".")
                module = ending.endswith(("py", "so")) if dot else entry.is_dir()
                if module and stem.isidentifier() and stem not in ("__init__", "__pycache__"):
                    yield stem
    except OSError:
        return


def _look(name: str, places: Sequence[str], *, top: bool) -> Found | None:
    if top:
        for finder, kind in ((BuiltinImporter, "built-in"), (FrozenImporter, "frozen")):
            if (spec := finder.find_spec(name)) is not None:
                return Found(kind, tuple(spec.submodule_search_locations or ()))
    found = _on_path(name, places)
    if found is None:
        _forget(places)
        found = _on_path(name, places)
    return found or (_by_hook(name) if top else None)


def _on_path(name: str, places: Sequence[str]) -> Found | None:
    # The last part alone: with the dots, namespace packages ask for a parent that was never imported.
    spec = PathFinder.find_spec(name, list(places))
    return None if spec is None else _described(spec)


def _by_hook(name: str) -> Found | None:
    """Editable installs bring finders of their own."""
    for finder in sys.meta_path:
        if finder in (BuiltinImporter, FrozenImporter, PathFinder) or not hasattr(finder, "find_spec"):
            continue
        if (spec := finder.find_spec(name, None)) is not None:
            return _described(spec)
    return None


def _described(spec: ModuleSpec) -> Found:
    locations = tuple(spec.submodule_search_locations or ())
    return Found(spec.origin or (locations[0] if locations else ""), locations)


def _forget(places: Sequence[str]) -> None:
    """A directory that changed within the resolution of its time stamp is listed from memory."""
    for place in places:
        finder = sys.path_importer_cache.get(place)
        if finder is not None and hasattr(finder, "invalidate_caches"):
            finder.invalidate_caches()
