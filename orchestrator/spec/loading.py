"""Files to a Spec: read, merge, interpolate what is known, decode, check what refers to what.

All problems are collected; only a file that cannot be read ends it early.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from orchestrator.diagnostics import Diagnostic, Findings, Place, Related, in_order, suppress
from orchestrator.document.overlay import Rules, lay_over, leftovers
from orchestrator.document.plain import Missing, Plain
from orchestrator.spec.follow_ups import once
from orchestrator.spec.locations import Locations
from orchestrator.spec.messages import translate
from orchestrator.spec.sections import ITEM_LISTS, identify, shorthand
from orchestrator.spec.sources import Layers, environments, overlay_name, overlay_of
from orchestrator.spec.spec import Spec
from orchestrator.spec.values import KnownValues, StaticValues

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from orchestrator.document.node import Node
    from orchestrator.document.plain import Values
    from orchestrator.spec.index import Known

    Path = tuple[str | int, ...]

__all__ = [
    "Loaded", "SpecError", "environments", "load", "load_files", "load_text", "missing_findings", "overlay_name", "provenance",
]  # fmt: skip

_AS_WRITTEN = frozenset({"roles"})
"""What is not filled in with the rest: a role is, when it has been laid over the top level."""


class SpecError(Exception):
    """A spec that cannot be used. `diagnostics` has every problem, `sources` the texts for excerpts."""

    def __init__(self, diagnostics: Sequence[Diagnostic], sources: Mapping[str, str]) -> None:
        super().__init__(
            "\n".join(f"{each.place}: {each.severity}[{each.code}]: {each.message}" for each in diagnostics)
        )
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
    missing: list[Missing] = field(default_factory=list)
    """After `resolve`: variables without a value, one entry for each place that needs one."""
    role: str = ""
    places: Locations | None = None
    """Where the parts of the spec stand."""

    @property
    def failed(self) -> bool:
        return self.spec is None or any(each.severity == "error" for each in self.diagnostics)

    def place(self, path: Path) -> Place | None:
        return self.places.place(path) if self.places is not None else None

    def beside(self, path: Path, text: str) -> str:
        """A path that is relative to the file in which the value at `path` stands, as `schema` is."""
        import os

        place = self.place(path)
        return os.path.join(os.path.dirname(place.file), text) if place is not None else text

    def resolve(self, values: Values) -> Loaded:
        """The same spec with the values of variables put in; problems of these values are its diagnostics."""
        assert self.tree is not None
        findings = Findings()
        plain = Plain(values, findings, _AS_WRITTEN)
        data = plain.document(self.tree)
        places = Locations(self.tree, plain.moved)
        spec = _decode(data, places, findings)
        if spec is not None:
            from orchestrator.spec.option_checks import with_options

            spec = with_options(spec, places, findings)
        left = suppress.accept(suppress.apply(findings.found, self.sources), accepted(self.tree))
        found = [each for each in left if each.code != "ORC223"]
        return replace(self, spec=spec, diagnostics=in_order(found), missing=plain.missing, places=places)

    def for_role(self, role: str) -> Loaded:
        """The spec with a role laid over the top level; the diagnostics stay those of the whole.

        Raises LookupError for a role that `roles` does not have. No role at all is the top level itself.
        """
        assert self.tree is not None
        bodies = self.tree.get("roles")
        if not role:
            return self
        body = bodies.get(role) if bodies is not None else None
        if body is None:
            raise LookupError(role)
        from orchestrator.spec.roles import with_role

        tree = with_role(self.tree, body, RULES, Findings())
        findings = Findings()
        static, plain = _statically(tree, findings)
        places = Locations(tree, plain.moved)
        return replace(self, spec=_decode(static, places, findings), tree=tree, role=role, places=places)


def load(*files: str, environment: str = "") -> Spec:
    """The typed spec of one or several files, each laid over the one before it; raises SpecError.

    `environment` lays `startup.<environment>.yaml` over a single file. Values that contain `${…}` without a known
    default are still the text as written.
    """
    loaded = load_files(files or ("startup.yaml",), environment=environment)
    if loaded.spec is None or loaded.failed:
        raise SpecError(loaded.diagnostics, loaded.sources)
    return loaded.spec


def load_files(files: Sequence[str], *, environment: str = "") -> Loaded:
    """Like `load`, with everything that was found, errors and warnings, as values."""
    findings = Findings()
    layers = Layers(findings)
    names = list(files)
    for name in names:
        layers.add(name)
    if environment and layers.complete:
        overlay = overlay_of(names[0], environment, findings)
        layers.complete = overlay is not None
        if overlay is not None:
            names.append(overlay)
            layers.add(overlay)
    there = names[0] if len(files) == 1 else ""
    return _finish(layers, findings, environment, tuple(names), lambda: environments(there) if there else [])


def load_text(text: str, file: str = "startup.yaml", overlays: Mapping[str, str] | None = None, *, environment: str = "",
              bases: Mapping[str, str] | None = None) -> Loaded:  # fmt: skip
    """A spec from texts: for tools and tests. `overlays` are laid over it in their order; `extends` finds `bases`."""
    findings = Findings()
    texts = {file: text, **(overlays or {})}
    layers = Layers(findings, {**(bases or {}), **texts})
    for name in texts:
        layers.add(name)
    return _finish(layers, findings, environment, tuple(texts), list)


def _finish(layers: Layers, findings: Findings, environment: str, files: tuple[str, ...],
            overlays: Callable[[], list[str]]) -> Loaded:  # fmt: skip
    if not layers.complete or not layers.trees:
        return Loaded(None, None, in_order(findings.found), layers.sources, environment, files)
    leftovers(layers.trees[0], findings)
    tree = layers.trees[0]
    for over in layers.trees[1:]:
        tree = lay_over(tree, over, RULES, findings)
    spec, places = _validated(tree, findings, overlays)
    found = in_order(suppress.accept(suppress.apply(once(findings.found), layers.sources), accepted(tree)))
    return Loaded(spec, tree, found, layers.sources, environment, files, places=places)


def accepted(tree: Node) -> list[suppress.Suppression]:
    """The codes that the spec accepts under `lint`, each with its reason."""
    lint = tree.get("lint")
    ignore = lint.get("ignore") if lint is not None else None
    if ignore is None or not isinstance(ignore.value, dict):
        return []
    return [
        suppress.Suppression((code,), each.value.strip(), ignore.key_place(code), 0)
        for code, each in ignore.value.items()
        if isinstance(each.value, str) and each.value.strip()
    ]


def _validated(
    tree: Node, findings: Findings, overlays: Callable[[], list[str]]
) -> tuple[Spec | None, Locations]:
    """Decodes the top level and every role over it, and checks what refers to what in each."""
    from orchestrator.spec.fallback_checks import unused
    from orchestrator.spec.index import Known
    from orchestrator.spec.references import check

    static, plain = _statically(tree, findings)
    places = Locations(tree, plain.moved)
    before = {id(each) for each in findings.found}  # decoding takes some of them back, and says them better
    spec = _decode(static, places, findings)
    whole, broken = spec, frozenset[str]()
    if whole is None:
        whole, broken = _without(static, places, [each for each in findings.found if id(each) not in before])
    del static  # a large spec is large enough once
    known = Known.of(tree, overlays)
    if whole is not None:
        check(whole, places, plain, findings, known, broken)
    if tree.get("roles") is not None:
        from orchestrator.spec.roles import each_role

        for role, its_tree in each_role(tree, RULES, findings):
            _validate_role(role, its_tree, findings, known)
    if whole is not None and not broken:
        unused(whole, places, findings, known)
    return spec, places


def _validate_role(role: str, tree: Node, findings: Findings, known: Known) -> None:
    """What is wrong with the top level is not said again."""
    from orchestrator.spec.references import check

    mine = Findings()
    static, plain = _statically(tree, mine)
    places = Locations(tree, plain.moved)
    spec, broken = _decode(static, places, mine), frozenset[str]()
    if spec is None:
        spec, broken = _without(static, places, mine.found)
    if spec is not None:
        check(spec, places, plain, mine, known.within(role), broken)
    said = {(each.code, each.message, each.place) for each in findings.found}
    findings.found += [each for each in mine.found if (each.code, each.message, each.place) not in said]


def _identity(path: Path, node: Node) -> str | None:
    """The identity of an item in a list at a path, also inside a role."""
    section = _section(path)
    if section not in ITEM_LISTS:
        return None
    value: Any = node.value
    if isinstance(value, dict):
        value = {key: each.value for key, each in value.items()}
    found = identify(section, value)
    return (
        found if isinstance(found, str) else None
    )  # what else a broken item names is found when it is decoded


def _section(path: Path) -> str:
    """The list of items at a path, at the top level or in a role."""
    return str(path[2] if len(path) == 3 and path[0] == "roles" else path[0] if len(path) == 1 else "")


def _shorthand(path: Path) -> str | None:
    section = _section(path)
    return shorthand(section) if section in ITEM_LISTS else None


RULES = Rules(lambda path: _section(path) in ITEM_LISTS, _identity, _shorthand)


def _statically(tree: Node, findings: Findings) -> tuple[Any, Plain]:
    """The plain values with what the contracts' defaults tell; contracts first, because they say what is secret."""
    contracts = _contracts(tree)
    plain = Plain(StaticValues(contracts), findings, _AS_WRITTEN)
    return plain.document(tree), plain


