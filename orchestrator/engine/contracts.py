"""The contracts of variables applied to a real environment: where each text comes from, and whether it keeps its contract."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from orchestrator.core.outcome import Outcome, failed, ok
from orchestrator.document import interpolate
from orchestrator.document.plain import Template, as_text
from orchestrator.requirements._conditions import CannotTell, holds
from orchestrator.spec.model import Model
from orchestrator.spec.values import find_contract
from orchestrator.system.reading import read_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.core.context import Context
    from orchestrator.spec.variable import Variable

SECRETS_FOLDER = "/run/secrets"


@dataclass(slots=True)
class Applied:
    """The environment after the contracts, and what each came to."""

    environ: dict[str, str]
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    """Contracts whose `when` does not hold, with the reason."""
    warnings: list[tuple[str, str, str]] = field(default_factory=list)
    """Name, message, hint."""
    secrets: list[str] = field(default_factory=list)
    hidden: frozenset[str] = frozenset()
    """Names that are not handed to the server."""

    @property
    def failed(self) -> frozenset[str]:
        return frozenset(name for name, outcome in self.outcomes.items() if not outcome.ok)

    def for_server(self) -> dict[str, str]:
        return {name: text for name, text in self.environ.items() if name not in self.hidden}


def apply(contracts: Mapping[str, Variable], context: Context) -> Applied:
    """Applies every contract; never raises for what the environment holds."""
    return _Application(contracts, context).run()


class _Application:
    def __init__(self, contracts: Mapping[str, Variable], context: Context) -> None:
        self.contracts = contracts
        self.result = Applied(dict(context.environ))
        # Conditions see the environment as it grows: defaults that are applied count.
        self.context = replace(context, environ=self.result.environ)
        self.trail: list[str] = []
        self.done: set[str] = set()

    def run(self) -> Applied:
        for name in self.contracts:
            if not name.endswith("*"):
                self.settle(name)
        for name in sorted(set(self.result.environ) - set(self.contracts)):
            contract = find_contract(self.contracts, name)
            if contract is not None:
                self._settle_found(name, contract)
        self._among_themselves()
        self._remember_secrets()
        return self.result

    def _settle_found(self, name: str, contract: Variable) -> None:
        """A name that a `*` stands for; `NAME_FILE` is not one of them where files are read, but says where NAME is."""
        base = name.removesuffix("_FILE")
        if base == name or not contract.from_file:
            self._judge(name, contract, self.result.environ[name])
        elif base not in self.contracts:
            text, failure = self._from_file(base, self.result.environ.get(base))
            if failure is not None:
                self.result.outcomes[base] = failure
            elif text is not None:
                self.result.environ[base] = text
                self._judge(base, contract, text)

    def settle(self, name: str) -> None:
        """Finds the variable's text and judges it. Defaults may need others first."""
        if name in self.done or name in self.trail:
            return
        self.trail.append(name)
        contract = self.contracts[name]
        try:
            self._settle(name, contract)
        except CannotTell as error:
            self._fail(name, "ORC402", "condition", str(error), "")
        self.trail.pop()
        self.done.add(name)

    def _settle(self, name: str, contract: Variable) -> None:
        if contract.when is not None:
            yes, why = holds(contract.when, self.context)
            if not yes:
                self.result.skipped[name] = why
                return
        if contract.removed and name in self.result.environ:
            said = contract.removed if isinstance(contract.removed, str) else "it has no effect any more"
            self._fail(
                name,
                "ORC403",
                "removed",
                f"`{name}` was removed: {said}",
                f"take {name} out of the environment",
            )
            return
        if contract.renamed_to:
            self._renamed(name, contract.renamed_to)
            return
        text, failure = self._find(name, contract)
        if failure is not None:
            self.result.outcomes[name] = failure
        elif text is None or (text == "" and contract.required):
            self._unset(name, contract)
        else:
            self.result.environ[name] = text
            self._judge(name, contract, text)

    def _find(self, name: str, contract: Variable) -> tuple[str | None, Outcome | None]:
        text = self.result.environ.get(name)
        if contract.from_file:
            text, failure = self._from_file(name, text)
            if failure is not None:
                return None, failure
        if text is None:
            text = self._default(contract)
        if text is None and contract.generate is not None:
            from orchestrator.engine.generated_secrets import generate

            text, outcome = generate(contract.generate, self.context)
            return text, None if outcome.ok else outcome
        return text, None

    def _from_file(self, name: str, text: str | None) -> tuple[str | None, Outcome | None]:
        """The `_FILE` convention of images, and secrets as Docker and Compose mount them. One line end is taken off."""
        named = self.result.environ.get(f"{name}_FILE")
        if text and named is not None:
            return None, failed(
                "ORC403", "both", f"both `{name}` and `{name}_FILE` are set", "keep one of them", final=True
            )
        if text:
            return text, None
        path = named or os.path.join(SECRETS_FOLDER, name.lower())
        if named is None and not os.path.exists(path):
            return text, None
        try:
            user = self.context.user if self.context.user_known else None
            content = read_for(self.context.path(path), user)
            return _without_line_end(content.decode()), None
        except (OSError, UnicodeDecodeError) as error:
            said = (
                error.strerror.lower()
                if isinstance(error, OSError) and error.strerror
                else "it is not UTF-8 text"
            )
            return None, failed("ORC404", "unreadable", f"cannot read `{name}` from {path}: {said}",
                                f"mount it readable for uid {self.context.user.uid}")  # fmt: skip

    def _default(self, contract: Variable) -> str | None:
        default: Any = contract.default
        if isinstance(default, tuple) and default and isinstance(default[0], Model):
            for choice in default:
                if choice.when is None or holds(choice.when, self.context)[0]:
                    return self._text(choice.value, contract)
            return None
        return None if default is None else self._text(default, contract)

    def _text(self, value: Any, contract: Variable) -> str | None:
        if isinstance(value, Template):
            try:
                return interpolate.expand(interpolate.parse(value.written), self._lookup)
            except interpolate.Missing:
                return None
        return as_text(value, contract.separator)

    def _lookup(self, name: str) -> str | None:
        if name in self.contracts:
            self.settle(name)
        return self.result.environ.get(name)

    def _renamed(self, old: str, new: str) -> None:
        environ = self.result.environ
        if old not in environ:
            self.result.outcomes[old] = ok("not set")
        elif new in environ and environ[new] != environ[old] and new not in self.done:
            self._fail(
                old,
                "ORC403",
                "both",
                f"`{old}` was renamed to `{new}`, and both are set to different values",
                f"keep {new} alone",
            )
        else:
            environ.setdefault(new, environ[old])
            self.result.outcomes[old] = ok(f"taken for `{new}`")
            self.result.warnings.append((old, f"`{old}` was renamed to `{new}`", f"set {new} instead"))

    def _unset(self, name: str, contract: Variable) -> None:
        needed = contract.required
        why = ""
        if contract.required_when is not None:
            needed, why = holds(contract.required_when, self.context)
        if not needed:
            self.result.outcomes[name] = ok("not set")
            return
        found = "empty" if name in self.result.environ else "not set"
        because = f" ({why})" if why else ""
        self._fail(
            name,
            "ORC401",
            "missing",
            f"`{name}` is {found} and required{because}",
            _how_to_set(name, contract),
        )

    def _judge(self, name: str, contract: Variable, text: str) -> None:
        wrong = contract.judge(text)
        if wrong is None:
            shown = "set" if contract.secret else f"`{text[:80]}`"
            self.result.outcomes[name] = ok(shown)
        else:
            reason, message, hint = wrong
            self._fail(
                name, "ORC403" if reason == "forbidden" else "ORC402", reason, f"`{name}`: {message}", hint
            )

    def _among_themselves(self) -> None:
        environ = self.result.environ
        for name, contract in self.contracts.items():
            if name not in environ or not self.result.outcomes.get(name, ok("")).ok:
                continue
            for other in contract.conflicts or ():
                if other in environ:
                    self._fail(
                        name,
                        "ORC403",
                        "conflict",
                        f"`{name}` and `{other}` exclude each other, both are set",
                        "unset one of them",
                    )
            for other in contract.requires or ():
                if not environ.get(other):
                    self._fail(
                        name,
                        "ORC403",
                        "requires",
                        f"`{name}` is set and needs `{other}`, which is not",
                        f"set {other}",
                    )

    def _fail(self, name: str, code: str, reason: str, message: str, hint: str) -> None:
        self.result.outcomes[name] = failed(code, reason, message, hint, final=True)

    def _remember_secrets(self) -> None:
        environ = self.result.environ
        for name, text in environ.items():
            contract = find_contract(self.contracts, name)
            if contract is not None and contract.secret and text:
                self.result.secrets.append(text)
        self.result.hidden = frozenset(
            name for name in environ if (c := find_contract(self.contracts, name)) is not None and c.unset
        )


def _without_line_end(text: str) -> str:
    return text.removesuffix("\r\n") if text.endswith("\r\n") else text.removesuffix("\n")


def _how_to_set(name: str, contract: Variable) -> str:
    value = "…" if contract.secret else _example(contract)
    more = f", or mount a secret and set {name}_FILE" if contract.from_file else ""
    return f"docker run -e {name}={value}, or `environment:` in Compose{more}"


def _example(contract: Variable) -> str:
    if contract.allowed:
        return as_text(contract.allowed[0])
    return {"port": "8000", "integer": "1", "boolean": "true", "url": f"{(contract.schemes or ('https',))[0]}://…",
            "duration": "30s", "size": "200MB", "path": "/…"}.get(contract.type, "…")  # fmt: skip
