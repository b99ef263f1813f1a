"""Histories of events and what was decided, without a process: `(seconds, event)` and the decisions that matter."""

import pytest
from supervised import Supervised

from orchestrator.core import stopping

WATCH = {"interval": 10.0, "failures": 3, "successes": 1, "deadline": 60.0, "live": {}, "ready": {}}
LIVE = {**WATCH, "live": {"port": 1}}
READY = {**WATCH, "ready": {"port": 1}}
BOTH = {**WATCH, "live": {"port": 1}, "ready": {"port": 1}}
ON_FAILURE = {"policy": "on-failure", "attempts": 2, "within": 60.0}
ALWAYS = {"policy": "always", "attempts": None, "within": 60.0}
MAINTAIN = [{"do": "serve", "app": "maintenance", "for": None}]

TERM, INT = ("signal", 15), ("signal", 2)
DIED, FAILED, ENDED = ("exited", -9), ("exited", 4), ("exited", 0)
EMPTY, TICK, UP = ("empty",), ("tick",), ("serving",)
ILL, WELL = ("probed", "live", False, "status 500"), ("probed", "live", True, "")
UNREADY, IS_READY = ("probed", "ready", False, "status 503"), ("probed", "ready", True, "")
COMMAND = {"kind": "command", "argv": ["ask"], "timeout": 2.0}
STACKS = ("send", stopping.DUMP)
DUMPED, ALL_STACKS = ("dumped",), ("dump", 0)
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


def off(item, *features, **changes):
    """An entry of a feature that is off since 0."""
    base = {"item": item, "features": list(features), "recheck": None, "since": 0.0, "due": None, "over": None,
            "restart": False, "tried": 1, "summary": "refused", "limit": 5.0}  # fmt: skip
    return base | changes


