"""What the core decides about an item is performed here: events are emitted, remedies applied, the item tried again."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from orchestrator.core import dispatch, settle
from orchestrator.core.item import BLOCKED, DEGRADED, FAILED, HEALED, OK, SKIPPED, WARNED
from orchestrator.core.phases import IMPORT, STEP
from orchestrator.core.turn import Turn
from orchestrator.core.words import DEGRADE, RESTART, SERVE, WARN, needs_the_server
from orchestrator.engine import events, remedies
from orchestrator.engine.item import plain
from orchestrator.spec.ordering import flat

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestrator.core.outcome import Outcome
    from orchestrator.core.words import Lowered
    from orchestrator.engine.item import Work
    from orchestrator.engine.run import Start
    from orchestrator.spec.item import Action

_LEVELS = {FAILED: "error", BLOCKED: "error", DEGRADED: "warning", WARNED: "warning"}


@dataclass(slots=True)
class _Telling:
    """What the events say beside the command that they are about."""

    message: str = ""
    """Instead of the outcome's summary."""
    last_summary: str | None = None
    """What was reported already, where the item is checked again while something else is served."""
    needed: bool = False
    """Whether features are on again only because the app needs the item."""
    remedy: dict[str, Any] = field(default_factory=dict)
    """What a remedy came to."""


def conclude(start: Start, work: Work, outcome: Outcome) -> None:
    """An attempt's outcome: a status, or the next fallback action."""
    served = work.serve is not None and work.result is not None
    telling = _Telling(last_summary=work.outcome["summary"] if served else None)
    if not outcome.ok:
        _list_actions(start, work)
    _decide(start, work, lambda turn: settle.conclude(turn, work.id, plain(outcome)), telling)


def take_back(start: Start, work: Work, outcome: Outcome) -> None:
    """It was tolerated and cannot be: it has failed, and nothing is off for it. What follows in its list is tried."""
    _list_actions(start, work)
    _decide(start, work, lambda turn: settle.take_back(turn, work.id, plain(outcome)), _Telling(needed=True))


def settle_as(start: Start, work: Work, status: str, message: str = "") -> None:
    """The item has come to a status by what it is, not by an attempt."""
    _decide(start, work, lambda turn: settle.settle(turn, work.id, status), _Telling(message))


def block(start: Start, work: Work, by: str) -> None:
    work.started = start.stream.now()
    telling = _Telling(last_summary=work.outcome["summary"])
    _decide(start, work, lambda turn: settle.block(turn, work.id, by), telling)


def skip(start: Start, work: Work, why: str) -> None:
    work.started = work.started or start.stream.now()
    _decide(start, work, lambda turn: settle.skip(turn, work.id, why), _Telling())


def actions(start: Start, work: Work) -> list[Action]:
    """What is to be done for an item, named lists put in; actions that cannot stand on its kind are left out."""
    given = () if start.only_looks else getattr(work.item, "on_failure", None)
    if given is None:
        given = start.spec.on_failure or ()
    return [each for each in flat(given, start.spec.fallbacks or {}) if each.stands_on(work.kind)]


def _list_actions(start: Start, work: Work) -> None:
    """The core's list for the item as it is now; beside a server it ends at what is the supervisor's to decide."""
    lowered = [action.lowered() for action in actions(start, work)]
    if start.alone:
        lowered = list(takewhile(lambda each: not needs_the_server(each), lowered))
    start.state.plan["lists"][work.id] = lowered


def _decide(start: Start, work: Work, decision: Callable[[Turn], None], telling: _Telling) -> None:
    """Lets the core decide, and does what it commands."""
    turn = Turn(start.state, time.monotonic())
    decision(turn)
    for command, *details in turn.commands:
        _PERFORM[command](start, work, telling, *details)


# Commands


