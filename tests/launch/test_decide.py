"""Histories of events and what was decided, without a process: `(seconds, event)` and the decisions that matter."""

import pytest

from orchestrator.launch import decide
from orchestrator.launch.decide import Supervision

WATCH = {"interval": 10.0, "failures": 3, "successes": 1, "deadline": 60.0, "live": {}, "ready": {}}
LIVE = {**WATCH, "live": {"port": 1}}
READY = {**WATCH, "ready": {"port": 1}}
BOTH = {**WATCH, "live": {"port": 1}, "ready": {"port": 1}}
ON_FAILURE = {"policy": "on-failure", "attempts": 2, "within": 60.0}
ALWAYS = {"policy": "always", "attempts": None, "within": 60.0}
MAINTAIN = [{"serve": "maintenance"}]

TERM, INT = ("signal", 15), ("signal", 2)
DIED, FAILED, ENDED = ("exited", -9), ("exited", 4), ("exited", 0)
EMPTY, TICK, UP = ("empty",), ("tick",), ("serving",)
ILL, WELL = ("probed", "live", False, "status 500"), ("probed", "live", True, "")
UNREADY, IS_READY = ("probed", "ready", False, "status 503"), ("probed", "ready", True, "")
REFUSE, SWEEP, KILL, CLOSE, SPAWN, MAINTENANCE = (
    ("refuse",),
    ("sweep", 15),
    ("sweep", 9),
    ("close",),
    ("spawn",),
    ("maintain",),
)


def status(state):
    return ("status", state)


def plan(**changes):
    base = {
        "restart": {"policy": "never"},
        "on_failure": [],
        "health": {},
        "drain": 0.0,
        "grace": 8.0,
        "stop_signal": 15,
    }
    return base | changes


def run(given, history, initial="ready"):
    supervision = Supervision(given, 0.0, initial)
    decided = [each for now, event in history for each in supervision.on(event, now)]
    return [("status", each[1]) if each[0] == "status" else each for each in decided if each[0] != "say"]


STOPPED = [CLOSE, ("send", 15), SWEEP]