def run(given, history, initial="ready"):
    supervision = Supervised(given, 0.0, initial)
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
        [(1, TERM), (9, TICK), (9, DUMPED), (9, DIED), (9, EMPTY)],
        [status("stopping"), CLOSE, ("send", 15), ALL_STACKS, KILL, status("stopped"), ("exit", 137)],
    ),
    "a moment before grace is over": (
        plan(),
        [(1, TERM), (8.9, TICK)],
        [status("stopping"), CLOSE, ("send", 15)],
    ),
    "a further TERM changes nothing": (
        plan(),
        [(1, TERM), (2, TERM), (3, TERM), (4, ENDED), (4, EMPTY)],
        [status("stopping"), *STOPPED, status("stopped"), ("exit", 0)],
    ),
    "asked by both signals": (
        plan(),
        [(1, TERM), (2, INT), (3, TERM), (4, ENDED), (4, EMPTY)],
        [status("stopping"), *STOPPED, status("stopped"), ("exit", 0)],
    ),
    "a second INT forces": (
        plan(),
        [(1, INT), (2, INT), (2, DIED), (2, EMPTY)],
        [status("stopping"), CLOSE, ("send", 15), KILL, status("stopped"), ("exit", 137)],
    ),
    "a second INT forces, whatever asked before": (
        plan(),
        [(1, TERM), (2, INT), (3, INT), (3, DIED), (3, EMPTY)],
        [status("stopping"), CLOSE, ("send", 15), KILL, status("stopped"), ("exit", 137)],
    ),
    "drain first": (
        plan(drain=5.0),
        [(1, TERM), (5, TICK), (6, TICK)],
        [status("stopping"), CLOSE, ("send", 15)],
    ),
    "forced while draining": (
        plan(drain=5.0),
        [(1, INT), (2, INT), (2, DIED), (2, EMPTY)],
        [status("stopping"), CLOSE, KILL, status("stopped"), ("exit", 137)],
    ),
    "it ends while draining": (
        plan(drain=5.0),
        [(1, TERM), (2, ENDED), (2, EMPTY)],
        [status("stopping"), CLOSE, SWEEP, status("stopped"), ("exit", 0)],
    ),
    "a killed process does not end": (
        plan(),
        [(1, TERM), (9, TICK), (9, DUMPED), (14, TICK)],
        [status("stopping"), CLOSE, ("send", 15), ALL_STACKS, KILL, status("stopped"), ("exit", 137)],
    ),
    "children linger after the end": (
        plan(),
        [(1, TERM), (2, ENDED), (3, TICK), (3, EMPTY)],
        [status("stopping"), *STOPPED, KILL, status("stopped"), ("exit", 0)],
    ),
    "the same request at once again is the same": (
        plan(),
        [(1, INT), (1.05, INT)],
        [status("stopping"), CLOSE, ("send", 15)],
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
        plan(restart=ON_FAILURE, features=[off("wait:db", "search")]),
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
        plan(on_failure=[{"do": "serve", "app": "maintenance", "for": 10.0}, {"do": "stop", "code": 9}]),
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
        plan(on_failure=[{"do": "stop", "code": 9}]),
        [(1, DIED), (1, EMPTY)],
        [REFUSE, SWEEP, status("failed"), ("exit", 9)],
    ),
    "stop without a code": (
        plan(on_failure=[{"do": "stop", "code": None}]),
        [(1, DIED), (1, EMPTY)],
        [REFUSE, SWEEP, status("failed"), ("exit", 137)],
    ),
    "an action restarts, then the next": (
        plan(on_failure=[{"do": "restart", "times": 1}, {"do": "stop", "code": 9}]),
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
        plan(health=LIVE, on_failure=[{"do": "restart", "times": 1}]),
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
        plan(health=LIVE, on_failure=[{"do": "restart", "times": 1}]),
        [(1, ILL), (2, ILL), (3, ILL), (4, TERM), (5, ENDED), (5, EMPTY)],
        [status("starting"), ("send", 15), status("stopping"), CLOSE, SWEEP, status("stopped"), ("exit", 0)],
    ),
    "an unwell server that does not end is no forced stop": (
        plan(health=LIVE, on_failure=[{"do": "restart", "times": 1}]),
        [(1, ILL), (2, ILL), (3, ILL), (11, TICK), (11, DUMPED), (11, TERM), (11, DIED), (11, EMPTY)],
        [
            status("starting"),
            ("send", 15),
            ALL_STACKS,
            KILL,
            status("stopping"),
            CLOSE,
            status("stopped"),
            ("exit", 0),
        ],
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
    "a server that hangs writes its stacks before it is killed": (
        plan(server="uvicorn"),
        [(1, TERM), (9, TICK), (9.2, TICK), (9.34, TICK), (9.34, DIED), (9.34, EMPTY)],
        [status("stopping"), CLOSE, ("send", 15), STACKS, KILL, status("stopped"), ("exit", 137)],
    ),
    "a server that hangs and ends while it writes": (
        plan(server="hypercorn"),
        [(1, TERM), (9, TICK), (9.1, ENDED), (9.1, EMPTY)],
        [status("stopping"), CLOSE, ("send", 15), STACKS, SWEEP, status("stopped"), ("exit", 137)],
    ),
    "forced while the stacks are written": (
        plan(server="uvicorn"),
        [(1, INT), (9, TICK), (9.1, INT), (9.2, DIED), (9.2, EMPTY)],
        [status("stopping"), CLOSE, ("send", 15), STACKS, KILL, status("stopped"), ("exit", 137)],
    ),
    "a command that hangs is killed when everybody below it has written": (
        plan(server="uvicorn", command=["sleep", "9"]),
        [(1, TERM), (9, TICK), (9.2, TICK), (9.4, DUMPED)],
        [status("stopping"), CLOSE, ("send", 15), ALL_STACKS, KILL],
    ),
    "a server by exec that hangs has a time to write": (
        plan(server="gunicorn"),
        [(1, TERM), (9, TICK), (9 + stopping.LAST_DUMP, TICK), (13, DUMPED)],
        [status("stopping"), CLOSE, ("send", 15), ALL_STACKS, KILL],
    ),
    "stacks that were asked for are written by every process, and the signal follows": (
        plan(server="gunicorn"),
        [(1, ("signal", 3)), (1.5, DUMPED), (2, ("signal", stopping.DUMP)), (2.5, DUMPED)],
        [("dump", 3), ("dump", stopping.DUMP)],
    ),
    "a server in process passes that on by itself": (
        plan(server="uvicorn"),
        [(1, ("signal", 3)), (2, ("signal", stopping.DUMP))],
        [("send", 3), STACKS],
    ),
    "each of many workers has its time to write": (
        plan(server="uvicorn", workers=20),
        [(1, TERM), (9, TICK), (9.8, TICK), (9.91, TICK)],
        [status("stopping"), CLOSE, ("send", 15), STACKS, KILL],
    ),
    "a live server that hangs writes its stacks": (
        plan(server="uvicorn", health=LIVE, on_failure=[{"do": "restart", "times": 1}]),
        [(1, ILL), (2, ILL), (3, ILL), (11, TICK), (11.34, TICK)],
        [status("starting"), ("send", 15), STACKS, KILL],
    ),
    "other signals pass while it drains and stops": (
        plan(drain=1.0),
        [(1, TERM), (1.5, ("signal", 1)), (2, TICK), (2.5, ("signal", 10))],
        [status("stopping"), CLOSE, ("send", 1), ("send", 15), ("send", 10)],
    ),
    "other signals have nobody to go to in maintenance": (
        plan(on_failure=MAINTAIN),
        [(1, DIED), (1, EMPTY), (2, ("signal", 1)), (2, ("signal", 3))],
        [status("starting"), REFUSE, SWEEP, status("maintenance"), MAINTENANCE],
    ),
    "a dependency that is away does not restart the service": (
        plan(health=BOTH, on_failure=[{"do": "restart", "times": 5}]),
        [each for now in range(10, 100, 10) for each in ((now, TICK), (now, WELL), (now, UNREADY))],
        [
            each
            for now in range(10, 100, 10)
            for each in [("probe", "live"), ("probe", "ready"), *([status("degraded")] if now == 30 else [])]
        ],
    ),
    "more endpoints are asked and change nothing": (
        plan(health={**LIVE, "more": {"disk": {"port": 1}}}),
        [
            each
            for now in (10, 20, 30, 40)
            for each in ((now, TICK), (now, WELL), (now, ("probed", "disk", False, "full")))
        ],
        [("probe", "live"), ("probe", "disk")] * 4,
    ),
    "a command is judged at once, and its verdict noted": (
        plan(health={**WATCH, "more": {"queue": COMMAND}}),
        [
            (0, TICK),
            (0.1, ("probed", "queue", True, "")),
            (9, TICK),
            (10.1, TICK),
            (10.2, ("probed", "queue", False, "long")),
        ],
        [
            ("probe", "queue"),
            ("verdict", "queue", True, "", 32.0),
            ("probe", "queue"),
            ("verdict", "queue", False, "long", 32.0),
        ],
    ),
    "a command is judged with the watch off": (
        plan(health={**WATCH, "interval": 0, "ready": COMMAND}, on_failure=[{"do": "restart", "times": 1}]),
        [each for now in (0, 30, 60) for each in ((now, TICK), (now, ("probed", "ready", False, "no")))],
        [("probe", "ready"), ("verdict", "ready", False, "no", 92.0)] * 3,
    ),
    "a live command that fails with the watch off ends nothing": (
        plan(health={**WATCH, "interval": 0, "live": COMMAND}, on_failure=[{"do": "restart", "times": 1}]),
        [each for now in (0, 30, 60, 90) for each in ((now, TICK), (now, ILL))],
        [("probe", "live"), ("verdict", "live", False, "status 500", 92.0)] * 4,
    ),
    "a live command that fails restarts": (
        plan(health={**WATCH, "live": COMMAND}, on_failure=[{"do": "restart", "times": 1}]),
        [(0, TICK), (0, ILL), (10, TICK), (10, ILL), (20, TICK), (20, ILL)],
        [("probe", "live"), ("verdict", "live", False, "status 500", 32.0)] * 3
        + [status("starting"), ("send", 15)],
    ),
    "what takes more than a status has a verdict": (
        plan(health={**WATCH, "ready": {"timeout": 2.0, "asked": b"x"}}),
        [(10, TICK), (10, IS_READY), (20, TICK), (20, UNREADY)],
        [
            ("probe", "ready"),
            ("verdict", "ready", True, "", 32.0),
            ("probe", "ready"),
            ("verdict", "ready", False, "status 503", 32.0),
        ],
    ),
    "nothing is asked with the watch off": (
        plan(health={**BOTH, "interval": 0, "more": {"disk": {"port": 1}}}),
        [(10, TICK), (100, TICK)],
        [],
    ),
    "an answer that comes too late is nobody's": (
        plan(restart=ON_FAILURE, health=BOTH),
        [
            (10, TICK),
            (11, DIED),
            (11, EMPTY),
            (11.5, TICK),
            (11.6, WELL),
            (12, UP),
            (12, TICK),
            (12, IS_READY),
        ],
        [("probe", "live"), status("starting"), REFUSE, SWEEP, SPAWN, ("probe", "ready"), status("ready")],
    ),
    "ready again after so many successes": (
        plan(health={**READY, "successes": 2}),
        [(1, UNREADY), (2, UNREADY), (3, UNREADY), (4, IS_READY), (5, UNREADY), (6, IS_READY), (7, IS_READY)],
        [status("degraded"), status("ready")],
    ),
}


