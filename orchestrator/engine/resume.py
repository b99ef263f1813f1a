"""The engine comes back: in the supervisor's place, where a fallback needs more than that, and goes on from there.

What was well stays so, what was done is not done again; what failed goes on with its next action.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from orchestrator.core.outcome import Outcome, Status, failed
from orchestrator.core.phases import HEALTH, LAUNCH
from orchestrator.core.words import SERVE
from orchestrator.engine import events, health_checks, launch_plan, snapshot

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.engine.item import Work
    from orchestrator.engine.report import Report
    from orchestrator.engine.run import Start
    from orchestrator.engine.service import Service
    from orchestrator.launch.plan import LaunchPlan


def left_behind(service: Service, plan: LaunchPlan) -> dict[str, Any]:
    """What the supervisor keeps for the next engine, and what it has to know itself."""
    start = service.start
    blamed = snapshot.blamed(start)
    restarts = dict(service.restarts)
    if restarts:
        work = start.by_id.get(blamed)
        restarts |= {
            "rounds": service.maintaining.rounds,
            "action": _place_in_its_list(start, work, restarts["action"]),
        }
    return snapshot.remember(start, service.report, plan) | {
        "supervised": snapshot.supervised(start, service.report, restarts, blamed)
    }


def _place_in_its_list(start: Start, work: Work | None, known: int) -> int:
    """The action that follows if it fails again soon: what was served instead is served again."""
    if work is None or not work.cursor:
        return known
    last = start.actions(work)[work.cursor - 1]
    return work.cursor - 1 if last.lowered()["do"] == SERVE else max(known, work.cursor)


def take_up(service: Service, orders: Mapping[str, Any]) -> None:
    """Lays on this start what the last one knew, and lets what failed go on with its next action."""
    start = service.start
    restored(start, orders)
    snapshot.take_up(service.report, snapshot.up_to_date(orders))
    only_off(service.report, start, orders)
    start.listener = snapshot.inherited(orders["listener"])
    service.maintaining.adopt(orders["maintenance"], orders["lifeline"])
    start.operating.adopt(*orders["operations"])
    start.take_notes()
    work = _go_on(start, orders["failed"])
    if work.serve is not None:
        service.maintaining.since(work.serve, orders["failed"]["since"])


def restored(start: Start, orders: Mapping[str, Any]) -> None:
    """The items as they were left. Quietly: all of it was told when it happened."""
    stream = start.stream
    stream.began, start.installed_in = orders["memory"]["began"], orders["memory"]["installed_in"]
    listeners, stream.listeners = stream.listeners, []
    try:
        start.prepare()
    finally:
        stream.listeners = listeners
    start.degraded = list(dict.fromkeys(name for entry in orders["features"] for name in entry["features"]))


def only_off(report: Report, start: Start, orders: Mapping[str, Any]) -> None:
    """What came back since the report was written is on."""
    report.degraded = list(start.degraded)
    off = {entry["item"] for entry in orders["features"]}
    report.features = {item: told for item, told in report.features.items() if item in off}


def _go_on(start: Start, known: Mapping[str, Any]) -> Work:
    """What failed, with the server gone: its next action. It may decide that the server starts again."""
    if known["item"].startswith("health:"):
        add_health(start)
    work = start.by_id[known["item"]]
    if work.phase in (LAUNCH, HEALTH):
        work.item.on_failure = launch_plan.given_after_launch(start)
    outcome = _outcome(work, known)
    start.stream.emit(
        events.NOTE,
        f"the engine is back: {known['summary']}",
        level="warning",
        item=work.id,
        code=outcome.code,
    )
    start.importing.begin_again()
    if work.cursor != known["tried"]:
        work.cursor, work.used = known["tried"], 0
    work.status = Status.WAITING
    start.conclude(work, outcome)
    if work.phase in (LAUNCH, HEALTH):
        _until_it_serves_again(start, work)
    return work


def _until_it_serves_again(start: Start, work: Work) -> None:
    """One list is for a server that failed, whether the next one does not boot or is not well."""
    if work.status == Status.WAITING:
        work.status = Status.UNKNOWN  # a remedy has done its part: the next server shows whether it helped
    launch = start.by_id["launch"]
    if launch is not work:
        launch.item.on_failure = tuple(start.actions(work)[work.cursor :])
        launch.cursor, launch.used, launch.serve = 0, 0, work.serve


def _outcome(work: Work, known: Mapping[str, Any]) -> Outcome:
    """The server's end; or what an item comes to that was off for too long: its own code and hint are still true."""
    last = work.result
    if work.phase not in (LAUNCH, HEALTH) and last is not None and not last.ok:
        return replace(last, summary=known["summary"], data={**last.data, "server_code": known["code"]})
    return failed(
        "ORC704", "ended", known["summary"], "what it printed is above", final=True, server_code=known["code"]
    )


def add_health(start: Start) -> None:
    """The works of the endpoints, where no launch of this start has made them."""
    from orchestrator.launch.plan import LaunchPlan

    known = start.memory["plan"]
    health_checks.health_works(
        start, LaunchPlan(start.spec.service, host=known["host"], port=known["port"], unix=known["unix"])
    )
