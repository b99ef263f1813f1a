"""Files to a Spec: read, merge, interpolate what is known, decode, check what refers to what.

All problems are collected; only a file that cannot be read ends it early.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from orchestrator.diagnostics import Diagnostic, Findings, Place, in_order
from orchestrator.document.node import Node
from orchestrator.document.overlay import lay_over, leftovers
from orchestrator.document.plain import Plain
from orchestrator.document.read import MAX_BYTES, read
from orchestrator.spec.errors import translate
from orchestrator.spec.spec import ITEM_LISTS, Spec, identify
from orchestrator.spec.values import StaticValues

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestrator.document.plain import Values




class SpecError(Exception):
    """A spec that cannot be used. `diagnostics` has every problem, `sources` the texts for excerpts."""

    def __init__(self, diagnostics: Sequence[Diagnostic], sources: Mapping[str, str]) -> None:
        super().__init__("\n".join(f"{each.place}: {each.severity}[{each.code}]: {each.message}" for each in diagnostics))
        self.diagnostics = tuple(diagnostics)
        self.sources = dict(sources)


@dataclass(slots=True)
class Loaded:
    """A spec with where everything stands, and every finding on the way, warnings included."""

    spec: Spec | None
    tree: Node | None
    diagnostics: list[Diagnostic]
    sources: dict[str, str] = field(default_factory=dict)
    environment: str = ""
    files: tuple[str, ...] = ()
    missing: list[tuple[str, str, Place]] = field(default_factory=list)
    """After `resolve`: variables without a value, with the message of `:?` and the place."""

    @property
    def failed(self) -> bool:
        return self.spec is None or any(each.severity == "error" for each in self.diagnostics)

    def place(self, path: tuple[str | int, ...]) -> Place | None:
        return self.tree.at(path)[0].place if self.tree is not None else None

    def resolve(self, values: Values) -> Loaded:
        """The same spec with the values of variables put in; problems of these values are its diagnostics."""
        assert self.tree is not None
        findings = Findings()
        plain = Plain(values, findings)
        spec = _decode(plain.of(self.tree), self.tree, findings)
        return Loaded(spec, self.tree, in_order(findings.found), self.sources, self.environment, self.files, plain.missing)


def load(*files: str, environment: str = "") -> Spec:
    """The typed spec of one or several files, each laid over the one before it; raises SpecError.

    `environment` lays `startup.<environment>.yaml` over a single file. Values that contain `${…}` without a known
    default are still the text as written.
    """
    loaded = load_files(files or ("startup.yaml",), environment=environment)
    if loaded.spec is None or loaded.failed:
        raise SpecError(loaded.diagnostics, loaded.sources)
    return loaded.spec


def overlay_name(file: str, environment: str) -> str:
    """`startup.yaml` and `production` make `startup.production.yaml`."""
    root, extension = os.path.splitext(file)
    return f"{root}.{environment}{extension}"


def load_files(files: Sequence[str], *, environment: str = "") -> Loaded:
    """Like `load`, with everything that was found, errors and warnings, as values."""
    findings = Findings()
    sources: dict[str, str] = {}
    names = list(files)
    if environment:
        overlay = overlay_name(names[0], environment)
        if not os.path.exists(overlay) and os.path.exists(names[0]):
            findings.add("ORC210", f"the overlay of environment `{environment}` is not there: {overlay}", Place(overlay),
                         hint=_overlays_there(names[0]))  # fmt: skip
        else:
            names.append(overlay)
    trees = [tree for name in names if (tree := _read_file(name, findings, sources)) is not None]
    if len(trees) < len(names):
        return Loaded(None, None, in_order(findings.found), sources, environment, tuple(names))
    return _finish(trees, findings, sources, environment, tuple(names))


def load_text(text: str, file: str = "startup.yaml", overlays: Mapping[str, str] | None = None, *, environment: str = "") -> Loaded:
    """A spec from texts: for tools and tests. `overlays` are laid over it in their order."""
    findings = Findings()
    texts = {file: text, **(overlays or {})}
    trees = [tree for name, each in texts.items() if (tree := read(each.encode(), name, findings)) is not None]
    if len(trees) < len(texts):
        return Loaded(None, None, in_order(findings.found), texts, environment, tuple(texts))
    return _finish(trees, findings, dict(texts), environment, tuple(texts))


def _overlays_there(file: str) -> str:
    folder, name = os.path.split(file)
    root, extension = os.path.splitext(name)
    there = sorted(each for each in os.listdir(folder or ".") if each.startswith(root + ".") and each.endswith(extension) and each != name)
    return f"there are: {', '.join(there)}" if there else "no overlay is there"


def _read_file(file: str, findings: Findings, sources: dict[str, str]) -> Node | None:
    try:
        with open(file, "rb") as stream:
            data = stream.read(MAX_BYTES + 1)
            size = os.fstat(stream.fileno()).st_size
    except OSError as error:
        hint = {
            "FileNotFoundError": "name the spec with `-f FILE`, or change to its directory",
            "IsADirectoryError": f"name the file in it: {os.path.join(file, 'startup.yaml')}",
            "PermissionError": f"make it readable for uid {os.geteuid()}",
        }.get(type(error).__name__, "")
        findings.add("ORC001", f"cannot read {file}: {(error.strerror or str(error)).lower()}", Place(file), hint=hint)
        return None
    if len(data) > MAX_BYTES:
        findings.add("ORC002", f"the file has {max(size, len(data)):,} bytes, at most {MAX_BYTES:,} are read", Place(file),
                     hint="is this the right file?")  # fmt: skip
        return None
    before = len(findings.found)
    tree = read(data, file, findings)
    sources[file] = data.decode("utf-8-sig", "replace")
    if tree is None and len(findings.found) == before:
        raise AssertionError(f"reading {file} failed without a finding")
    return tree


def _finish(trees: Sequence[Node], findings: Findings, sources: dict[str, str], environment: str, files: tuple[str, ...]) -> Loaded:
    leftovers(trees[0], findings)
    tree = trees[0]
    for over in trees[1:]:
        tree = lay_over(tree, over, _identity, findings)
    static, plain = _statically(tree, findings)
    before = len(findings.found)
    spec = _decode(static, tree, findings)
    whole, broken = spec, frozenset[str]()
    if whole is None:
        whole, broken = _without(static, tree, findings.found[before:])
    if whole is not None:
        from orchestrator.spec.references import check

        check(whole, tree, plain, findings, broken)
    return Loaded(spec, tree, in_order(findings.found), sources, environment, files)


def _identity(path: tuple[str | int, ...], node: Node) -> str | None:
    """The identity of an item in a list at a path, also inside a role."""
    section = path[2] if len(path) == 3 and path[0] == "roles" else path[0] if len(path) == 1 else None
    if section not in ITEM_LISTS:
        return None
    value: Any = node.value
    if isinstance(value, dict):
        value = {key: each.value for key, each in value.items()}
    return identify(str(section), value)


def _statically(tree: Node, findings: Findings) -> tuple[Any, Plain]:
    """The plain values with what the contracts' defaults tell; contracts first, because they say what is secret."""
    contracts = _contracts(tree)
    plain = Plain(StaticValues(contracts), findings)
    return plain.of(tree), plain