def test_there_are_many_histories():
    assert len(HISTORIES) >= 60


def stopped(history, **changes):
    """What is told about how long the end took."""
    supervision = Supervised(plan(**changes), 0.0)
    decided = [each for now, event in history for each in supervision.on(event, now)]
    return next(each[3] for each in decided if each[0] == "say" and each[2].startswith("stopped after"))


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        ([(1, TERM), (4, TICK), (5.5, ENDED), (5.75, EMPTY)], (3000, 1500, 250, False)),
        ([(1, TERM), (2, ENDED), (2, EMPTY)], (1000, 0, 0, False)),
        ([(1, TERM), (4, TICK), (12, TICK), (12, DIED), (12, EMPTY)], (3000, 8000, 0, True)),
        ([(1, INT), (2, INT), (2, DIED), (2, EMPTY)], (1000, 0, 0, True)),
    ],
    ids=["in time", "it ends while draining", "killed", "forced"],
)
def test_how_long_each_part_of_the_end_took_is_told(history, expected):
    told = stopped(history, drain=3.0)
    assert (told["drain_ms"], told["server_ms"], told["rest_ms"], told["forced"]) == expected


def test_an_end_without_a_server_took_what_was_left():
    history = [(1, DIED), (1, EMPTY), (5, TERM), (5.5, EMPTY)]
    assert stopped(history, on_failure=MAINTAIN) == {
        "drain_ms": 0, "server_ms": 0, "rest_ms": 500, "forced": False,
    }  # fmt: skip


