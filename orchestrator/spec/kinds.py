"""Finding the class of a kind by the user's word: `waits/tcp.py` is `tcp:`.

The file's name is the word, so nothing lists the kinds by hand. A word that no file has is looked up among the
plug-ins that other distributions offer through an entry-point group; nobody else pays for that look-up.
"""

from __future__ import annotations

import os
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any, Self

from orchestrator.spec.errors import Problem

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from orchestrator.spec.model import Model


class BrokenPlugin(Problem):
    """A plug-in that cannot be used. Decoding makes the diagnostic ORC112 of it."""

    def __new__(cls, message: str, hint: str) -> Self:
        return super().__new__(cls, "ORC112", message, hint)


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
        return tuple(
            sorted(
                name[:-3] for name in os.listdir(folder) if name.endswith(".py") and not name.startswith("_")
            )
        )

    @cached_property
    def plugins(self) -> dict[str, tuple[EntryPoint, ...]]:
        """Entry points by name. Asks the metadata of every installed distribution: some 40 ms.

        A built-in kind cannot be replaced: what a spec means must not depend on what else is installed.
        """
        from importlib.metadata import entry_points

        found: dict[str, tuple[EntryPoint, ...]] = {}
        for each in entry_points(group=self.group):
            if each.name not in self.built_in:
                found[each.name] = (*found.get(each.name, ()), each)
        return found

    def names(self, *, plugins: bool = True) -> list[str]:
        return [*self.built_in, *(sorted(self.plugins) if plugins else ())]

    def load(self, name: str) -> type[Model]:
        """The class of a kind. Raises KeyError when there is none of that name, BrokenPlugin when it is of no use."""
        if name in self.built_in:
            kind: type[Model] = import_module(f"{self.package}.{name}").KIND
            return kind
        return self._plugin(name, self.plugins[name])

    def _plugin(self, name: str, offered: tuple[EntryPoint, ...]) -> type[Model]:
        if len({each.value for each in offered}) > 1:
            listed = " and ".join(_origin(each) for each in offered)
            raise BrokenPlugin(
                f"the {self.noun} `{name}` is offered by {listed}", "keep one of them installed"
            )
        try:
            kind = offered[0].load()
        except Exception as error:  # a stranger's module may raise anything when it is imported
            said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            raise BrokenPlugin(
                f"the plug-in for the {self.noun} `{name}` cannot be loaded: {said}",
                f"update or reinstall {_origin(offered[0])}",
            ) from None
        self._usable(name, kind, offered[0])
        return kind  # type: ignore[no-any-return]

    def _usable(self, name: str, kind: Any, offered: EntryPoint) -> None:
        """A kind of this family whose key is the entry point's name."""
        base = self._base()
        if not (isinstance(kind, type) and issubclass(kind, base)):
            what = f"`{offered.value}` is no subclass of {base.__module__}.{base.__name__}"
        elif name not in kind.keys():
            what = f"`{offered.value}` has no field `{name}`"
        else:
            return
        raise BrokenPlugin(
            f"the plug-in for the {self.noun} `{name}` is of no use: {what}",
            f"report it to the authors of {_origin(offered)}",
        )

    def _base(self) -> type[Model]:
        """What every class of the family is made from: found where authors of plug-ins find it."""
        module, name = BASES[self.package]
        base: type[Model] = getattr(import_module(module), name)
        return base


def _origin(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist is not None else entry.value


BASES = {
    "orchestrator.waits": ("orchestrator.waits._base", "Wait"),
    "orchestrator.fallbacks": ("orchestrator.spec.item", "Action"),
    "orchestrator.requirements": ("orchestrator.requirements._base", "Requirement"),
}
WAITS = Kinds("orchestrator.waits", "wait")
FALLBACKS = Kinds("orchestrator.fallbacks", "fallback action")
REQUIREMENTS = Kinds("orchestrator.requirements", "requirement")
SERVERS = Kinds("orchestrator.launch.servers", "server")
