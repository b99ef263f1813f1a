"""The engine's side of the importing process: when it starts, what its reports mean, when a fresh one is needed.

Importing early is a bet: it begins beside the waits. If the environment changes afterwards, or an import fails
that a wait or a step may still mend, the process is thrown away and a fresh one imports.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestrator.core.outcome import Outcome, Status, failed, ok
from orchestrator.core.phases import CHECK, IMPORT, LAUNCH, QUICK, STEP, WAIT
from orchestrator.engine import events, launch_plan

if TYPE_CHECKING:
    from orchestrator.core.context import Context
    from orchestrator.engine.item import Work
    from orchestrator.engine.run import Start
    from orchestrator.launch.app_handle import Importer
    from orchestrator.launch.preimport import Preloaded

IMPORT_DEADLINE = 60.0
"""A module or app that says nothing else: no import takes a minute unless it hangs."""
FINAL = frozenset({"missing", "attribute", "app"})
"""Reasons that neither a wait nor a step mends."""
MAX_ROUNDS = 20


class Importing:
    """What is imported, and by which process."""

    def __init__(self, start: Start) -> None:
        self.start = start
        self.importer: Importer | None = None
        self.preloaded: Preloaded | None = None
        """A process that imports the framework already, for the first round."""
        self.environ: dict[str, str] = {}
        """The environment the running process imports in."""
        self._round_done = False
        self._failed_round = False
        self._held: dict[str, dict[str, Any]] = {}
        self._rounds = 0
        self._began_last = False
        """Whether nothing was left, when the round began, that might mend an import."""

    # What the loop asks

    @property
    def pid(self) -> int:
        return self.importer.pid if self.importer is not None and self.importer.code is None else 0

    def sources(self) -> list[Importer]:
        return [self.importer] if self.importer is not None and self.importer.fileno() >= 0 else []

    def due(self) -> float | None:
        return self.importer.deadline() if self.importer is not None else None

    def takes(self, work: Work) -> bool:
        """Whether a module is for the importing process: it is to be imported, not only found."""
        return getattr(work.item, "depth", "importable") == "importable"

    def settled(self) -> bool:
        """Whether nothing is to come from here any more."""
        if self._waiting():
            return False
        launch = self._launch()
        if launch is None or self._hopeless():
            return True
        return self._round_done or launch.settled

    def start_if_due(self) -> bool:
        """Starts a process when all is ready for one; whether anything changed."""
        if self.importer is not None and not self._failed_round:
            return False
        if not self._needed() or not self._may_begin():
            return self._judge_held()
        if self._failed_round and not self._another_round():
            return self._judge_held()
        self._begin()
        return True

    # Rounds

    def _modules(self) -> list[Work]:
        return [work for work in self.start.works if work.phase == IMPORT and self.takes(work)]

    def _waiting(self) -> list[Work]:
        return [work for work in self._modules() if not work.settled]

    def _launch(self) -> Work | None:
        return next((work for work in self.start.works if work.phase == LAUNCH), None)

    def _needed(self) -> bool:
        return self._launch() is not None or any(not work.settled or work.good for work in self._modules())

    def _hopeless(self) -> bool:
        """Whether something failed for good, so that no process of ours will serve, and each module was tried."""
        return (
            bool(self.start.failures) and (self._failed_round or self._rounds > 0) and self.importer is None
        )

    def _may_begin(self) -> bool:
        start = self.start
        late = start.order is not None and start.order.late_imports
        open_ones = [work for work in start.works if work.phase in (IMPORT, LAUNCH) and not work.settled]
        if open_ones and all(start.root_work.holds_back(work) for work in open_ones):
            return False
        if not all(work.settled for work in start.works if work.phase == work.level == QUICK):
            return False
        if late and not self._others_settled():
            return False
        if any(work.status == Status.UNKNOWN for work in self._modules()):
            return False
        return bool(self._waiting()) or self._launch_open()

    def _launch_open(self) -> bool:
        launch = self._launch()
        return launch is not None and not launch.settled

    def _another_round(self) -> bool:
        """After a round that failed: when what failed was remedied or let go, or may have been mended meanwhile."""
        if self._rounds >= MAX_ROUNDS:
            return False
        if self._held:
            return self._others_settled() and not self.start.failures
        return bool(self._waiting()) or (self._launch_open() and not self.start.failures)

    def _others_settled(self) -> bool:
        """Whether everything is over that an import may have waited for: not what waits for an import itself."""
        order = self.start.order
        assert order is not None
        open_ones = order.mask(work.id for work in self._modules() if not work.settled)
        return all(
            work.settled or bool(order.all_mask(work.id) & open_ones)
            for work in self.start.works
            if work.phase in (QUICK, WAIT, CHECK, STEP) and work.id in order.nodes
        )

    def _begin(self) -> None:
        from orchestrator.launch import app_handle

        preloaded, self.preloaded = self.preloaded, None
        self.discard()
        start = self.start
        self._rounds += 1
        self._failed_round = self._round_done = False
        self._began_last = self._others_settled()
        self._held.clear()
        plan = launch_plan.plan_of(start, self.imported_modules())
        self.environ = plan.environ
        self.importer = app_handle.start(
            plan, start.listener, fork=plan.importer == "fork", preloaded=preloaded
        )
        if self.importer.why:
            start.stream.emit(
                events.NOTE, f"a new interpreter imports the app: {self.importer.why}", level="debug"
            )

    def outdated(self, why: str) -> None:
        """What was imported so far is no longer what is to be served: a fresh process will import."""
        if self.importer is None:
            return
        self.start.stream.emit(events.NOTE, f"importing again: {why}", level="debug")
        self.discard()
        for work in self._modules():
            if work.status in (Status.OK, Status.HEALED):
                work.status = Status.WAITING

    def imported_modules(self) -> list[Work]:
        """The modules that are to be imported before the app: not those that were let go."""
        return [
            work for work in self._modules() if not work.settled or work.status in (Status.OK, Status.HEALED)
        ]

    def begin_again(self) -> None:
        """Forgets what was tried: a fresh process will import once all is ready for it."""
        self._rounds = 0
        self._failed_round = self._round_done = False
        self._held.clear()
        launch = self._launch()
        if launch is not None:
            launch.status = Status.UNKNOWN
        for work in self._modules():
            if work.status in (Status.OK, Status.HEALED):
                work.status = Status.WAITING

    def discard(self) -> None:
        """Ends the process, if one runs."""
        if self.preloaded is not None:
            self.preloaded.end()
            self.preloaded = None
        if self.importer is not None:
            self._at("")
            self.importer.end()
            self.importer = None
        self._round_done = False

    def release(self) -> Importer:
        """Hands the process over: it is about to be the server."""
        assert self.importer is not None
        importer, self.importer = self.importer, None
        return importer

    # Reports

    def hear(self) -> None:
        importer = self.importer
        if importer is None:
            return
        for event in importer.read_events():
            self._on(event)
            if self.importer is not importer:
                return  # thrown away for what the event led to: the rest of what it says is no longer true

    def _on(self, event: dict[str, Any]) -> None:
        kind = event["event"]
        if kind == "importing":
            self._at(event["id"], event["deadline"] or None)
        elif kind == "ready":
            self._at("")
            self._round_done = True
        elif kind == "imported":
            self._imported(event)
        elif kind == "failed":
            self._lost(event)
        elif kind == "ended" and self.importer is not None:
            self._at("")
            self.importer.close()
            self.importer = None
            self._failed_round = True
            self._end_of_round()

    def _at(self, item: str, deadline: float | None = None) -> None:
        self.start.stream.emit(events.IMPORTING, item=item, deadline=deadline, level="debug")

    def _imported(self, event: dict[str, Any]) -> None:
        self.start.stream.emit(events.IMPORTED, module=event["module"], total_ms=event["ms"], level="debug")
        work = self.start.by_id.get(event["id"])
        if work is None or work.phase != IMPORT or work.settled:
            return
        work.attempts += 1
        self._conclude(work, event)

    def _conclude(self, work: Work, event: dict[str, Any]) -> None:
        from orchestrator.requirements.modules import judge

        self.start.conclude(work, judge(work.item, event, self.start.context()))

    def _lost(self, event: dict[str, Any]) -> None:
        work = self.start.by_id.get(event["id"])
        if work is None or work.settled:
            return
        work.attempts += 1
        if work.phase == LAUNCH or (event["reason"] not in FINAL and not self._began_last):
            self._held[work.id] = event
        else:
            self._conclude(work, event)

    def _end_of_round(self) -> None:
        """The app's own failure is judged when no module is to blame, or nothing will be tried again."""
        launch = self._launch()
        event = self._held.get(launch.id) if launch is not None else None
        if launch is None or event is None or launch.settled:
            return
        modules_failed = any(work.status == Status.FAILED for work in self._modules())
        modules_let_go = any(
            work.status in (Status.DEGRADED, Status.WARNED) and work.attempts for work in self._modules()
        )
        final = event["reason"] in FINAL or self._began_last
        if modules_let_go and not modules_failed and self._rounds == 1:
            del self._held[launch.id]  # the next round, without that module, tells
        elif final and len(self._held) == 1:
            del self._held[launch.id]
            self._conclude_app(launch, event)

    def _conclude_app(self, launch: Work, event: dict[str, Any]) -> None:
        """What the app itself imports can be let go by nobody: then not the app has failed, but what it needs."""
        needed = [work for work in self.start.works if needed_by_app(work, event)]
        if not needed:
            self.start.conclude(launch, app_outcome(event))
            return
        for work in needed:
            self.start.take_back(work, not_to_be_let_go(work, event, self.start.context()))
        lost = next((work for work in needed if work.status == Status.FAILED), None)
        if lost is not None:
            self.start.block(launch, lost.id)
        else:
            self.begin_again()

    def _judge_held(self) -> bool:
        """Failures that were held back because something might have mended them: now nothing will."""
        if not self._held or not self._others_settled():
            return False
        if self._failed_round and self._another_round():
            return False
        held, self._held = self._held, {}
        for name, event in held.items():
            work = self.start.by_id[name]
            if work.settled:
                continue
            if work.phase == LAUNCH:
                self._conclude_app(work, event)
            else:
                self._conclude(work, event)
        return True


