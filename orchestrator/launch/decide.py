"""What supervision decides: events and the time go in, decisions come out. No I/O, no clock, builtins alone.

Events                                   Decisions
  ("signal", number)                       ("say", level, text)
  ("exited", code)   negative: a signal    ("status", state, reason)
  ("serving",)       a restarted server    ("close",)     let go of the listener
  ("probed", name, ok, why)                ("refuse",)    nobody answers: refuse connections
  ("empty",)         nothing is left       ("send", number)  a signal to the server
  ("maintenance_ended", code)              ("sweep", number) a signal to whatever is left
  ("tick",)          the deadline passed   ("probe", name) ("spawn",) ("maintain",) ("exit", code)
                                           ("verdict", name, ok, why, seconds) for what takes more than a status
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Event = tuple[Any, ...]
    Decision = tuple[Any, ...]
    Purpose = tuple[Any, ...]

KILL, TERM, DUMP = 9, 15, 63
STOPS = (15, 2)
FORCED, NOT_WELL = 137, 5

SERVING, BOOTING, BACKOFF, MAINTENANCE = "serving", "booting", "backoff", "maintenance"
DRAINING, STOPPING, DUMPING = "draining", "stopping", "dumping"
SWEEPING, KILLING, ENDED = "sweeping", "killing", "ended"
HAS_SERVER = (SERVING, BOOTING, DRAINING, STOPPING, DUMPING)

INITIAL_DELAY, LONGEST_DELAY = 0.5, 30.0
LINGER = 1.0
"""What a server left behind is asked to end, and this much later killed."""
LAST_WAIT = 5.0
"""A killed process may hang in the kernel; nothing waits longer for it."""
STABLE = 60.0
TO_DUMP = 0.3
"""For a server that hangs to write its stacks before it is killed."""
DUMPS = ("uvicorn", "hypercorn")
"""Servers in the process that imports: those have been taught to."""
JUDGED_EVERY = 30.0
"""With the watch off, how often commands are run: only their last verdict can be asked for."""
FIRST_PROBES = 0.25


class Supervision:
    """The state of one supervised service after its launch."""

    __slots__ = (
        "action",
        "actions",
        "alive",
        "asked",
        "base",
        "boot_deadline",
        "code",
        "drain",
        "due",
        "dumps",
        "ended",
        "failures",
        "forced",
        "grace",
        "health",
        "next_probe",
        "out",
        "purpose",
        "requested",
        "restart",
        "restarts",
        "round",
        "served_since",
        "shown",
        "state",
        "stop_signal",
        "streak",
        "successes",
        "told",
        "used",
    )

    def __init__(self, plan: dict[str, Any], now: float, status: str = "ready") -> None:
        self.restart = plan["restart"]
        self.actions = plan["on_failure"]
        self.health = plan["health"]
        self.drain = plan["drain"]
        self.grace = plan["grace"]
        self.stop_signal = plan["stop_signal"]
        self.dumps = not plan.get("command") and plan.get("server") in DUMPS
        self.base = self.shown = status
        self.state = SERVING
        self.alive = True
        self.due: float | None = None
        self.boot_deadline = 0.0
        self.next_probe: float | None = None
        self.round: list[str] = []
        self.failures: dict[str, int] = {}
        self.successes: dict[str, int] = {}
        self.served_since: float | None = now
        self.asked = self.told = self.ended = now
        self.purpose: Purpose | None = None
        self.requested = self.forced = False
        self.code = 0
        self.restarts: list[float] = []
        self.streak = self.action = self.used = 0
        self.out: list[Decision] = []
        self._plan_round(now)

    def deadline(self) -> float | None:
        """When to say `tick` at the latest."""
        dues = [each for each in (self.due, self.next_probe) if each is not None]
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
                self.out.append(("send", number))
        elif self.requested:
            self._force(now)
        else:
            self._request(now, number)

    def _exited(self, now: float, code: int) -> None:
        if not self.alive:
            return
        self.alive = False
        self.ended = now
        self._end_drain(now)
        booted = self.state != BOOTING
        if (
            booted
            and self.served_since is not None
            and now - self.served_since >= self.restart.get("within", STABLE)
        ):
            self.streak = self.action = self.used = 0
        if self.purpose is None:
            self._say(
                "error" if code else "info",
                f"the server {ending(code)}" + ("" if booted else " before it served"),
            )
            self.code = exit_code(code) if booted else NOT_WELL
            self.purpose = self._after_exit(now, code if booted else NOT_WELL)
            self._show_outage(f"the server {ending(code)}")
        if not self.requested:
            self.out.append(("refuse",))
        self._sweep(now)

    def _serving(self, now: float) -> None:
        if self.state != BOOTING:
            return
        self.served_since = now
        if self.health.get("ready"):
            self.next_probe = now
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

    def _tick(self, now: float) -> None:
        if self.due is not None and now >= self.due:
            self.due = None
            getattr(self, "_due_" + self.state)(now)
        if self.next_probe is not None and now >= self.next_probe and self.state in {SERVING, BOOTING}:
            self._start_probe()

    # Deadlines, one for each state that has one

    def _due_draining(self, now: float) -> None:
        self._send_stop(now)

    def _due_stopping(self, now: float) -> None:
        self._say("error", f"the server did not end within its grace of {self.grace:g} s: killed")
        self.forced = self.requested
        if self.dumps:
            self.state, self.due = DUMPING, now + TO_DUMP
            self.out.append(("send", DUMP))
        else:
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
        self._show("starting", "restarted")
        self.out.append(("spawn",))

    def _due_booting(self, now: float) -> None:
        self._unwell(
            now, f"the restarted server was not ready within {self.health.get('deadline', STABLE):g} s"
        )

    def _due_maintenance(self, now: float) -> None:
        self._leave_maintenance(now)

    # Stopping

    def _request(self, now: float, number: int) -> None:
        self.requested = True
        self.asked = self.told = self.ended = now
        self._say("info", f"stopping: asked by signal {number}")
        self._show("stopping", f"signal {number}")
        self.out.append(("close",))
        self.purpose = ("exit", 0)
        if self.state in {SERVING, BOOTING}:
            self._begin_stop(now, self.drain if self.state == SERVING else 0.0)
        elif self.state in {BACKOFF, MAINTENANCE}:
            self._sweep(now)

    def _begin_stop(self, now: float, drain: float) -> None:
        self.next_probe = None
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
        self.next_probe = None
        if self.state == KILLING:
            return
        self.state, self.due = SWEEPING, now + LINGER
        self.out.append(("sweep", TERM))

    def _kill(self, now: float) -> None:
        self.state, self.due = KILLING, now + LAST_WAIT
        self.out.append(("sweep", KILL))

    def _go_on(self, now: float) -> None:
        """Nothing of the last server is left: what it was ended for."""
        what, *more = self.purpose or ("exit", self.code)
        self.purpose, self.due = None, None
        if what == "spawn":
            self.state, self.due = BACKOFF, now + more[0]
        elif what == "maintain":
            self.state, self.due = MAINTENANCE, now + more[0] if more[0] else None
            self._show("maintenance", "the server failed")
            self.out.append(("maintain",))
        else:
            self._leave(now, FORCED if self.forced and self.requested else more[0])

    def _leave(self, now: float, code: int) -> None:
        self.state = ENDED
        self.next_probe = None
        if self.requested:
            self._tell_how_long(now)
        self._show("stopped" if self.requested or not code else "failed", f"exit code {code}")
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
        policy = self.restart.get("policy", "never")
        if policy == "always" or (policy == "on-failure" and code):
            if self._has_budget(now):
                return self._again(now)
            self._say("error", "its restarts are spent")
        return self._next_action() if code else ("exit", 0)

    def _has_budget(self, now: float) -> bool:
        within = self.restart.get("within", STABLE)
        self.restarts = [each for each in self.restarts if now - each < within]
        attempts = self.restart.get("attempts")
        return attempts is None or len(self.restarts) < attempts

    def _again(self, now: float) -> Purpose:
        self.restarts.append(now)
        return self._spawn()

    def _spawn(self) -> Purpose:
        # The exponent is bounded, for a service may fail for years.
        delay = min(INITIAL_DELAY * 2 ** min(self.streak, 10), LONGEST_DELAY)
        self.streak += 1
        self._say("info", f"restarting in {delay:g} s")
        return ("spawn", delay)

    def _next_action(self) -> Purpose:
        """The next of the actions under `on_failure` that is not spent; none is left: the end."""
        while self.action < len(self.actions):
            action = self.actions[self.action]
            if "restart" in action and self.used < action["restart"]:
                self.used += 1
                return self._spawn()
            self.action, self.used = self.action + 1, 0
            if "serve" in action:
                return ("maintain", action.get("for"))
            if "stop" in action:
                code = action["stop"]
                return ("exit", self.code if code is None else code)
        return ("exit", self.code)

    def _leave_maintenance(self, now: float) -> None:
        self.purpose = self._next_action()
        self.out.append(("refuse",))
        self._sweep(now)

    def _unwell(self, now: float, why: str) -> None:
        """The server lives and is not well: it is ended, for what the actions say."""
        self._say("error", why)
        self.code = NOT_WELL
        if self.state == BOOTING:
            self.purpose = self._after_exit(now, NOT_WELL)
        else:
            self.purpose = self._next_action()
        self._show_outage(why)
        self._begin_stop(now, 0.0)

    # Health

    def _well(self, now: float) -> None:
        self.state, self.due = SERVING, None
        self._say("info", "the server is ready again")
        self._show(self.base, "")
        self.failures, self.successes = {}, {}
        self._plan_round(now)

    def _first_answer(self, now: float, *, ok: bool) -> None:
        if ok:
            self._well(now)
        elif self.alive:
            self.next_probe = now + FIRST_PROBES

    def _endpoints(self) -> dict[str, dict[str, Any]]:
        """What is asked in a round: everything where it is watched, else what nobody else can judge."""
        named = {
            "live": self.health.get("live"),
            "ready": self.health.get("ready"),
            **self.health.get("more", {}),
        }
        watched = self.health.get("interval", 0)
        return {name: each for name, each in named.items() if each and (watched or _is_command(each))}

    def _plan_round(self, now: float, *, first: bool = True) -> None:
        """A command is judged at once: there is no other answer. For the rest the engine has just asked."""
        endpoints = self._endpoints()
        at_once = first and any(_is_command(each) for each in endpoints.values())
        pause = 0.0 if at_once else self.health.get("interval", 0) or JUDGED_EVERY
        self.next_probe = now + pause if endpoints else None

    def _start_probe(self) -> None:
        self.next_probe = None  # planned again when the round is over
        self.round = ["ready"] if self.state == BOOTING else list(self._endpoints())
        self._next_of_round()

    def _next_of_round(self) -> None:
        self.out.append(("probe", self.round.pop(0)))

    def _watched(self, now: float, kind: str, ok: bool, why: str) -> None:
        self.failures[kind] = 0 if ok else self.failures.get(kind, 0) + 1
        self.successes[kind] = self.successes.get(kind, 0) + 1 if ok else 0
        interval = self.health.get("interval", 0)
        self._note_verdict(kind, ok, why)
        if interval and kind == "live" and self.failures[kind] >= self.health.get("failures", 3):
            self._unwell(now, f"live failed {self.failures[kind]} times: {why}")
            return
        if interval:
            self._judge_ready(kind, why)
        if self.round:
            self._next_of_round()
        else:
            self._plan_round(now, first=False)

    def _note_verdict(self, kind: str, ok: bool, why: str) -> None:
        """For the probe of the container, which can only ask for a status."""
        endpoint = self._endpoints().get(kind)
        if endpoint is not None and (_is_command(endpoint) or endpoint.get("asked")):
            fresh = 3 * (self.health.get("interval", 0) or JUDGED_EVERY) + endpoint["timeout"]
            self.out.append(("verdict", kind, ok, why, fresh))

    def _judge_ready(self, kind: str, why: str) -> None:
        """Not ready may be a dependency's fault: it takes the traffic away and never the server."""
        if kind != "ready":
            return
        if self.failures[kind] >= self.health.get("failures", 3):
            self._show("degraded", f"ready fails: {why}")
        elif self.shown != self.base and self.successes[kind] >= self.health.get("successes", 1):
            self._show(self.base, "")

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


def _is_command(endpoint: dict[str, Any]) -> bool:
    return endpoint.get("kind") == "command"


def exit_code(code: int) -> int:
    """As a shell says it: 128+n for a signal."""
    return 128 - code if code < 0 else code


def ending(code: int) -> str:
    return f"was ended by signal {-code}" if code < 0 else f"ended with {code}"