@pytest.mark.parametrize("name", HISTORIES)
def test_a_history_leads_to_its_decisions(name):
    given, history, decided, *initial = HISTORIES[name]
    assert run(given, history, *initial) == decided


def test_delays_double_up_to_the_longest_and_begin_anew_after_stability():
    supervision = Supervised(plan(restart=ALWAYS), 0.0)
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


def told(given, history):
    """What is said, between the decisions."""
    supervision = Supervised(given, 0.0)
    decided = [each for now, event in history for each in supervision.on(event, now)]
    return [each[2] if each[0] == "say" else each[:2] for each in decided if each[0] != "status"]


def test_a_restart_is_announced_when_the_server_has_ended_and_the_pause_begins():
    given = plan(health=LIVE, on_failure=[{"do": "restart", "times": 1}])
    assert told(given, [(1, ILL), (2, ILL), (3, ILL), (4, ENDED), (5, EMPTY)]) == [
        "live failed 3 times: status 500", "ending the server", ("send", 15), ("refuse",), ("sweep", 15),
        "restarting in 0.5 s",
    ]  # fmt: skip
    assert told(plan(restart=ALWAYS), [(1, DIED), (2, EMPTY)]) == [
        "the server was ended by SIGKILL", ("refuse",), ("sweep", 15), "restarting in 0.5 s",
    ]  # fmt: skip


def test_a_service_without_a_watch_has_no_deadline():
    assert Supervised(plan(), 0.0).deadline() is None
