"""Items that were degraded, tried again: beside everything else until the launch, and alone, beside the server, after it."""

from __future__ import annotations

import contextlib
import json
import time
from typing import TYPE_CHECKING, Any

from orchestrator.core.backoff import Policy
from orchestrator.core.outcome import Status
from orchestrator.core.phases import CHECK, HEALTH, QUICK, WAIT
from orchestrator.core.verdict import exit_code
from orchestrator.core.words import STOP
from orchestrator.engine import launch_plan, resume, snapshot

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.engine.item import Work
    from orchestrator.engine.report import Report
    from orchestrator.engine.run import Start
    from orchestrator.status.state import StateDirectory

ONCE = Policy(times=1)


class Rechecking:
    """Until the launch: what only looks at something. What imports or runs has its turn after it."""

    def __init__(self, start: Start) -> None:
        self.start = start
        self._next: dict[str, float] = {}
        self._trying: set[str] = set()

    def due(self) -> float | None:
        """When `begin` must be called at the latest."""
        dues = [due for work in self._watched() for due in self._dues(work)]
        return min(dues, default=None)

    def begin(self) -> None:
        """Tries what is due; what was off for too long goes on with its next action."""
        now = time.monotonic()
        for work in self._watched():
            over = _over(work)
            if over is not None and now >= over:
                self._give_up(work)
            elif now >= self._at(work):
                self._trying.add(work.id)
                context = self.start.context(timeout=work.item.timeout or self.start.default_timeout)
                self.start.lanes.start(work, context, ONCE, None)

    def takes(self, attempt: Any) -> bool:
        """Whether an attempt was one of these."""
        work = attempt.work
        if work.id not in self._trying:
            return False
        self._trying.discard(work.id)
        self._next[work.id] = time.monotonic() + work.recheck
        if work.status is Status.DEGRADED and attempt.outcome.ok:
            self.start.conclude(work, attempt.outcome)
        return True

    def _give_up(self, work: Work) -> None:
        self.start.lanes.give_up(work)
        self._trying.discard(work.id)
        work.status = Status.WAITING
        assert work.outcome is not None
        self.start.conclude(work, work.outcome)

    def _watched(self) -> list[Work]:
        return [
            work
            for work in self.start.works
            if work.status is Status.DEGRADED and work.recheck is not None and _only_looks(work)
        ]

    def _dues(self, work: Work) -> list[float]:
        over = _over(work)
        return ([] if work.id in self._trying else [self._at(work)]) + ([] if over is None else [over])

    def _at(self, work: Work) -> float:
        if work.id in self._trying:
            return float("inf")
        assert work.recheck is not None
        return self._next.setdefault(work.id, work.off_since + work.recheck)


def _only_looks(work: Work) -> bool:
    return work.phase in (QUICK, WAIT, CHECK) and work.kind not in ("variable", "port")


def _over(work: Work) -> float | None:
    return None if work.longest is None else work.let_go_at + work.longest


def alone(
    start: Start, report: Report, state: StateDirectory | None, orders: Mapping[str, Any]
) -> dict[str, Any]:
    """Tries one item once, and what came of it; `last` in the orders: where it fails, its next actions follow.

    What would change the server or end it is not done here: it is told, and is the supervisor's to decide.
    """
    resume.restored(start, orders)
    snapshot.take_up(report, snapshot.up_to_date(orders))
    resume.only_off(report, start, orders)
    start.stream.listeners = [report]
    work = _begin(start, orders)
    while not work.settled:
        start.settle()
        if not work.settled:
            start.wait()
    answer = _answer(start, work, last=orders["last"])
    if answer["word"] != "off":
        answer["features"] = json.dumps(start.stream.secrets.clean(list(report.features.values())))
        answer["changes"] = start.variables.changes
        _amend(start, report, state)
    return answer


def _amend(start: Start, report: Report, state: StateDirectory | None) -> None:
    """The report on disk, with what was found now: its other words are those of the launch."""
    if report.status in ("ready", "degraded"):
        report.status = "degraded" if start.degraded else "ready"
    if state is not None:
        # That the directory is gone or full, the supervisor says, which writes there too: no reason not to try an item.
        with contextlib.suppress(OSError):
            state.write_report(start.stream.secrets.clean(report.record()))


def _begin(start: Start, orders: Mapping[str, Any]) -> Work:
    item: str = orders["item"]
    if item.startswith("health:"):
        resume.add_health(start)
    work = start.by_id[item]
    start.works = [work]
    work.status = Status.UNKNOWN
    work.tried = orders["tried"]
    start.only_looks = not orders["last"]
    if work.phase == HEALTH:
        work.status = Status.WAITING
        start.lanes.start(work, start.context(timeout=work.item.timeout), ONCE, None)
    return work


def _answer(start: Start, work: Work, *, last: bool) -> dict[str, Any]:
    assert work.outcome is not None
    said = {"summary": start.stream.secrets.masked(work.outcome.summary), "tried": work.tried}
    if work.status in (Status.OK, Status.HEALED, Status.SKIPPED):
        found = {
            "word": "well",
            "environ": launch_plan.plan_of(start, []).environ if work.restart_app else {},
        }
    elif work.status in (Status.DEGRADED, Status.WARNED):
        found = {"word": "settled", "entry": snapshot.entry_of(start, work)}
    elif not last or work.status is Status.BLOCKED:
        return said | {"word": "off"}
    else:
        found = {"word": "next", **_next(start, work)}
    return said | found | {"state": snapshot.state_of(work)}


def _next(start: Start, work: Work) -> dict[str, Any]:
    """The action that is the supervisor's to decide; a list that is at its end stops."""
    actions = start.actions(work)
    assert work.outcome is not None
    code = exit_code([work.blame])
    if work.tried >= len(actions):
        return {"what": STOP, "do": STOP, "code": code}
    lowered = actions[work.tried].lowered()
    own = lowered.get("code")
    return {"what": lowered["name"], "do": lowered["do"], "code": code if own is None else own}