HISTORIES = {
    "asked, and it ends": (
        plan(),
        [(1, TERM), (2, ENDED), (2, EMPTY)],
        [status("stopping"), *STOPPED, status("stopped"), ("exit", 0)],
    ),
    "asked by the keyboard": (
        plan(),
        [(1, INT), (2, ENDED), (2, EMPTY)],
        [status("stopping"), *STOPPED, status("stopped"), ("exit", 0)],
    ),
    "asked, and it dies of the signal": (
        plan(),
        [(1, TERM), (2, ("exited", -15)), (2, EMPTY)],
        [status("stopping"), *STOPPED, status("stopped"), ("exit", 0)],
    ),
    "asked, and its code does not matter": (
        plan(),
        [(1, TERM), (2, FAILED), (2, EMPTY)],
        [status("stopping"), *STOPPED, status("stopped"), ("exit", 0)],
    ),
    "asked with another signal": (plan(stop_signal=3), [(1, TERM)], [status("stopping"), CLOSE, ("send", 3)]),
    "grace is over": (
        plan(),
        [(1, TERM), (9, TICK), (9, DIED), (9, EMPTY)],
        [status("stopping"), CLOSE, ("send", 15), KILL, status("stopped"), ("exit", 137)],
    ),
    "a moment before grace is over": (
        plan(),
        [(1, TERM), (8.9, TICK)],
        [status("stopping"), CLOSE, ("send", 15)],
    ),
    "asked twice": (
        plan(),
        [(1, TERM), (2, TERM), (2, DIED), (2, EMPTY)],
        [status("stopping"), CLOSE, ("send", 15), KILL, status("stopped"), ("exit", 137)],
    ),
    "asked by both signals": (
        plan(),
        [(1, TERM), (2, INT), (2, DIED), (2, EMPTY)],
        [status("stopping"), CLOSE, ("send", 15), KILL, status("stopped"), ("exit", 137)],
    ),
    "drain first": (
        plan(drain=5.0),
        [(1, TERM), (5, TICK), (6, TICK)],
        [status("stopping"), CLOSE, ("send", 15)],
    ),
    "asked twice while draining": (
        plan(drain=5.0),
        [(1, TERM), (2, TERM), (2, DIED), (2, EMPTY)],
        [status("stopping"), CLOSE, KILL, status("stopped"), ("exit", 137)],
    ),
    "it ends while draining": (
        plan(drain=5.0),
        [(1, TERM), (2, ENDED), (2, EMPTY)],
        [status("stopping"), CLOSE, SWEEP, status("stopped"), ("exit", 0)],
    ),
    "a killed process does not end": (
        plan(),
        [(1, TERM), (9, TICK), (14, TICK)],
        [status("stopping"), CLOSE, ("send", 15), KILL, status("stopped"), ("exit", 137)],
    ),
    "children linger after the end": (
        plan(),
        [(1, TERM), (2, ENDED), (3, TICK), (3, EMPTY)],
        [status("stopping"), *STOPPED, KILL, status("stopped"), ("exit", 0)],
    ),
    "other signals pass": (plan(), [(1, ("signal", 1)), (2, ("signal", 10))], [("send", 1), ("send", 10)]),
    "other signals have nobody to go to": (
        plan(restart=ALWAYS),
        [(1, DIED), (1, EMPTY), (1.1, ("signal", 1))],
        [status("starting"), REFUSE, SWEEP],
    ),
    "it dies of a signal": (
        plan(),
        [(1, DIED), (1, EMPTY)],
        [REFUSE, SWEEP, status("failed"), ("exit", 137)],
    ),
    "it fails by itself": (plan(), [(1, FAILED), (1, EMPTY)], [REFUSE, SWEEP, status("failed"), ("exit", 4)]),
    "it ends by itself": (plan(), [(1, ENDED), (1, EMPTY)], [REFUSE, SWEEP, status("stopped"), ("exit", 0)]),
    "nothing is decided after the end": (
        plan(),
        [(1, ENDED), (1, EMPTY), (2, TERM), (3, TICK)],
        [REFUSE, SWEEP, status("stopped"), ("exit", 0)],
    ),
    "restarted": (
        plan(restart=ON_FAILURE),
        [(1, DIED), (1, EMPTY), (1.5, TICK), (3, UP)],
        [status("starting"), REFUSE, SWEEP, SPAWN, status("ready")],
    ),
    "restarted as degraded as it was": (
        plan(restart=ON_FAILURE),
        [(1, DIED), (1, EMPTY), (1.5, TICK), (3, UP)],
        [status("starting"), REFUSE, SWEEP, SPAWN, status("degraded")],
        "degraded",
    ),
    "no restart after a proper end": (
        plan(restart=ON_FAILURE),
        [(1, ENDED), (1, EMPTY)],
        [REFUSE, SWEEP, status("stopped"), ("exit", 0)],
    ),
    "always is after a proper end, too": (
        plan(restart=ALWAYS),
        [(1, ENDED), (1, EMPTY), (1.5, TICK)],
        [status("starting"), REFUSE, SWEEP, SPAWN],
    ),
    "restarts are spent": (
        plan(restart={**ON_FAILURE, "attempts": 1}),
        [(1, DIED), (1, EMPTY), (1.5, TICK), (2, UP), (3, FAILED), (3, EMPTY)],
        [
            status("starting"),
            REFUSE,
            SWEEP,
            SPAWN,
            status("ready"),
            REFUSE,
            SWEEP,
            status("failed"),
            ("exit", 4),
        ],
    ),
    "restarts long ago do not count": (
        plan(restart={**ON_FAILURE, "attempts": 1}),
        [(1, DIED), (1, EMPTY), (1.5, TICK), (2, UP), (90, FAILED), (90, EMPTY), (90.5, TICK)],
        [status("starting"), REFUSE, SWEEP, SPAWN, status("ready"), status("starting"), REFUSE, SWEEP, SPAWN],
    ),
    "the restarted server does not boot": (
        plan(restart={**ON_FAILURE, "attempts": 1}),
        [(1, DIED), (1, EMPTY), (1.5, TICK), (2, ("exited", 3)), (2, EMPTY)],
        [status("starting"), REFUSE, SWEEP, SPAWN, REFUSE, SWEEP, status("failed"), ("exit", 5)],
    ),
    "the restarted server never serves": (
        plan(restart={**ON_FAILURE, "attempts": 1}, health=WATCH),
        [(1, DIED), (1, EMPTY), (1.5, TICK), (61.5, TICK), (62, ("exited", -15)), (62, EMPTY)],
        [*[status("starting"), REFUSE, SWEEP, SPAWN, ("send", 15), REFUSE, SWEEP, SPAWN][:5], REFUSE, SWEEP],
    ),
    "asked while it waits to restart": (
        plan(restart=ALWAYS),
        [(1, DIED), (1, EMPTY), (1.1, TERM), (1.1, EMPTY)],
        [status("starting"), REFUSE, SWEEP, status("stopping"), CLOSE, SWEEP, status("stopped"), ("exit", 0)],
    ),
    "asked while it boots again": (
        plan(restart=ALWAYS, drain=5.0),
        [(1, DIED), (1, EMPTY), (1.5, TICK), (2, TERM), (2, ("exited", -15)), (2, EMPTY)],
        [
            status("starting"),
            REFUSE,
            SWEEP,
            SPAWN,
            status("stopping"),
            *STOPPED,
            status("stopped"),
            ("exit", 0),
        ],
    ),
    "maintenance takes over": (
        plan(on_failure=MAINTAIN),
        [(1, DIED), (1, EMPTY)],
        [status("starting"), REFUSE, SWEEP, status("maintenance"), MAINTENANCE],
    ),
    "asked while in maintenance": (
        plan(on_failure=MAINTAIN),
        [(1, DIED), (1, EMPTY), (5, TERM), (5, EMPTY)],
        [
            status("starting"),
            REFUSE,
            SWEEP,
            status("maintenance"),
            MAINTENANCE,
            status("stopping"),
            CLOSE,
            SWEEP,
            status("stopped"),
            ("exit", 0),
        ],
    ),
    "maintenance for a while": (
        plan(on_failure=[{"serve": "maintenance", "for": 10.0}, {"stop": 9}]),
        [(1, DIED), (1, EMPTY), (11, TICK), (11, EMPTY)],
        [
            status("starting"),
            REFUSE,
            SWEEP,
            status("maintenance"),
            MAINTENANCE,
            REFUSE,
            SWEEP,
            status("failed"),
            ("exit", 9),
        ],
    ),
    "maintenance dies": (
        plan(on_failure=MAINTAIN),
        [(1, DIED), (1, EMPTY), (2, ("maintenance_ended", 1)), (2, EMPTY)],
        [
            status("starting"),
            REFUSE,
            SWEEP,
            status("maintenance"),
            MAINTENANCE,
            REFUSE,
            SWEEP,
            status("failed"),
            ("exit", 137),
        ],
    ),
    "stop with a code": (
        plan(on_failure=[{"stop": 9}]),
        [(1, DIED), (1, EMPTY)],
        [REFUSE, SWEEP, status("failed"), ("exit", 9)],
    ),
    "stop without a code": (
        plan(on_failure=[{"stop": None}]),
        [(1, DIED), (1, EMPTY)],
        [REFUSE, SWEEP, status("failed"), ("exit", 137)],
    ),
    "an action restarts, then the next": (
        plan(on_failure=[{"restart": 1}, {"stop": 9}]),
        [(1, DIED), (1, EMPTY), (1.5, TICK), (2, UP), (3, DIED), (3, EMPTY)],
        [
            status("starting"),
            REFUSE,
            SWEEP,
            SPAWN,
            status("ready"),
            REFUSE,
            SWEEP,
            status("failed"),
            ("exit", 9),
        ],
    ),
    "live is asked at its interval": (
        plan(health=LIVE),
        [(9, TICK), (10, TICK), (10, WELL), (19, TICK), (20, TICK)],
        [("probe", "live"), ("probe", "live")],
    ),
    "live fails for long enough": (
        plan(health=LIVE, on_failure=[{"restart": 1}]),
        [(1, ILL), (2, ILL), (3, ILL)],
        [status("starting"), ("send", 15)],
    ),
    "live fails now and then": (plan(health=LIVE), [(1, ILL), (2, ILL), (3, WELL), (4, ILL), (5, ILL)], []),
    "an unwell server is ended with 5": (
        plan(health=LIVE),
        [(1, ILL), (2, ILL), (3, ILL), (4, ENDED), (4, EMPTY)],
        [("send", 15), REFUSE, SWEEP, status("failed"), ("exit", 5)],
    ),
    "asked while an unwell server is ended": (
        plan(health=LIVE, on_failure=[{"restart": 1}]),
        [(1, ILL), (2, ILL), (3, ILL), (4, TERM), (5, ENDED), (5, EMPTY)],
        [status("starting"), ("send", 15), status("stopping"), CLOSE, SWEEP, status("stopped"), ("exit", 0)],
    ),
    "an unwell server that does not end is no forced stop": (
        plan(health=LIVE, on_failure=[{"restart": 1}]),
        [(1, ILL), (2, ILL), (3, ILL), (11, TICK), (11, TERM), (11, DIED), (11, EMPTY)],
        [status("starting"), ("send", 15), KILL, status("stopping"), CLOSE, status("stopped"), ("exit", 0)],
    ),
    "both are asked in turn": (
        plan(health=BOTH),
        [(10, TICK), (10, WELL), (10, IS_READY), (20, TICK)],
        [("probe", "live"), ("probe", "ready"), ("probe", "live")],
    ),
    "ready only changes the state": (
        plan(health=READY),
        [(1, UNREADY), (2, UNREADY), (3, UNREADY), (4, IS_READY)],
        [status("degraded"), status("ready")],
    ),
    "a restarted server must be ready": (
        plan(restart=ON_FAILURE, health=READY),
        [
            (1, DIED),
            (1, EMPTY),
            (1.5, TICK),
            (2, UP),
            (2, TICK),
            (2.1, UNREADY),
            (2.2, TICK),
            (2.4, TICK),
            (2.5, IS_READY),
        ],
        [status("starting"), REFUSE, SWEEP, SPAWN, ("probe", "ready"), ("probe", "ready"), status("ready")],
    ),
}


@pytest.mark.parametrize("name", HISTORIES)
def test_a_history_leads_to_its_decisions(name):
    given, history, decided, *initial = HISTORIES[name]
    assert run(given, history, *initial) == decided


def test_delays_double_up_to_the_longest_and_begin_anew_after_stability():
    supervision = Supervision(plan(restart=ALWAYS), 0.0)
    now, delays = 0.0, []
    for served in [1.0] * 9 + [100.0]:
        now += served
        supervision.on(DIED, now)
        supervision.on(EMPTY, now)
        delays.append(round(supervision.deadline() - now, 3))
        now = supervision.deadline()
        supervision.on(TICK, now)
        supervision.on(UP, now)
    assert delays == [0.5, 1, 2, 4, 8, 16, 30, 30, 30, 0.5]


def test_a_service_without_a_watch_has_no_deadline():
    assert Supervision(plan(), 0.0).deadline() is None


@pytest.mark.parametrize(("code", "expected"), [(0, 0), (7, 7), (-9, 137), (-15, 143)])
def test_a_signal_is_told_as_a_shell_tells_it(code, expected):
    assert decide.exit_code(code) == expected