def _item(start: Start, work: Work, telling: _Telling, _: str, status: str) -> None:
    if work.phase == STEP and work.good and work.item.output_names:
        start.variables.resolve()  # what it has not set by now, it will not set
    outcome = work.result
    assert outcome is not None
    if status in (FAILED, BLOCKED) and outcome.summary == telling.last_summary:  # reported already
        if status == FAILED:
            start.stream.begun(work.id, "waiting", None, outcome.summary)  # for the next round
        return
    bad = status not in (OK, HEALED, SKIPPED)
    # That a module is ok is no news when a fresh process has imported it again.
    again = work.phase == IMPORT and status == OK == work.reported
    level, work.reported = "debug" if again else _LEVELS.get(status, "info"), status
    place = work.place
    start.stream.emit(
        events.ITEM, telling.message or outcome.summary, level=level, item=work.id, status=status,
        reason=outcome.reason if bad else "", hint=outcome.hint if bad else "", code=outcome.code if bad else "",
        details=outcome.details if bad else "", why=(getattr(work.item, "why", None) or "") if bad else "", feature=work.feature, recheck=work.recheck,
        attempts=work.attempts, start_ms=work.started, duration_ms=start.stream.now() - work.started,
        file=place.file if place else "", line=place.line if place else 0,
    )  # fmt: skip


def _feature(
    start: Start, work: Work, telling: _Telling, name: str, on: bool, _: str, seconds: float
) -> None:
    if on == (name not in start.degraded):
        return  # known since before this engine
    if not on:
        start.degraded.append(name)
        start.stream.emit(
            events.FEATURE, f"{name} is off", level="warning", item=work.id, feature=name, on=False
        )
        return
    start.degraded.remove(name)
    took = None if telling.needed else round(seconds, 1)
    message = f"{name} cannot be off" if telling.needed else f"{name} is on again after {took:g} s"
    start.stream.emit(events.FEATURE, message, item=work.id, feature=name, on=True, seconds=took)


def _no_help(start: Start, work: Work, _: _Telling, __: str, word: str) -> None:
    """A remedy is not believed, the check is."""
    start.stream.emit(
        events.FALLBACK, f"did not help: {work.outcome['summary']}", level="warning", item=work.id, action=word, code="ORC802",
        helped=False,
    )  # fmt: skip


def _fallback(start: Start, work: Work, telling: _Telling, _: str, action: Lowered, result: str) -> None:
    does, more = action["do"], {"level": "info", **telling.remedy}
    if does == WARN:
        result = "going on"
        if action["text"]:
            telling.message = f"{work.outcome['summary']} ({action['text']})"
    elif does == DEGRADE:
        result = f"going on without {action['feature']}"
    elif does == SERVE:
        limit = f", for {action['for']:g} s at most" if action["for"] is not None else ""
        serves = "serving" if start.steps else "a start would serve"  # a check serves nothing
        result = f"{serves} {action['app']} instead{limit}"
    elif does == RESTART:
        _restart(start, work, action, result)
        return
    telling.remedy = {}
    start.stream.emit(events.FALLBACK, result, item=work.id, action=action["name"], **more)


def _restart(start: Start, work: Work, action: Lowered, result: str) -> None:
    """The server again, after the pause that the core says."""
    purpose, start.state.server.purpose = start.state.server.purpose, None
    assert purpose is not None
    pause: float = purpose[1]
    start.stream.emit(
        events.FALLBACK, f"{result} in {pause:g} s", level="warning", item=work.id, action=action["name"]
    )
    start.end_server()
    start.pause(time.monotonic() + pause)
    start.retry(work)


def _remedy(start: Start, work: Work, _: _Telling, __: str, lane: int, ___: str, at: int) -> None:
    """Applies it; the item's own check decides whether it helped."""
    action = actions(start, work)[at]
    ok, summary, more = remedies.apply(start, work, action)
    telling = _Telling(remedy=more)
    _decide(start, work, lambda turn: dispatch.on_remedied(turn, work.id, lane, ok, summary), telling)
    start.state.server.purpose = None  # a server that needs another start gets it as it is tried again
    if ok and more["again"]:
        start.retry(work)


_PERFORM: dict[str, Callable[..., None]] = {
    "item": _item, "feature": _feature, "no_help": _no_help, "fallback": _fallback, "remedy": _remedy,
}  # fmt: skip