def _contracts(tree: Node) -> dict[str, Any]:
    """The contracts that can be decoded; what is wrong with the others is found when the whole is decoded."""
    section = tree.get("variables")
    if section is None or not isinstance(section.value, dict):
        return {}
    from orchestrator.spec.variable import Variable

    contracts: dict[str, Any] = {}
    raw = Plain(StaticValues({}), Findings())
    for name, node in section.value.items():
        try:
            contracts[name] = Variable.model_validate(raw.of(node) or {})
        except ValidationError:
            continue
    return contracts


def _without(data: Any, places: Locations, found: Sequence[Diagnostic]) -> tuple[Spec | None, frozenset[str]]:
    """The spec without the parts that cannot be decoded, and their names: so that the rest is checked as well."""
    from orchestrator.document.node import steps_of

    rest, broken, gone = dict(data), set[str](), dict[str, set[int]]()
    for path in {
        tuple(steps_of(each.pointer)) for each in found if each.severity == "error" and each.pointer
    }:
        section = path[0]
        inner = rest.get(section)
        if section in ITEM_LISTS and len(path) > 1 and path[1].isdigit() and isinstance(inner, tuple):
            index = int(path[1])
            gone.setdefault(section, set()).add(index)
            broken |= _names_of((section,), places.tree.at((section, index))[0])
        elif section not in ("version", "service", "extends") and len(path) > 1 and isinstance(inner, dict):
            rest[section] = {name: each for name, each in inner.items() if name != path[1]}
            broken.add(path[1])
        else:
            rest.pop(section, None)
            broken.add(section)
    for section, indexes in gone.items():
        if isinstance(rest.get(section), tuple):
            _cut(section, indexes, rest, places)
    return _whatever_is_left(rest, broken)


