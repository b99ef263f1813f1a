"""What supervision decides: events and the time go in, decisions come out. No I/O, no clock, builtins alone.

Events                                   Decisions
  ("signal", number)                       ("say", level, text)
  ("exited", code[, why])  negative: a signal   ("status", state, reason)
  ("serving",)       a restarted server    ("close",)     let go of the listener
  ("probed", name, ok, why)                ("refuse",)    nobody answers: refuse connections
  ("empty",)         nothing is left       ("send", number)  a signal to the server
  ("maintenance_ended", code)              ("sweep", number) a signal to whatever is left
  ("tick",)          the deadline passed   ("probe", name) ("spawn",) ("maintain",) ("exit", code)
  ("dumped",)            the stacks are out  ("dump", number)  stacks of the server's processes, then a signal to it
  ("answered", item, answer)               ("verdict", name, ok, why, seconds) for what takes more than a status
  ("scouted", ok, why)                     ("recheck", item, tried, last, limit)  an engine for one item, beside the server
                                           ("feature", name, on, item, seconds)   ("environ", variables)  of the next server
                                           ("scout",)  whether the engine can be started; ("come_back", tried, failed)
"""

from __future__ import annotations

from orchestrator.core.words import REMEDY, SERVE, STOP
from orchestrator.launch.budget import STABLE, Budget
from orchestrator.launch.features import Features
from orchestrator.launch.watch import Watch
from orchestrator.supervisor.exit_report import DIED, NEVER_READY, UNWELL
from orchestrator.system.exit_status import ECHO, ending, exit_code
from orchestrator.system.signals import named

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from orchestrator.launch.budget import Purpose

    Event = tuple[Any, ...]
    Decision = tuple[Any, ...]

KILL, TERM, QUIT, DUMP = 9, 15, 3, 63
STOPS = (15, 2)
FORCED, NOT_WELL = 137, 5

SERVING, BOOTING, BACKOFF, MAINTENANCE = "serving", "booting", "backoff", "maintenance"
DRAINING, STOPPING, DUMPING = "draining", "stopping", "dumping"
RETURNING = "returning"
SWEEPING, KILLING, ENDED = "sweeping", "killing", "ended"
HAS_SERVER = (SERVING, BOOTING, DRAINING, STOPPING, DUMPING)

LINGER = 1.0
"""What a server left behind is asked to end, and this much later killed."""
LAST_WAIT = 5.0
"""A killed process may hang in the kernel; nothing waits longer for it."""
TO_DUMP, EACH_DUMP = 0.3, 0.03
"""For a server that hangs to write its stacks before it is killed, and for each of its workers."""
LAST_DUMP = 3.0
"""No round of stacks takes longer."""
IN_PROCESS = ("uvicorn", "hypercorn")
"""Servers in the process that imports: they write their stacks by themselves, and have their workers do so."""
FIRST_PROBES = 0.25


