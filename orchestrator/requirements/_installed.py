"""Which distributions are installed, from the names of their metadata directories.

`importlib.metadata` would say the same and costs 40 ms to import; here a directory is listed once, and only
the metadata of what is asked for is read.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any

from orchestrator.diagnostics.patterns import pattern

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from orchestrator.core.context import Context

_SEPARATORS = pattern(r"[-_.]+")
_EXTRA_SECTION = pattern(r"\[(?P<extra>[^:\]]*)(:(?P<marker>.*))?\]\Z")
_TOP_LEVEL = pattern(r"(?P<file>(?P<name>[A-Za-z_]\w*)(?:/__init__)?\.py),")
_MOST_LINES = 5000
"""Of RECORD: a namespace package has no module at its top."""
_METADATA = {".dist-info": "METADATA", ".egg-info": "PKG-INFO"}

_listed: dict[str, tuple[int, dict[str, list[str]]]] = {}
"""Directory → when it was changed last, and normalised name → metadata directories."""


def normalise(name: str) -> str:
    """A distribution's name as PEP 503 compares it."""
    return _SEPARATORS.sub("-", name).lower()


def invalidate() -> None:
    """Forgets what was found; to be called after something was installed."""
    _listed.clear()


def search_path(context: Context) -> list[str]:
    """Where the service will look for modules: its directory, its PYTHONPATH, the engine's own path."""
    own = [each for each in context.environ.get("PYTHONPATH", "").split(os.pathsep) if each]
    places = [context.cwd, *(context.path(each) for each in own), *(each for each in sys.path if each)]
    return list(dict.fromkeys(places))


@dataclass(frozen=True)
class Distribution:
    """An installed distribution: its metadata, read when asked for."""

    path: str
    """Its metadata directory (or file)."""

    @cached_property
    def _headers(self) -> dict[str, list[str]]:
        return _headers(self._read(_METADATA.get(os.path.splitext(self.path)[1], "METADATA"), itself=True))

    @property
    def name(self) -> str:
        return self._first("name") or _name_of(os.path.basename(self.path))

    @property
    def version(self) -> str:
        """Its version; empty where the metadata has none, as after a removal that was interrupted."""
        return self._first("version")

    @property
    def place(self) -> str:
        """The directory it was found in."""
        return os.path.dirname(self.path)

    @property
    def extras(self) -> list[str]:
        given = self._headers.get("provides-extra", [])
        return given or sorted({extra for extra, _ in self._sections() if extra})

    @property
    def requires(self) -> list[str]:
        """What it requires, as PEP 508 texts."""
        return self._headers.get("requires-dist", []) or [text for _, text in self._sections()]

    @cached_property
    def origin(self) -> dict[str, Any]:
        """Where it was installed from, when that was no index (PEP 610)."""
        text = self._read("direct_url.json")
        if not text:
            return {}
        import json

        try:
            data = json.loads(text)
        except ValueError:
            return {}
        return data if isinstance(data, dict) else {}

    @property
    def editable(self) -> str:
        """The source directory of an editable install, else nothing."""
        info = self.origin.get("dir_info")
        if isinstance(info, dict) and info.get("editable"):
            return str(self.origin.get("url", "")).removeprefix("file://")
        return ""

    def top_level(self) -> list[str]:
        """The import names it says it brings."""
        return self._read("top_level.txt").split()

    def lost_module(self) -> str:
        """Its first top-level module, where that was installed and is gone; empty otherwise, and where nothing tells."""
        try:
            with open(os.path.join(self.path, "RECORD"), encoding="utf-8", errors="replace") as record:
                lines = list(islice(record, _MOST_LINES))
        except OSError:
            return ""
        module = next((found for line in lines if (found := _TOP_LEVEL.match(line))), None)
        if module is None:
            return ""
        file = os.path.join(self.place, module["file"])
        return "" if os.path.exists(file) or os.path.exists(file + "c") else module["name"]

    def _first(self, header: str) -> str:
        return next(iter(self._headers.get(header, ())), "")

    def _read(self, name: str, *, itself: bool = False) -> str:
        single = os.path.isfile(self.path)
        if single and not itself:
            return ""
        try:
            with open(
                self.path if single else os.path.join(self.path, name), encoding="utf-8", errors="replace"
            ) as file:
                return file.read()
        except OSError:
            return ""

    def _sections(self) -> Iterator[tuple[str, str]]:
        """Extra and requirement, from the requires.txt of an egg."""
        extra = marker = ""
        for line in map(str.strip, self._read("requires.txt").splitlines()):
            if found := _EXTRA_SECTION.match(line):
                extra, marker = found["extra"], found["marker"] or ""
            elif line:
                conditions = [f"({marker})"] * bool(marker) + [f'extra == "{extra}"'] * bool(extra)
                yield extra, f"{line} ; {' and '.join(conditions)}" if conditions else line


def find(name: str, path: Sequence[str]) -> list[Distribution]:
    """The distributions of that name in the first directory that has one: more than one is a leftover."""
    wanted = normalise(name)
    for directory in path:
        found = _names(directory).get(wanted)
        if found:
            return [Distribution(each) for each in found]
    return []


def names(path: Sequence[str]) -> list[str]:
    """The normalised names of all distributions."""
    return list(dict.fromkeys(name for directory in path for name in _names(directory)))


def provider(module: str, path: Sequence[str]) -> str:
    """The installed distribution that says it brings a top-level module; empty when none does."""
    for name in names(path):
        for each in find(name, path):
            if module in each.top_level():
                return each.name
    return ""


def _names(directory: str) -> dict[str, list[str]]:
    try:
        changed = os.stat(directory).st_mtime_ns
        known = _listed.get(directory)
        if known is None or known[0] != changed:
            known = _listed[directory] = (changed, _scan(directory))
    except OSError:  # not there, or a zip archive
        return {}
    return known[1]


def _scan(directory: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.name.endswith((".dist-info", ".egg-info")):
                found.setdefault(normalise(_name_of(entry.name)), []).append(entry.path)
    return found


def _name_of(entry: str) -> str:
    """`fastapi` of `fastapi-0.110.dist-info` and of `fastapi-0.110-py3.11.egg-info`."""
    stem, kind = os.path.splitext(entry)
    return stem.rpartition("-")[0] or stem if kind == ".dist-info" else stem.partition("-")[0]


def _headers(text: str) -> dict[str, list[str]]:
    """The headers above the first empty line. The email parser would do, and is slow to import."""
    headers: dict[str, list[str]] = {}
    for line in text.splitlines():
        if not line:
            break
        name, colon, value = line.partition(":")
        if colon and not line[0].isspace():
            headers.setdefault(name.lower(), []).append(value.strip())
    return headers
