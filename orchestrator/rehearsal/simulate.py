"""The spec to rows: what each failure leads to by what is written. Pure: nothing is asked, tried or started."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.engine import conditions
from orchestrator.engine.build_items import flat, names_in
from orchestrator.engine.estimate import works_of
from orchestrator.engine.item import HEALTH, QUICK, Work
from orchestrator.engine.launch_plan import given_for_port
from orchestrator.engine.remedies import using
from orchestrator.engine.report import exit_code
from orchestrator.engine.verdict import stands_on
from orchestrator.rehearsal import asked
from orchestrator.rehearsal.failures import failures
from orchestrator.rehearsal.rows import DEGRADED, HEALED, MAINTENANCE, READY, STOPPED, Ending, Row

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestrator.spec.item import Action
    from orchestrator.spec.loading import Loaded

    Verdict = tuple[Ending, list[tuple[str, str]]]

KILLED = 137
"""What a server that was killed ends with: 128 and the number of the signal."""


def simulated(loaded: Loaded, environ: Mapping[str, str], only: Sequence[str] = ()) -> list[Row]:
    """A row for each failure of each item, or of the items with these ids, in the order of the phases."""
    known = _with_what_is_known(loaded, environ)
    return [
        row
        for work in items(loaded)
        if not only or work.id in only
        for row in _Simulation(loaded, environ).rows(_as_known(work, known))
    ]


def _with_what_is_known(loaded: Loaded, environ: Mapping[str, str]) -> dict[tuple[str | int, ...], Any]:
    """The items with the values that stand in the spec and in this environment; what else there is stays as written."""
    from orchestrator.spec.values import StaticValues

    class Known(StaticValues):
        def lookup(self, name: str) -> str | None:
            return environ[name] if name in environ else super().lookup(name)

    assert loaded.spec is not None
    resolved = loaded.resolve(Known(loaded.spec.variables)).spec
    return dict(resolved.located_items()) if resolved is not None else {}


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
    environ: Mapping[str, str]

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
        asked = getattr(work.item, "required_when", None)
        if reason != "missing" or asked is None or work.item.required:
            return False
        return _decided(asked, self._context())[0] is False

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
            if not _can(action, work.item):
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
            if action.word != "stop":
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
        return [each for each in actions if stands_on(each, kind) and each.word not in ("warn", "degrade")]

    def _actions(self, work: Work, kind: str) -> list[Action]:
        item = self.spec.health if work.phase == HEALTH else work.item
        given = given_for_port(self.spec) if kind == "port" else getattr(item, "on_failure", None)
        given = given if given is not None else self.spec.on_failure or ()
        return [each for each in flat(given, self.spec.fallbacks or {}) if stands_on(each, kind)]

    @property
    def _goes_on(self) -> int | None:
        """A role without a launch is over after its steps."""
        return None if self.spec.launch is not None else 0

    def _not_tried(self, work: Work) -> str:
        """Why it is never tried here, where that is written or stands in the environment."""
        when = getattr(work.item, "when", None)
        if when is None:
            return ""
        yes, why = _decided(when, self._context())
        return why if yes is False else ""

    def _context(self) -> Any:
        from orchestrator.core.context import Context

        return Context(
            {**_defaults(self.spec), **self.environ},
            environment=self.loaded.environment,
            role=self.loaded.role,
        )

    def _settled(self, work: Work, reason: str, action: Any) -> tuple[Ending, str] | None:
        """What a verdict comes to; None for all else: after a plug-in's action the next one follows."""
        match action.word:
            case "warn":
                return Ending(READY, self._goes_on), "going on"
            case "degrade":
                return Ending(DEGRADED, self._goes_on, (action.degrade,)), _said_of_degrade(action)
            case "serve":
                until = f", the next action after {action.for_:g} s" if action.for_ is not None else ""
                return Ending(MAINTENANCE), f"serving {action.serve} instead until it holds{until}"
            case "stop":
                said = action.exit_code
                return Ending(STOPPED, _code(work, reason) if said is None else said), ""
        return None


def _code(work: Work, reason: str) -> int:
    if reason == "ended":
        return KILLED
    if reason == "missing" and work.kind == "wait":
        reason = "refused"  # as a socket is that is not there yet
    if reason == "dropped":
        secured = asked.trust(work.item) is not None and asked.word(work.item) != "postgres"
        reason = "tls" if secured or asked.word(work.item) == "mysql" else "refused"
    return exit_code([(work.kind, reason)])


def _said_of_degrade(action: Any) -> str:
    said = f"going on without {action.degrade}"
    if action.recheck is not None:
        said += f", tried again every {action.recheck:g} s"
    if action.max_degraded is not None:
        said += f", the next action after {action.max_degraded:g} s"
    return said


def _can(action: Any, item: Any) -> bool:
    """Whether a `use` has something to stand in for; what is only known at the start is supposed to fit."""
    return action.word != "use" or action.use.value[0] == "port" or using(item, *action.use.value) is not None


def _defaults(spec: Any) -> dict[str, str]:
    """The variables whose value stands in the spec."""
    from orchestrator.document.plain import Unknown
    from orchestrator.spec.values import StaticValues

    values, found = StaticValues(spec.variables), dict[str, str]()
    for name in spec.variables:
        try:
            found[name] = values.lookup(name) or ""
        except Unknown:
            continue
    return found


def _decided(condition: Any, context: Any) -> tuple[bool | None, str]:
    """Whether it holds, without asking files, commands or packages; None where only a start knows."""
    match type(condition).__name__:
        case "Variable" | "Role" | "Environment":
            try:
                return conditions.holds(condition, context)
            except conditions.CannotTell:
                return None, ""
        case "Not":
            yes, why = _decided(condition.not_, context)
            return (None if yes is None else not yes), why
        case "All":
            return _together([_decided(each, context) for each in condition.all_], decides=False)
        case "AnyOf":
            return _together([_decided(each, context) for each in condition.any_], decides=True)
        case _:
            return None, ""


def _together(answers: list[tuple[bool | None, str]], *, decides: bool) -> tuple[bool | None, str]:
    """One answer decides; else all must be known."""
    for yes, why in answers:
        if yes is decides:
            return yes, why
    if any(yes is None for yes, _ in answers):
        return None, ""
    return not decides, "; ".join(why for _, why in answers)
