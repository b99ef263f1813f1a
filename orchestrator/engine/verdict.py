"""An attempt's outcome becomes an item's state, or its next fallback action; features go off and come back with it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from orchestrator.core.outcome import Outcome, Status
from orchestrator.core.phases import IMPORT, STEP
from orchestrator.core.words import needs_the_server
from orchestrator.engine import events, remedies
from orchestrator.spec.ordering import flat

if TYPE_CHECKING:
    from orchestrator.engine.item import Work
    from orchestrator.engine.run import Start
    from orchestrator.spec.item import Action

_LEVELS = {
    Status.FAILED: "error", Status.BLOCKED: "error", Status.DEGRADED: "warning", Status.WARNED: "warning",
}  # fmt: skip


def conclude(start: Start, work: Work, outcome: Outcome) -> None:
    """An attempt's outcome: a state, or the next fallback action."""
    before, work.outcome = work.outcome, outcome
    if outcome.ok:
        _holds(start, work)
        return
    if work.serve is not None:
        _still_failed(start, work, before)
        return
    _say_no_help(start, work)
    listed = actions(start, work)
    while work.tried < len(listed):
        action = listed[work.tried]
        if start.alone and needs_the_server(action.lowered()):
            break  # that is the supervisor's business
        work.tried += 1
        if remedies.act(start, work, action):
            return
    settle_as(start, work, Status.FAILED)


def _holds(start: Start, work: Work) -> None:
    """It is well, and with it what was off for its sake alone."""
    work.serve = None
    back, work.features, work.feature = work.features, [], ""
    seconds = round(time.monotonic() - work.off_since, 1)
    for name in back:
        _switch_on(start, work, name, f"{name} is on again after {seconds:g} s", seconds=seconds)
    settle_as(start, work, Status.HEALED if work.tried or work.attempts_of_actions else Status.OK)


def _still_failed(start: Start, work: Work, before: Outcome | None) -> None:
    """Something else is served, and this was checked again: said once, and again when it fails differently."""
    outcome = work.outcome
    assert outcome is not None
    if before is not None and before.summary == outcome.summary:
        work.status = Status.FAILED
        start.stream.begun(work.id, "waiting", None, outcome.summary)  # for the next round
    else:
        settle_as(start, work, Status.FAILED)


def _say_no_help(start: Start, work: Work) -> None:
    """A remedy is not believed, the check is: that it did not help is said."""
    word, work.remedy = work.remedy, ""
    if word and work.outcome is not None:
        start.stream.emit(
            events.FALLBACK, f"did not help: {work.outcome.summary}", level="warning", item=work.id, action=word, code="ORC802",
            helped=False,
        )  # fmt: skip


def take_back(start: Start, work: Work, outcome: Outcome) -> None:
    """It was let go and cannot be: it has failed, and nothing is off for it. What follows in its list is tried."""
    gone, work.features, work.feature, work.recheck = work.features, [], "", None
    for name in gone:
        _switch_on(start, work, name, f"{name} cannot be off")
    work.essential, work.status = True, Status.WAITING
    conclude(start, work, outcome)


def actions(start: Start, work: Work) -> list[Action]:
    """What is to be done for an item, named lists put in; actions that cannot stand on its kind are left out."""
    given = () if start.only_looks else getattr(work.item, "on_failure", None)
    if given is None:
        given = start.spec.on_failure or ()
    listed = [each for each in flat(given, start.spec.fallbacks or {}) if each.stands_on(work.kind)]
    # Those that were applied keep their places, for they are counted.
    done = listed[: work.tried]
    return done + [each for each in listed[work.tried :] if not (work.essential and each.tolerates)]


# What is told


def settle_as(start: Start, work: Work, status: Status, message: str = "") -> None:
    """The item's state is told, and noted."""
    work.status, work.remedy = status, ""
    outcome = work.outcome
    assert outcome is not None
    if work.feature and status in (Status.DEGRADED, Status.WARNED):
        _switch_off(start, work, work.feature)
    if work.phase == STEP and work.well and work.item.output_names:
        start.variables.resolve()  # what it has not set by now, it will not set
    bad = status not in (Status.OK, Status.HEALED, Status.SKIPPED)
    # That a module is well is no news when a fresh process has imported it again.
    again = work.phase == IMPORT and status is Status.OK is work.told
    level, work.told = "debug" if again else _LEVELS.get(status, "info"), status
    place = work.place
    start.stream.emit(
        events.ITEM, message or outcome.summary, level=level, item=work.id, status=status.value,
        reason=outcome.reason if bad else "", hint=outcome.hint if bad else "", code=outcome.code if bad else "",
        details=outcome.details if bad else "", why=(getattr(work.item, "why", None) or "") if bad else "", feature=work.feature, recheck=work.recheck,
        attempts=work.attempts, start_ms=work.started, duration_ms=start.stream.now() - work.started,
        file=place.file if place else "", line=place.line if place else 0,
    )  # fmt: skip


def _switch_on(start: Start, work: Work, name: str, said: str, seconds: float | None = None) -> None:
    """Unless it is off for another item, too."""
    if name in start.degraded and not any(name in other.features for other in start.works):
        start.degraded.remove(name)
        start.stream.emit(events.FEATURE, said, item=work.id, feature=name, on=True, seconds=seconds)


def _switch_off(start: Start, work: Work, name: str) -> None:
    if name not in work.features:
        work.features.append(name)
    if name not in start.degraded:
        start.degraded.append(name)
        start.stream.emit(
            events.FEATURE, f"{name} is off", level="warning", item=work.id, feature=name, on=False
        )
