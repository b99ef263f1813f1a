"""Finding the class of a kind by the user's word: `waits/tcp.py` is `tcp:`.

The file's name is the word, so nothing lists the kinds by hand. A word that no file has is looked up among the
plug-ins that other distributions offer through an entry-point group; nobody else pays for that look-up.
"""

from __future__ import annotations

import os
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestrator.spec.model import Model


class Kinds:
    """The kinds of one family, such as waits."""

    def __init__(self, package: str, noun: str) -> None:
        self.package = package
        self.noun = noun

    @property
    def group(self) -> str:
        """The entry-point group in which plug-ins are looked up."""
        return self.package

    @cached_property
    def built_in(self) -> tuple[str, ...]:
        folder = os.path.dirname(import_module(self.package).__file__ or "")
        return tuple(sorted(name[:-3] for name in os.listdir(folder) if name.endswith(".py") and not name.startswith("_")))

    @cached_property
    def plugins(self) -> dict[str, Any]:
        """Entry points by name. Asks the metadata of every installed distribution: some 40 ms."""
        from importlib.metadata import entry_points

        return {each.name: each for each in entry_points(group=self.group) if each.name not in self.built_in}

    def names(self, *, plugins: bool = True) -> list[str]:
        return [*self.built_in, *(sorted(self.plugins) if plugins else ())]

    def load(self, name: str) -> type[Model]:
        """The class of a kind; raises KeyError when there is none of that name."""
        if name in self.built_in:
            kind: type[Model] = import_module(f"{self.package}.{name}").KIND
            return kind
        return self.plugins[name].load()  # type: ignore[no-any-return]


WAITS = Kinds("orchestrator.waits", "wait")
FALLBACKS = Kinds("orchestrator.fallbacks", "fallback action")
REQUIREMENTS = Kinds("orchestrator.requirements", "requirement")
SERVERS = Kinds("orchestrator.launch.servers", "server")
