"""Which files make a spec: the files named, the overlay of an environment, and the bases that `extends` names.

Gives the layers, lowest first.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from orchestrator.diagnostics import Findings, Place
from orchestrator.diagnostics.patterns import pattern
from orchestrator.document.read import MAX_BYTES, read
from orchestrator.system.reading import Planted, open_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.document.node import Node

_ENVIRONMENT = pattern(r"[a-z0-9-]+\Z")


class Layers:
    """Collects the layers of a spec. With `texts` these are the files there are, otherwise the disk has them."""

    def __init__(self, findings: Findings, texts: Mapping[str, str] | None = None) -> None:
        self.findings = findings
        self.texts = texts
        self.sources: dict[str, str] = {}
        self.trees: list[Node] = []
        self.complete = True
        """Whether every file could be read."""

    def add(self, file: str) -> None:
        """The file, above its own bases, above what is there already."""
        self.trees.extend(self._with_bases(file, (), None))

    def _with_bases(self, file: str, trail: tuple[str, ...], named: Node | None) -> list[Node]:
        tree = self._read(file, named)
        if tree is None:
            self.complete = False
            return []
        below: list[Node] = []
        value = tree.get("extends")
        if (
            value is not None
            and isinstance(value.value, str)
            and value.value.strip()
            and not {"\0", "$"} & set(value.value)
        ):
            below = self._base(file, value, (*trail, file))
            tree = tree.copy()
            assert isinstance(tree.value, dict)
            del tree.value["extends"]
        return [*below, tree]

    def _base(self, file: str, value: Node, trail: tuple[str, ...]) -> list[Node]:
        base = os.path.normpath(os.path.join(os.path.dirname(file), str(value.value)))
        same = [at for at, each in enumerate(trail) if self._same(each, base)]
        if not same:
            return self._with_bases(base, trail, value)
        cycle = " → ".join([*trail[same[0] :], trail[same[0]]])
        self.findings.add("ORC212", f"bases extend one another in a circle: {cycle}", value.place, pointer="/extends",
                          hint="take out one `extends` of the circle")  # fmt: skip
        return []

    def _same(self, one: str, other: str) -> bool:
        if self.texts is not None:
            return os.path.normpath(one) == os.path.normpath(other)
        return os.path.realpath(one) == os.path.realpath(other)

    def _read(self, file: str, named: Node | None) -> Node | None:
        data = self._data(file, named)
        if data is None:
            return None
        before = len(self.findings.found)
        tree = read(data, file, self.findings, overlay=bool(self.trees) and named is None)
        self.sources[file] = data.decode("utf-8-sig", "replace")
        assert tree is not None or len(self.findings.found) > before, (
            f"reading {file} failed without a finding"
        )
        return tree

    def _data(self, file: str, named: Node | None) -> bytes | None:
        if self.texts is not None:
            if file in self.texts:
                return self.texts[file].encode("utf-8", "surrogatepass")
            self._unreadable(file, FileNotFoundError(2, "No such file or directory"), named)
            return None
        try:
            with open(open_for(file, None), "rb") as stream:
                return stream.read(MAX_BYTES + 1)
        except (OSError, ValueError) as error:
            self._unreadable(file, error, named)
            return None

    def _unreadable(self, file: str, error: OSError | ValueError, named: Node | None) -> None:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        planted = (
            f"let uid {error.uid} read it, or leave its directories to root alone"
            if isinstance(error, Planted)
            else ""
        )
        if named is not None:
            hint = planted or f"`extends` is relative to the folder of {named.file}"
            self.findings.add(
                "ORC001", f"cannot read the base {file}: {reason}", named.place, pointer="/extends", hint=hint
            )
            return
        hint = planted or {
            "FileNotFoundError": "name the spec with `-f FILE`, or change to its directory",
            "IsADirectoryError": f"name the file in it: {os.path.join(file, 'startup.yaml')}",
            "PermissionError": f"make it readable for uid {os.geteuid()}",
        }.get(type(error).__name__, "")
        self.findings.add("ORC001", f"cannot read {file}: {reason}", Place(file), hint=hint)


def overlay_name(file: str, environment: str) -> str:
    """`startup.yaml` and `production` make `startup.production.yaml`."""
    root, extension = os.path.splitext(file)
    return f"{root}.{environment}{extension}"


def environments(file: str) -> list[str]:
    """The environments for which an overlay of the spec is there, by name."""
    folder, name = os.path.split(file)
    root, extension = os.path.splitext(name)
    try:
        there = os.listdir(folder or ".")
    except OSError:
        return []
    middle = [each[len(root) + 1 : -len(extension) or None] for each in there
              if each.startswith(root + ".") and each.endswith(extension) and len(each) > len(root) + len(extension)]  # fmt: skip
    return sorted(each for each in middle if _ENVIRONMENT.match(each))


def overlay_of(file: str, environment: str, findings: Findings) -> str | None:
    """The overlay's file; None and a finding when it is not there."""
    overlay = overlay_name(file, environment)
    if not _ENVIRONMENT.match(environment):
        findings.add("ORC210", f"`{environment}` cannot be the name of an environment", Place(file),
                     hint="small letters, digits and `-`")  # fmt: skip
        return None
    if os.path.exists(overlay):
        return overlay
    from orchestrator.core.suggest import closest

    there = environments(file)
    near = closest(environment, there)
    listed = ", ".join(f"`{each}`" for each in there)
    findings.add("ORC210", f"the environment `{environment}` has no overlay: there is no {overlay}", Place(overlay),
                 hint=f"did you mean `{near}`?" if near else f"there are: {listed}" if there else f"write {overlay}, or name no environment")  # fmt: skip
    return None


__all__ = ["Layers", "environments", "overlay_name", "overlay_of"]
