"""What interpolation knows about variables: before a start from the contracts alone, in a start from the environment."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from orchestrator.document import interpolate
from orchestrator.document.plain import Template, Unknown, as_text
from orchestrator.spec.fallback_checks import action_lists

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from orchestrator.spec.spec import Spec

BUILT_IN_VARIABLES = frozenset({
    "ORCHESTRATOR_SERVICE", "ORCHESTRATOR_ENV", "ORCHESTRATOR_ROLE", "ORCHESTRATOR_DEGRADED", "ORCHESTRATOR_STATE_DIR",
    "PATH", "HOME", "USER", "HOSTNAME", "PWD", "LANG", "TZ", "TMPDIR", "WEB_CONCURRENCY", "PUID", "PGID",
})  # fmt: skip
"""Names that need no contract: the engine's own, and those every container has."""
MAX_CHAIN = 50
"""Defaults that need defaults: so deep are they followed before a start."""


class StaticValues:
    """For `validate`: a variable is known when its contract has one default that stands in the spec."""

    def __init__(self, contracts: Mapping[str, Any]) -> None:
        self.contracts = contracts
        self._known: dict[str, str | None] = {}
        self._depth = 0

    def lookup(self, name: str) -> str | None:
        if name not in self._known:
            self._known[name] = None  # a default that needs itself is never known
            self._known[name] = self._default(name)
        known = self._known[name]
        if known is None:
            raise Unknown(name)
        return known

    def _default(self, name: str) -> str | None:
        contract = self.contracts.get(name)
        if contract is None or contract.generate or self._depth >= MAX_CHAIN:
            return None
        values = contract.default_values()
        if len(values) != 1:
            return None
        value = values[0]
        if not isinstance(value, Template):
            return as_text(value, contract.separator)
        self._depth += 1
        try:
            return interpolate.expand(interpolate.parse(value.written), self.lookup)
        except (Unknown, interpolate.Missing, interpolate.BadInterpolation):
            return None
        finally:
            self._depth -= 1

    @cached_property
    def _secrets(self) -> frozenset[str]:
        """The contracts that are secret, or whose defaults are made from one that is."""
        made_into: dict[str, list[str]] = {}
        for name, contract in self.contracts.items():
            for part in default_references(contract):
                made_into.setdefault(part, []).append(name)
        found = [name for name, contract in self.contracts.items() if contract.secret]
        found += [
            name
            for part in made_into
            if part not in self.contracts and self._is_secret(part)
            for name in made_into[part]
        ]
        secrets: set[str] = set()
        while found:
            name = found.pop()
            if name not in secrets:
                secrets.add(name)
                found.extend(made_into.get(name, ()))
        return frozenset(secrets)

    def _is_secret(self, name: str) -> bool:
        contract = find_contract(self.contracts, name)
        return contract is not None and bool(contract.secret)

    def secret(self, name: str) -> bool:
        """Whether the variable, or anything its default is made from, is secret."""
        return name in self._secrets or (name not in self.contracts and self._is_secret(name))

    def elements(self, name: str) -> Sequence[str] | None:
        contract = find_contract(self.contracts, name)
        if contract is None or contract.type != "list":
            return None
        text = self.lookup(name)
        try:
            return contract.elements(text) if text is not None else ()
        except ValueError:  # an open quote: the contract says so
            raise Unknown(name) from None


class KnownValues(StaticValues):
    """For a plan and a rehearsal: what the environment has, else what the contracts know."""

    def __init__(self, contracts: Mapping[str, Any], environ: Mapping[str, str]) -> None:
        super().__init__(contracts)
        self.environ = environ

    def lookup(self, name: str) -> str | None:
        return self.environ[name] if name in self.environ else super().lookup(name)


class RunValues(StaticValues):
    """For a start: the environment after the contracts were applied. `later` are names that only the run will set."""

    def __init__(
        self, contracts: Mapping[str, Any], environ: Mapping[str, str], later: frozenset[str] = frozenset()
    ) -> None:
        super().__init__(contracts)
        self.environ = environ
        self.later = later

    def lookup(self, name: str) -> str | None:
        if name in self.environ:
            return self.environ[name]
        if name in self.later:
            raise Unknown(name)
        return None


def default_references(contract: Any) -> Iterator[str]:
    """The variables that the defaults of a contract are made from."""
    for value in contract.default_values():
        for text in value if isinstance(value, tuple) else (value,):
            if isinstance(text, Template):
                try:
                    yield from (each.name for each in interpolate.references(interpolate.parse(text.written)))
                except interpolate.BadInterpolation:
                    continue


def find_contract(contracts: Mapping[str, Any], name: str) -> Any:
    """The contract of a variable: its own, else the longest prefix that ends in `*`."""
    if name in contracts:
        return contracts[name]
    matching = [key for key in contracts if key.endswith("*") and name.startswith(key[:-1])]
    return contracts[max(matching, key=len)] if matching else None


def run_time_names(spec: Spec) -> set[str]:
    """Variables that the run itself sets: outputs of steps, exports and values of fallback actions."""
    names: set[str] = set()
    for step in spec.steps:
        names.update(step.output_names)
    for _, _, actions in action_lists(spec):
        for action in actions:
            names.update(action.sets)
    return names