def _names_of(path: Path, item: Node) -> set[str]:
    """What a broken item may be called: where that cannot be told, whatever word stands in it."""
    name = _identity(path, item)
    if name is not None:
        return {name}
    return {each.value for _, each in item.children() if isinstance(each.value, str)}


def _whatever_is_left(rest: dict[str, Any], broken: set[str]) -> tuple[Spec | None, frozenset[str]]:
    """A section that cannot do without what was taken out of it goes as well."""
    for _ in range(2):
        rest.setdefault("version", 1)
        rest.setdefault("service", "unnamed")
        try:
            return Spec.model_validate(rest), frozenset(broken)
        except ValidationError as error:
            for line in error.errors(include_url=False):
                if line["loc"]:
                    broken.add(str(line["loc"][0]))
                    rest.pop(str(line["loc"][0]), None)
    return None, frozenset(broken)


def _cut(section: str, indexes: Collection[int], rest: dict[str, Any], places: Locations) -> None:
    """Takes items out of a list, and remembers where the others stand."""
    values = rest[section]
    origins = places.moved.get((section,), list(range(len(values))))
    kept = [at for at in range(len(values)) if origins[at] not in indexes]
    rest[section] = tuple(values[at] for at in kept)
    places.cut[(section,)] = [origins[at] for at in kept]


def _decode(data: Any, places: Locations, findings: Findings) -> Spec | None:
    try:
        return Spec.model_validate(data)
    except ValidationError as error:
        translate(error, places, data, findings)
        return None


def missing_findings(loaded: Loaded, skipped: Collection[Path] = ()) -> list[Diagnostic]:
    """ORC217 for each variable that a start needs and does not have, with all its places.

    `skipped` are the paths of items that are not tried: what only they need is not missing.
    """
    by_name: dict[str, list[Missing]] = {}
    for each in loaded.missing:
        if not any(each.path[: len(path)] == tuple(path) for path in skipped):
            by_name.setdefault(each.name, []).append(each)
    findings = Findings()
    for name, uses in by_name.items():
        said = next((each.text for each in uses if each.text), "")
        contract = loaded.spec.variables.get(name) if loaded.spec is not None else None
        why = said or (contract.why if contract is not None and contract.why else "")
        findings.add("ORC217", f"the variable `{name}` is not set" + (f": {why}" if why else ""), uses[0].place,
                     item=f"variable:{name}" if contract is not None else "",
                     related=[Related("also needed at", place) for place in dict.fromkeys(each.place for each in uses[1:])],
                     hint=f"set {name} where the container is started, or give a default: `${{{name}:-…}}`")  # fmt: skip
    return in_order(findings.found)


def provenance(loaded: Loaded) -> dict[str, dict[str, Any]]:
    """For each value of the effective spec, by JSON pointer: the file and line it came from, and what it overrode."""
    from orchestrator.document.dump import provenance as of_tree

    return of_tree(loaded.tree) if loaded.tree is not None else {}


def items_with_values(loaded: Loaded, environ: Mapping[str, str]) -> dict[tuple[str | int, ...], Any]:
    """The items by their paths, with the values that are known before a start; the rest stays as it is written."""
    assert loaded.spec is not None
    resolved = loaded.resolve(KnownValues(loaded.spec.variables, environ)).spec
    return dict(resolved.located_items()) if resolved is not None else {}
