"""What interpolation knows about variables: before a start from the contracts alone, in a start from the environment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestrator.document.plain import Unknown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class StaticValues:
    """For `validate`: a variable is known when its contract has one default that stands in the spec."""

    def __init__(self, contracts: Mapping[str, Any]) -> None:
        self.contracts = contracts

    def lookup(self, name: str) -> str | None:
        from orchestrator.document.plain import Interpolated
        from orchestrator.requirements.variables import as_text

        contract = self.contracts.get(name)
        values = contract.default_values() if contract is not None and not contract.generate else ()
        if len(values) != 1 or isinstance(values[0], Interpolated):
            raise Unknown(name)
        return as_text(values[0], contract.separator)

    def secret(self, name: str) -> bool:
        contract = find_contract(self.contracts, name)
        return bool(contract is not None and contract.secret)

    def elements(self, name: str) -> Sequence[str] | None:
        contract = find_contract(self.contracts, name)
        if contract is None or contract.type != "list":
            return None
        text = self.lookup(name)
        return contract.elements(text) if text is not None else ()


class RunValues(StaticValues):
    """For a start: the environment after the contracts were applied. `later` are names that only the run will set."""

    def __init__(self, contracts: Mapping[str, Any], environ: Mapping[str, str], later: frozenset[str] = frozenset()) -> None:
        super().__init__(contracts)
        self.environ = environ
        self.later = later

    def lookup(self, name: str) -> str | None:
        if name in self.environ:
            return self.environ[name]
        if name in self.later:
            raise Unknown(name)
        return None


def find_contract(contracts: Mapping[str, Any], name: str) -> Any:
    """The contract of a variable: its own, else the longest prefix that ends in `*`."""
    if name in contracts:
        return contracts[name]
    matching = [key for key in contracts if key.endswith("*") and name.startswith(key[:-1])]
    return contracts[max(matching, key=len)] if matching else None