class Supervision:
    """The state of one supervised service after its launch."""

    __slots__ = (
        "about",
        "alive",
        "asked",
        "blamed",
        "boot_deadline",
        "budget",
        "code",
        "drain",
        "due",
        "ended",
        "failed",
        "features",
        "forced",
        "grace",
        "health",
        "in_process",
        "number",
        "out",
        "outdated",
        "purpose",
        "requested",
        "served_since",
        "shown",
        "state",
        "stop_signal",
        "to_dump",
        "told",
        "watch",
    )

    def __init__(self, plan: dict[str, Any], now: float, status: str = "ready") -> None:
        self.budget = Budget(plan)
        self.health = plan["health"]
        self.drain = plan["drain"]
        self.grace = plan["grace"]
        self.stop_signal = plan["stop_signal"]
        self.in_process = not plan.get("command") and plan.get("server") in IN_PROCESS
        self.to_dump = TO_DUMP + EACH_DUMP * plan.get("workers", 1) if self.in_process else LAST_DUMP
        self.shown = status
        self.features = Features(plan.get("features") or [])
        self.blamed: str = plan.get("blamed", "launch")
        """The item that has failed when the server ends."""
        self.failed: dict[str, Any] = {}
        """What the engine has to know of the item that it comes back for."""
        self.about = ""
        """What it has failed for, where that is the server: the code of a page."""
        self.outdated = False
        """Whether the server that boots was started before a feature came back that it has to start for."""
        self.state = SERVING
        self.alive = True
        self.due: float | None = None
        self.boot_deadline = 0.0
        self.watch = Watch(self.health, now)
        self.served_since: float | None = now
        self.asked = self.told = self.ended = now
        self.purpose: Purpose | None = None
        self.requested = self.forced = False
        self.number = 0
        self.code = 0
        self.out: list[Decision] = []

    def deadline(self) -> float | None:
        """When to say `tick` at the latest."""
        features = self.features.deadline() if self._may_recheck() else None
        dues = [each for each in (self.due, self.watch.due, features) if each is not None]
        return min(dues) if dues else None

    def on(self, event: Event, now: float) -> list[Decision]:
        """Takes an event; gives what is to be done, in order."""
        self.out = []
        if self.state != ENDED:
            getattr(self, "_" + event[0])(now, *event[1:])
        return self.out

    # Events

    def _signal(self, now: float, number: int) -> None:
        if number not in STOPS:
            if self.state in HAS_SERVER:
                self.out.append(self._passed_on(number))
        elif not self.requested:
            self._request(now, number)
        elif number != self.number or now - self.asked >= ECHO:
            self._force(now)

    def _passed_on(self, number: int) -> Decision:
        """What asks for stacks and is another program's business: all of its processes are asked first."""
        asks = number in (QUIT, DUMP) and not self.in_process
        return ("dump" if asks else "send", number)

    def _exited(self, now: float, code: int, why: str = "") -> None:
        if not self.alive:
            return
        self.alive = False
        self.ended = now
        self._end_drain(now)
        booted = self.state != BOOTING
        if self.purpose is None:
            how = f"the server {ending(code)}" + ("" if booted else " before it served") + why
            self._say("error" if code else "info", how)
            self.budget.forgive(now, self.served_since)
            self.code = exit_code(code) if booted else NOT_WELL
            self.failed = {"item": self.blamed, "summary": how, "code": self.code}
            self.about = DIED
            self.purpose = self._after_exit(now, code if booted else NOT_WELL)
            self._show_outage(f"the server {ending(code)}{why}")
        if not self.requested:
            self.out.append(("refuse",))
        self._sweep(now)

    def _serving(self, now: float) -> None:
        if self.state != BOOTING:
            return
        self.served_since = now
        if self.health.get("ready"):
            self.watch.due = now
        else:
            self._well(now)

    def _probed(self, now: float, kind: str, ok: bool, why: str) -> None:
        if self.state == BOOTING and kind == "ready":
            self._first_answer(now, ok=ok)
        elif self.state == SERVING:
            self._watched(now, kind, ok, why)

    def _empty(self, now: float) -> None:
        if self.state in {SWEEPING, KILLING} and not self.alive:
            self._go_on(now)

    def _maintenance_ended(self, now: float, code: int) -> None:
        if self.state == MAINTENANCE:
            self._say("error", f"maintenance {ending(code)}")
            self._leave_maintenance(now)
        elif self.state == RETURNING:
            self.failed["serve"] = False  # the engine begins it again, or the next action follows

    def _tick(self, now: float) -> None:
        if self.due is not None and now >= self.due:
            self.due = None
            getattr(self, "_due_" + self.state)(now)
        if self.watch.due is not None and now >= self.watch.due and self.state in {SERVING, BOOTING}:
            self.out.append(("probe", self.watch.begin(booting=self.state == BOOTING)))
        if self._may_recheck() and (entry := self.features.next(now)) is not None:
            self.out.append(("recheck", entry["item"], entry["tried"], entry["last"], entry["limit"]))

    # Deadlines, one for each state that has one

    def _due_draining(self, now: float) -> None:
        self._send_stop(now)

    def _due_stopping(self, now: float) -> None:
        self._say("error", f"the server did not end within its grace of {self.grace:g} s: killed")
        self.forced = self.requested
        self.state, self.due = DUMPING, now + self.to_dump
        self.out.append(("send", DUMP) if self.in_process else ("dump", 0))

    def _dumped(self, now: float) -> None:
        if self.state == DUMPING and not self.in_process:
            self._kill(now)

    def _due_dumping(self, now: float) -> None:
        self._kill(now)

    def _due_sweeping(self, now: float) -> None:
        self._kill(now)

    def _due_killing(self, now: float) -> None:
        self._say("error", "a killed process does not end; leaving it behind")
        self.alive, self.ended = False, now
        self._go_on(now)

    def _due_backoff(self, now: float) -> None:
        self.state = BOOTING
        self.alive = True
        self.served_since = None
        self.boot_deadline = self.due = now + self.health.get("deadline", STABLE)
        self.outdated = False
        self._show("starting", "restarted")
        self.out.append(("spawn",))

    def _due_booting(self, now: float) -> None:
        within = self.health.get("deadline", STABLE)
        self._unwell(now, "ready", f"the restarted server was not ready within {within:g} s")

    def _due_maintenance(self, now: float) -> None:
        self._leave_maintenance(now)

    # Stopping

    def _request(self, now: float, number: int) -> None:
        self.requested, self.number = True, number
        self.asked = self.told = self.ended = now
        self._say("info", f"stopping: asked by {named(number)}")
        self._show("stopping", named(number))
        self.out.append(("close",))
        self.purpose = ("exit", 0)
        if self.state in {SERVING, BOOTING}:
            self._begin_stop(now, self.drain if self.state == SERVING else 0.0)
        elif self.state in {BACKOFF, MAINTENANCE, RETURNING}:
            self._sweep(now)

    def _begin_stop(self, now: float, drain: float) -> None:
        self.watch.due = None
        if drain > 0:
            self.state, self.due = DRAINING, now + drain
        else:
            self._send_stop(now)

    def _send_stop(self, now: float) -> None:
        self.state, self.due, self.told = STOPPING, now + self.grace, now
        self.out.append(("send", self.stop_signal))

    def _force(self, now: float) -> None:
        self._say("error", "asked again: killed")
        self._end_drain(now)
        self.forced = True
        self._kill(now)

    def _sweep(self, now: float) -> None:
        self.watch.due = None
        if self.state == KILLING:
            return
        self.state, self.due = SWEEPING, now + LINGER
        self.features.running = ""  # what tried is swept away, too
        self.out.append(("sweep", TERM))

    def _kill(self, now: float) -> None:
        self.state, self.due = KILLING, now + LAST_WAIT
        self.features.running = ""
        self.out.append(("sweep", KILL))

    def _go_on(self, now: float) -> None:
        """Nothing of the last server is left: what it was ended for."""
        what, *more = self.purpose or ("exit", self.code)
        self.purpose, self.due = None, None
        if what == "spawn":
            self._back_off(now, more[0])
        elif what == "maintain":
            self._maintain(now, *more)
        elif what == "engine":
            self._call_the_engine(now, *more)
        else:
            self._leave(now, FORCED if self.forced and self.requested else more[0])

    def _back_off(self, now: float, delay: float) -> None:
        self.state, self.due = BACKOFF, now + delay
        if delay:
            self._say("info", f"restarting in {delay:g} s")

    def _maintain(self, now: float, limit: float | None) -> None:
        self.state, self.due = MAINTENANCE, now + limit if limit else None
        self._show("maintenance", self.failed.get("summary") or "the server failed")
        self.out.append(("maintain",))

    def _call_the_engine(self, now: float, tried: int, serve: bool, limit: float | None) -> None:
        """Maintenance is served at once, by what needs no engine: it stays where the engine cannot come back."""
        since = self.budget.since = now if self.budget.since is None else self.budget.since
        if serve:
            self._maintain(now, max(since + limit - now, 0.001) if limit else None)
        self.failed = self.failed | {"tried": tried, "serve": serve, "since": since, "over": self.due}
        self.state, self.due = RETURNING, None
        self.out.append(("scout",))

    def _scouted(self, now: float, ok: bool, why: str) -> None:
        if self.state != RETURNING:
            return
        if ok:
            self.out.append(("come_back", self.failed))
            return
        self._say("error", f"the engine cannot come back: {why}")
        if self.failed["serve"]:  # on, but nothing is checked any more
            self.state, self.due = MAINTENANCE, self.failed["over"]
        else:
            self._leave_maintenance(now)

    def _leave(self, now: float, code: int) -> None:
        self.state = ENDED
        self.watch.due = None
        if self.requested:
            self._tell_how_long(now)
        why = self.failed.get("summary", "") if code and not self.requested else ""
        status = "stopped" if self.requested or not code else "failed"
        self._show(status, f"exit code {code}" + (f": {why}" if why else ""))
        self.out.append(("exit", code))

    def _end_drain(self, now: float) -> None:
        if self.state == DRAINING:
            self.told = now

    def _tell_how_long(self, now: float) -> None:
        parts = {
            "drain": self.told - self.asked,
            "server": max(self.ended - self.told, 0.0),
            "rest": now - max(self.ended, self.told),
        }
        shown = f"draining {parts['drain']:.1f} s, the server {parts['server']:.1f} s, what it left {parts['rest']:.1f} s"
        facts = {f"{name}_ms": round(seconds * 1000) for name, seconds in parts.items()}
        self._say("info", f"stopped after {now - self.asked:.1f} s: {shown}", facts | {"forced": self.forced})

    # Failures

    def _after_exit(self, now: float, code: int) -> Purpose:
        if self.budget.wants_restart(code):
            if self.budget.has_restart(now):
                return self.budget.again(now)
            self._say("error", "its restarts are spent")
        return self.budget.next(self.code) if code else ("exit", 0)

    def _leave_maintenance(self, now: float) -> None:
        self.purpose = self.budget.next(self.code)
        self.out.append(("refuse",))
        self._sweep(now)

    def _unwell(self, now: float, kind: str, why: str) -> None:
        """The server lives and is not well: what can be done beside it is tried, or it is ended for the next action."""
        self._say("error", why)
        self.code = NOT_WELL
        self.failed = {"item": f"health:{kind}", "summary": why, "code": NOT_WELL}
        self.about = NEVER_READY if self.state == BOOTING else UNWELL
        if self.state == BOOTING:
            self.purpose = self._after_exit(now, NOT_WELL)
        elif self._goes_on_beside(now, kind):
            return
        else:
            self.budget.forgive(now, self.served_since)
            self.purpose = self.budget.next(self.code)
        self._say("info", "ending the server")
        self._show_outage(why)
        self._begin_stop(now, 0.0)

    def _goes_on_beside(self, now: float, kind: str) -> bool:
        """Whether the next action keeps the server: an engine beside it does that, and asks the endpoint again."""
        self.budget.forgive(now, self.served_since)
        action = self.budget.beside()
        if action is None:
            return False
        self.watch.failures[kind] = 0
        if not self.features.running:
            self.features.running = f"health:{kind}"
            self.watch.let_go.append(kind)  # until there is an answer
            self.out.append(("recheck", f"health:{kind}", self.budget.action, True, action.get("limit")))
        return True

    # Features

    def _may_recheck(self) -> bool:
        """While the service runs or comes up again; not while it ends."""
        return self.budget.engine and not self.requested and self.state in {SERVING, BOOTING, BACKOFF}

    def _answered(self, now: float, item: str, answer: dict[str, Any]) -> None:
        """What became of an item that an engine beside the server tried again."""
        self.features.running = ""
        if not self._may_recheck():
            return  # it will be tried again, if anything is
        getattr(self, "_item_" + answer["word"])(now, item, answer)

    def _item_off(self, now: float, item: str, answer: dict[str, Any]) -> None:
        if self.features.put_off(item, now, answer):
            self._say("warning", f"{item} still fails: {answer['summary']}")

    def _item_unknown(self, now: float, item: str, answer: dict[str, Any]) -> None:
        """Nothing came of the try itself: a bug, a spec that was changed, no memory."""
        if item.startswith("health:"):
            self._item_next(
                now,
                item,
                answer
                | {"what": "another action", "do": REMEDY, "tried": self.budget.action + 1, "code": NOT_WELL},
            )
        elif self.features.put_off(item, now, answer):
            self._say("error", f"cannot try {item} again: {answer['summary']}")

    def _item_well(self, now: float, item: str, answer: dict[str, Any]) -> None:
        if item.startswith("health:"):
            self.watch.judges_again(item.partition(":")[2])
            self.budget.passed(answer["tried"])
        back, restart = self.features.came_back(item, now)
        self._say("info", f"{item} holds: {answer['summary']}")
        self._tell_back(item, back)
        if restart:
            self.out.append(("environ", answer.get("environ") or {}))
            self._restart_for(now, ", ".join([name for name, _ in back]) or item)

    def _tell_back(self, item: str, back: list[tuple[str, float]]) -> None:
        for name, seconds in back:
            self.out.append(("feature", name, True, item, seconds))
        if back:
            self._show_features()

    def _item_settled(self, _now: float, item: str, answer: dict[str, Any]) -> None:
        if item.startswith("health:"):
            self.budget.passed(answer["tried"])
        gone = self.features.settled(item, answer)
        self._say("warning", f"{item}: going on all the same: {answer['summary']}")
        for name in gone:
            self.out.append(("feature", name, False, item, 0.0))
        if gone:
            self._show_features()

    def _item_next(self, now: float, item: str, answer: dict[str, Any]) -> None:
        """An action that is more than can be done beside the server: it is ended for it."""
        what, tried = answer["what"], answer["tried"]
        self._say("error", f"{item} fails for too long: {answer['summary']}; next: {what}")
        self.code = answer["code"]
        self.failed = {"item": item, "summary": answer["summary"], "code": self.code}
        self.about = UNWELL if item.startswith("health:") else ""
        if item.startswith("health:"):
            self.budget.action = tried
            self.purpose = self.budget.next(self.code)
        elif answer["do"] == STOP:
            self.purpose = ("exit", self.code)
        else:
            self.purpose = ("engine", tried, answer["do"] == SERVE, None)
        self._show_outage(answer["summary"])
        if self.state in {SERVING, BOOTING}:
            self._begin_stop(now, self.drain if self.state == SERVING else 0.0)
        else:
            self._sweep(now)

    def _restart_for(self, now: float, what: str) -> None:
        """The server learns of its features at its start alone."""
        if self.state == BOOTING:
            self.outdated = True
        elif self.state == SERVING:
            self._say("info", f"restarting the server for {what}")
            self.purpose = ("spawn", 0.0)
            self._show("starting", f"restarting for {what}")
            self._begin_stop(now, self.drain)

    @property
    def base(self) -> str:
        """What a service is that serves."""
        return "degraded" if self.features.names() else "ready"

    def _show_features(self) -> None:
        """The list has changed, and with it perhaps the state: not one that has other reasons."""
        usual = self.shown in {"ready", "degraded"} and not self.watch.has_failed("ready")
        self.shown = self.base if usual else self.shown
        self.out.append(("status", self.shown, ", ".join(self.features.names())))

    # Health

    def _well(self, now: float) -> None:
        self.state, self.due = SERVING, None
        self._say("info", "the server is ready again")
        self._show(self.base, ", ".join(self.features.names()))
        self.watch.begin_anew(now)
        if self.outdated:
            self._restart_for(now, "features that came back")

    def _first_answer(self, now: float, *, ok: bool) -> None:
        if ok:
            self._well(now)
        elif self.alive:
            self.watch.due = now + FIRST_PROBES

    def _watched(self, now: float, kind: str, ok: bool, why: str) -> None:
        watch = self.watch
        watch.note(kind, ok=ok)
        if (verdict := watch.verdict(kind, ok, why)) is not None:
            self.out.append(verdict)
        if ok and f"health:{kind}" != self.features.running:
            watch.judges_again(kind)
        if watch.interval and kind == "live" and watch.has_failed(kind) and kind not in watch.let_go:
            self._unwell(now, kind, f"live failed {watch.failures[kind]} times: {why}")
            if self.state != SERVING:
                return
        if watch.interval and kind == "ready":
            self._judge_ready(why)
        if watch.round:
            self.out.append(("probe", watch.round.pop(0)))
        else:
            watch.plan(now, first=False)

    def _judge_ready(self, why: str) -> None:
        """Not ready may be a dependency's fault: it takes the traffic away and never the server."""
        if self.watch.has_failed("ready"):
            self._show("degraded", f"ready fails: {why}")
        elif self.shown != self.base and self.watch.is_well("ready"):
            self._show(self.base, ", ".join(self.features.names()))

    # Words

    def _show_outage(self, why: str) -> None:
        """Nobody serves for now: the traffic has to go. An end for good is shown when it has come."""
        if self.purpose is not None and self.purpose[0] != "exit":
            self._show("starting", why)

    def _show(self, status: str, reason: str) -> None:
        if status != self.shown:
            self.shown = status
            self.out.append(("status", status, reason))

    def _say(self, level: str, text: str, facts: dict[str, Any] | None = None) -> None:
        self.out.append(("say", level, text, facts))