def _contracts(tree: Node) -> dict[str, Any]:
    """The contracts that can be decoded; what is wrong with the others is found when the whole is decoded."""
    section = tree.get("variables")
    if section is None or not isinstance(section.value, dict):
        return {}
    from orchestrator.requirements.variables import KIND as VARIABLE

    contracts: dict[str, Any] = {}
    raw = Plain(StaticValues({}), Findings())
    for name, node in section.value.items():
        try:
            contracts[name] = VARIABLE.model_validate(raw.of(node) or {})
        except ValidationError:
            continue
    return contracts


def _without(data: Any, tree: Node, found: Sequence[Diagnostic]) -> tuple[Spec | None, frozenset[str]]:
    """The spec without the items that cannot be decoded, and their names: so that the rest is checked as well."""
    from orchestrator.document.node import steps_of

    rest, broken, gone = dict(data), set[str](), dict[str, set[int]]()
    for path in {tuple(steps_of(each.pointer)) for each in found}:
        section = str(path[0]) if path else ""
        if section in ITEM_LISTS and len(path) > 1 and path[1].isdigit():
            index = int(path[1])
            gone.setdefault(section, set()).add(index)
            broken.add(_identity((section,), tree.at((section, index))[0]) or "")
        elif section == "variables" and len(path) > 1 and isinstance(rest.get("variables"), dict):
            rest["variables"] = {name: each for name, each in rest["variables"].items() if name != path[1]}
            broken.add(path[1])
        elif section in ("version", "service", ""):
            rest["version"], rest["service"] = 1, "unnamed"
        else:
            rest.pop(section, None)
            broken.add(section)
    for section, indexes in gone.items():
        if isinstance(rest.get(section), tuple) and len(rest[section]) == len(data[section]):
            rest[section] = tuple(each for at, each in enumerate(rest[section]) if at not in indexes)
    try:
        return Spec.model_validate(rest), frozenset(broken)
    except ValidationError:
        return None, frozenset(broken)


def _decode(data: Any, tree: Node, findings: Findings) -> Spec | None:
    try:
        return Spec.model_validate(data)
    except ValidationError as error:
        translate(error, tree, data, findings)
        return None


