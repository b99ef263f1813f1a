"""The spec to rows: what each failure leads to by what is written. Pure: nothing is asked, tried or started."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.core import words
from orchestrator.core.conditions import Facts, evaluate
from orchestrator.core.order import HEALTH, QUICK
from orchestrator.document.plain import Unknown
from orchestrator.engine.build_items import flat, names_in
from orchestrator.engine.estimate import works_of
from orchestrator.engine.item import Work
from orchestrator.engine.launch_plan import given_for_port
from orchestrator.engine.report import exit_code
from orchestrator.rehearsal import asked
from orchestrator.rehearsal.failures import failures
from orchestrator.rehearsal.rows import DEGRADED, HEALED, MAINTENANCE, READY, STOPPED, Ending, Row
from orchestrator.spec.loading import items_with_values
from orchestrator.spec.values import StaticValues

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestrator.core.words import Lowered
    from orchestrator.spec.item import Action
    from orchestrator.spec.loading import Loaded

    Verdict = tuple[Ending, list[tuple[str, str]]]

KILLED = 137
"""What a server that was killed ends with: 128 and the number of the signal."""


def simulated(loaded: Loaded, environ: Mapping[str, str], only: Sequence[str] = ()) -> list[Row]:
    """A row for each failure of each item, or of the items with these ids, in the order of the phases."""
    known = items_with_values(loaded, environ)
    simulation = _Simulation(loaded, _facts(loaded, environ), known)
    return [
        row
        for work in items(loaded)
        if not only or work.id in only
        for row in simulation.rows(_as_known(work, known))
    ]


def _as_known(work: Work, known: Mapping[tuple[str | int, ...], Any]) -> Work:
    if work.kind == "wait":  # whether it is asked with a password, and through TLS
        work.item = known.get(work.path, work.item)
    return work


def items(loaded: Loaded) -> list[Work]:
    """Everything that can fail, variables included."""
    assert loaded.spec is not None
    variables = [
        Work(f"variable:{name}", contract, ("variables", name), None, QUICK)
        for name, contract in loaded.spec.variables.items()
        if not name.endswith("*")
    ]
    return [*variables, *(_asked(work, loaded) for work in works_of(loaded.spec))]


def _asked(work: Work, loaded: Loaded) -> Work:
    """A health endpoint instead of the section that it stands in."""
    assert loaded.spec is not None
    if work.phase == HEALTH and loaded.spec.health is not None:
        work.item = dict(loaded.spec.health.named())[work.id.partition(":")[2]]
    return work


@dataclass(frozen=True, slots=True)
class _Simulation:
    loaded: Loaded
    facts: Facts
    known: Mapping[tuple[str | int, ...], Any]

    @property
    def spec(self) -> Any:
        return self.loaded.spec

    def rows(self, work: Work) -> list[Row]:
        why = self._not_tried(work)
        if why:
            ending = Ending(READY, self._goes_on)
            return [Row(work.id, "skipped", ending, note=f"not tried: {why}", skipped=True)]
        told = [
            each for each in failures(work) if not self._is_optional(work, each) and not self._is_unseen(each)
        ]
        return [self._row(work, reason) for reason in told]

    def _is_unseen(self, reason: str) -> bool:
        """A command whose health nobody asks has served as soon as it runs: there is no time before."""
        return reason == "boot" and (self.spec.health is None or not any(self.spec.health.named()))

    def _is_optional(self, work: Work, reason: str) -> bool:
        """A variable that is required under a condition may be missing where that does not hold."""
        condition = getattr(self.known.get(work.path), "required_when", None)
        if reason != "missing" or condition is None or work.item.required:
            return False
        return evaluate(condition.lowered(), self.facts)[0] is False

    def _row(self, work: Work, reason: str) -> Row:
        if (work.id, reason) == ("launch", "ended"):
            return self._ended(work)
        return self._followed(work, reason, self._actions(work, work.kind))

    def _followed(self, work: Work, reason: str, actions: list[Action]) -> Row:
        helped, told = self._helped(work, reason, actions)
        if helped is None:
            ending, told = self._verdict(work, reason, actions)
            return Row(work.id, reason, ending, tuple(told))
        return Row(work.id, reason, Ending(HEALED, self._goes_on), tuple(told), (helped,))

    def _helped(
        self, work: Work, reason: str, actions: list[Action]
    ) -> tuple[Ending | None, list[tuple[str, str]]]:
        """What follows if the first remedy does not help; None where no remedy comes before a verdict."""
        told: list[tuple[str, str]] = []
        for at, action in enumerate(actions):
            if not action.remedy:
                if self._settled(work, reason, action) is not None:
                    return None, []
                continue
            if not action.fits(work.item):
                told.append((action.word, "cannot stand in for anything here"))
                continue
            ending, rest = self._verdict(work, reason, actions[at + 1 :])
            others = [word for word, _ in rest]
            then = f" after {', '.join(others)}" if others else ""
            told.append((action.word, f"supposed to help; if it does not: {ending}{then}"))
            return ending, told
        return None, []

    def _verdict(self, work: Work, reason: str, actions: Sequence[Action]) -> Verdict:
        """What a list comes to when no remedy in it helps."""
        told: list[tuple[str, str]] = []
        for action in actions:
            settled = self._settled(work, reason, action)
            if settled is None:
                told.append((action.word, "tried"))
                continue
            ending, said = settled
            if said:
                told.append((action.word, said))
            return self._with_what_needs_it(work, ending, told)
        return Ending(STOPPED, _code(work, reason)), told

    def _with_what_needs_it(self, work: Work, ending: Ending, told: list[tuple[str, str]]) -> Verdict:
        """A variable that was let go takes the port or the launch with it where that is written with it."""
        if work.kind != "variable" or ending.outcome not in (READY, DEGRADED):
            return ending, told
        name = work.id.partition(":")[2]
        launch = self.spec.launch
        if name in names_in(self.loaded, ("launch",)) and (launch.listening_port is not None or launch.unix):
            needs = Work("port", None, ("launch", "port"), None, QUICK)
        elif any(name in names_in(self.loaded, (part,)) for part in ("launch", "health")):
            needs = Work("launch", launch, ("launch",), None, QUICK)
        else:
            return ending, told
        ending, more = self._verdict(needs, "missing", self._actions(needs, needs.id))
        return ending, [*told, *((word, f"for the {needs.id}: {said}") for word, said in more)]

    def _ended(self, work: Work) -> Row:
        """A server that ends by itself: `launch.restart` first, then what is said for its health, else for the launch."""
        policy = self.spec.launch.restart
        if policy is not None and policy.policy != "never":
            ending, _ = self._verdict(work, "ended", self._after_launch(work))
            told = ("restart", f"at most {policy.attempts} times within {policy.within:g} s; then: {ending}")
            return Row(work.id, "ended", Ending(HEALED), (told,), (ending,))
        return self._followed(work, "ended", self._after_launch(work))

    def _after_launch(self, work: Work) -> list[Action]:
        """Without a server there is nothing that could go on."""
        health = self.spec.health
        measured = health is not None and any(health.named())
        given = [
            each.on_failure
            for each in (health, work.item)
            if each is not None and each.on_failure is not None
        ]
        actions = flat(given[0] if given else self.spec.on_failure or (), self.spec.fallbacks or {})
        kind = "health" if measured else "launch"
        return [each for each in actions if each.stands_on(kind) and not each.tolerates]

    def _actions(self, work: Work, kind: str) -> list[Action]:
        item = self.spec.health if work.phase == HEALTH else work.item
        given = given_for_port(self.spec) if kind == "port" else getattr(item, "on_failure", None)
        given = given if given is not None else self.spec.on_failure or ()
        return [each for each in flat(given, self.spec.fallbacks or {}) if each.stands_on(kind)]

    @property
    def _goes_on(self) -> int | None:
        """A role without a launch is over after its steps."""
        return None if self.spec.launch is not None else 0

    def _not_tried(self, work: Work) -> str:
        """Why it is never tried here, where that is written or stands in the environment."""
        when = getattr(self.known.get(work.path, work.item), "when", None)
        if when is None:
            return ""
        holds, why, _ = evaluate(when.lowered(), self.facts)
        return why if holds is False else ""

    def _settled(self, work: Work, reason: str, action: Action) -> tuple[Ending, str] | None:
        """What a verdict comes to, and in words; None for all else: after a plug-in's action the next one follows."""
        lowered = action.lowered()
        match lowered["do"]:
            case words.WARN:
                return Ending(READY, self._goes_on), "going on"
            case words.DEGRADE:
                return Ending(DEGRADED, self._goes_on, (lowered["feature"],)), _degraded(lowered)
            case words.SERVE:
                return Ending(MAINTENANCE), _served(lowered)
            case words.STOP:
                code = lowered["code"]
                return Ending(STOPPED, _code(work, reason) if code is None else code), ""
        return None


