"""Roles: each is laid over the top level by the rules of overlays. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.core.suggest import did_you_mean
from orchestrator.document.node import Node, pointer
from orchestrator.document.overlay import Rules, lay_over

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.diagnostics import Findings

TOP_ONLY = frozenset({"version", "extends", "service", "roles", "default_role", "unknown_role"})
"""Keys that concern the spec as a whole."""


def with_role(tree: Node, body: Node, rules: Rules, findings: Findings) -> Node:
    """The effective document of a role. It has no roles of its own any more."""
    top = tree.copy()
    assert isinstance(top.value, dict)
    for key in ("roles", "default_role", "unknown_role"):
        top.value.pop(key, None)
    return lay_over(top, _allowed(body), rules, findings) if isinstance(body.value, dict) else top


def _allowed(body: Node) -> Node:
    result = body.copy()
    result.directive = None
    assert isinstance(result.value, dict)
    for key in TOP_ONLY & set(result.value):
        del result.value[key]
    return result


def each_role(tree: Node, rules: Rules, findings: Findings) -> Iterator[tuple[str, Node]]:
    """The effective document of every role; findings about keys and tags of the roles themselves."""
    section = tree.get("roles")
    if section is None or not isinstance(section.value, dict):
        return
    for name, body in section.value.items():
        if not isinstance(body.value, dict) or body.directive is not None:
            continue  # said when the top level was decoded
        yield name, with_role(tree, _known(name, body, findings), rules, findings)


def _known(role: str, body: Node, findings: Findings) -> Node:
    """The body without keys that cannot stand in a role; each is a finding."""
    from orchestrator.spec.spec import Spec

    keys = [key for key in Spec.keys() if key not in TOP_ONLY]
    strange = [key for key in body.value or () if key not in keys and not str(key).startswith("x-")]  # type: ignore[union-attr]
    if not strange:
        return body
    result = body.copy()
    assert isinstance(result.value, dict)
    for key in map(str, strange):
        top = key in TOP_ONLY
        hint = (
            "it stands at the top level"
            if top
            else did_you_mean(key, keys) or f"the keys are {', '.join(f'`{each}`' for each in keys)}"
        )
        findings.add("ORC104", f"`{key}` cannot stand in a role" if top else f"unknown key `{key}` in role `{role}`", body.key_place(key),
                     pointer=pointer(("roles", role, key)), hint=hint)  # fmt: skip
        del result.value[key]
    return result
