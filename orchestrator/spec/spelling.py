"""Numbers and booleans that are taken as texts, and lose their spelling on the way: `1.10` is 1.1. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.document.node import words_for
from orchestrator.document.plain import as_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestrator.diagnostics import Findings
    from orchestrator.document.node import Node
    from orchestrator.spec.locations import Locations
    from orchestrator.spec.spec import Spec

    Path = tuple[str | int, ...]

_NOT_TEXTS = frozenset({"integer", "number", "port", "boolean"})
"""Types of variables to which the spelling does not matter."""


def check(spec: Spec, paths: Iterable[Path], places: Locations, findings: Findings) -> None:
    """Warns where the text is not the one that stands in the spec."""
    for path in paths:
        node, taken = places.tree.at(path)
        if taken == len(path) and _is_taken_as_text(spec, path, places):
            _tell(path, node, places, findings)


def _tell(path: Path, node: Node, places: Locations, findings: Findings) -> None:
    """One value: what YAML made of it, and what to write."""
    text = as_text(node.value)
    places.add(findings, "ORC131", f"YAML reads `{node.raw}` as {words_for(node.value)}: here it becomes the text `{text}`",
               path, hint=f'write "{node.raw}", or {text} if that is meant', written=True)  # fmt: skip


def _is_taken_as_text(spec: Spec, path: Path, places: Locations) -> bool:
    """In the contract of a variable that is no number, and where a condition compares one."""
    if path[0] == "variables" and len(path) > 2 and path[2] in ("default", "allowed"):
        contract = spec.variables.get(path[1])
        return contract is not None and contract.type not in _NOT_TEXTS
    above = path[:-2] if isinstance(path[-1], int) else path[:-1]
    return path[len(above)] in ("equals", "in") and "variable" in (places.tree.at(above)[0].value or ())  # type: ignore[operator]