def _code(work: Work, reason: str) -> int:
    if reason == "ended":
        return KILLED
    if reason == "missing" and work.kind == "wait":
        reason = "refused"  # as a socket is that is not there yet
    if reason == "dropped":
        secured = asked.secured(work.item) or asked.word(work.item) == "mysql"
        reason = "tls" if secured else "refused"
    return exit_code([(work.kind, reason)])


def _degraded(lowered: Lowered) -> str:
    said = f"going on without {lowered['feature']}"
    if lowered["recheck"] is not None:
        said += f", tried again every {_seconds(lowered['recheck'])}"
    if lowered["max_degraded"] is not None:
        said += f", the next action after {_seconds(lowered['max_degraded'])}"
    return said


def _served(lowered: Lowered) -> str:
    until = f", the next action after {_seconds(lowered['for'])}" if lowered["for"] is not None else ""
    return f"serving {lowered['app']} instead until it holds{until}"


def _seconds(value: float | str) -> str:
    """A duration, or how it is written where only a start knows it."""
    return value if isinstance(value, str) else f"{value:g} s"


def _facts(loaded: Loaded, environ: Mapping[str, str]) -> Facts:
    """What is known without a start: this environment, the defaults that stand in the spec, and nothing of any step."""
    assert loaded.spec is not None
    outputs = {name for step in loaded.spec.steps for name in step.output_names}
    return Facts(
        {**_defaults(loaded.spec), **environ},
        role=loaded.role,
        environment=loaded.environment,
        late=outputs - environ.keys(),
    )


def _defaults(spec: Any) -> dict[str, str]:
    """The variables whose value stands in the spec."""
    values, found = StaticValues(spec.variables), dict[str, str]()
    for name in spec.variables:
        try:
            found[name] = values.lookup(name) or ""
        except Unknown:
            continue
    return found