def needed_by_app(work: Work, event: dict[str, Any]) -> bool:
    """Whether an item was let go that the app's own import has failed for."""
    missing = event.get("missing", "")
    if not missing or work.status not in (Status.DEGRADED, Status.WARNED) or work.result is None:
        return False
    if work.kind == "package":
        from orchestrator.requirements._import_names import may_bring

        return work.result.reason == "missing" and may_bring(work.id.partition(":")[2], missing)
    if work.kind != "module":
        return False
    module: str = work.item.module
    within = f"{module}.".startswith(f"{missing}.") or f"{missing}.".startswith(f"{module}.")
    return within or work.result.data.get("missing") == missing


def not_to_be_let_go(work: Work, event: dict[str, Any], context: Context) -> Outcome:
    """Who imports it, and where."""
    assert work.result is not None
    who = event.get("at", "").removeprefix(context.cwd.rstrip("/") + "/") or event["module"]
    return failed(
        work.result.code, "missing",
        f"{who} imports `{event['missing']}`, which is not there: the app cannot start without it, so it cannot be let go",
        work.result.hint or f"install it, or import it where {who} can do without", details=event.get("traceback", ""), final=True,
    )  # fmt: skip


def app_outcome(event: dict[str, Any]) -> Outcome:
    """What a failure to import the app means: the app itself, not a module that the spec lists."""
    from orchestrator.requirements.modules import KIND as MODULE
    from orchestrator.requirements.modules import judge

    if event["event"] == "imported":
        return ok(f"imported in {event['ms']:.0f} ms")
    if event["reason"] == "start":  # it could not even begin: no such directory, no such program
        return failed(
            "ORC701", "start", event["message"], "correct `user`, `cwd` and `umask` of the launch", final=True
        )
    if event["reason"] == "app":  # it was imported, and is not what is meant
        return failed("ORC702", "app", event["message"], event["hint"], final=True)
    outcome = judge(MODULE.model_validate({"module": event["module"]}), event)
    code = "ORC702" if event["reason"] in ("missing", "attribute") and event.get("itself", True) else "ORC701"
    return failed(
        code,
        outcome.reason,
        f"cannot import the app: {outcome.summary}",
        f"define it in {event['module']}, or correct `app` of the launch"
        if outcome.reason == "attribute"
        else outcome.hint,
        details=outcome.details,
        final=True,
    )
