"""Histories about features that are off and about the engine that comes back: events and what was decided, no process."""

from collections import deque

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from supervised import Supervised
from test_server import (
    ALWAYS,
    BOTH,
    CLOSE,
    DIED,
    EMPTY,
    ENDED,
    FAILED,
    ILL,
    LIVE,
    MAINTENANCE,
    REFUSE,
    SPAWN,
    SWEEP,
    TERM,
    TICK,
    UP,
    WATCH,
    off,
    plan,
    run,
    status,
)

from orchestrator.core.restarts import STABLE

ON_A_BUSY_MACHINE = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

WELL = {"word": "well", "summary": "there", "tried": 1}
STILL = {"word": "off", "summary": "refused", "tried": 1}
WORSE = {"word": "off", "summary": "timeout", "tried": 1}
BROKEN = {"word": "unknown", "summary": "the engine ended with 1"}
WARNED = {"word": "settled", "summary": "refused", "tried": 2, "entry": None}
STOPS = {"word": "next", "what": "stop", "do": "stop", "code": 9, "summary": "refused", "tried": 1}
SERVES = {"word": "next", "what": "serve", "do": "serve", "code": 75, "summary": "refused", "tried": 1}
SCOUT, GO, STUCK = ("scout",), ("scouted", True, ""), ("scouted", False, "no pydantic")
GONE = {"item": "launch", "summary": "the server was ended by SIGKILL", "code": 137}


def engine(**changes):
    return plan(engine=True, **changes)


def entry(item="wait:db", *features, **changes):
    return off(item, *(features or ("search",)), **{"recheck": 30.0, "due": 30.0} | changes)


def again(item="wait:db", *, last=False, tried=1):
    return ("recheck", item, tried, last, 5.0)


def on(name, item, seconds):
    return ("feature", name, True, item, seconds)


def answer(item, said):
    return ("rechecked", item, said)


def back(tried, *, serve, since, over=None, **failed):
    return ("come_back", GONE | failed | {"tried": tried, "serve": serve, "since": since, "over": over})


HISTORIES = {
    "an item is tried when it is due, and comes back": (
        engine(features=[entry()]),
        [(29, TICK), (30, TICK), (31, answer("wait:db", WELL)), (90, TICK)],
        [again(), on("search", "wait:db", 31), status("ready")],
    ),
    "tried again and again": (
        engine(features=[entry()]),
        [(30, TICK), (31, answer("wait:db", STILL)), (60, TICK), (61, TICK), (62, answer("wait:db", WORSE)), (92, TICK)],
        [again(), again(), again()],
    ),
    "never two at once": (
        engine(features=[entry("a"), entry("b")]),
        [(30, TICK), (40, TICK), (41, answer("a", STILL)), (41, TICK)],
        [again("a"), again("b")],
    ),
    "a feature of two items comes back with the second": (
        engine(features=[entry("a"), entry("b")]),
        [(30, TICK), (30, answer("a", WELL)), (30, TICK), (31, answer("b", WELL))],
        [again("a"), again("b"), on("search", "b", 31), status("ready")],
    ),
    "another feature stays off": (
        engine(features=[entry("a"), off("b", "orders")]),
        [(30, TICK), (30, answer("a", WELL))],
        [again("a"), on("search", "a", 30), status("degraded")],
    ),
    "an item of two features brings both": (
        engine(features=[entry("a", "search", "orders")]),
        [(30, TICK), (30, answer("a", WELL))],
        [again("a"), on("search", "a", 30), on("orders", "a", 30), status("ready")],
    ),
    "what is not tried again never is": (engine(features=[off("a", "search")]), [(30, TICK), (3000, TICK)], []),
    "nothing is tried where no engine can be started": (plan(features=[entry()]), [(30, TICK)], []),
    "nothing is tried while the service ends": (
        engine(features=[entry()]),
        [(1, TERM), (30, TICK)],
        [status("stopping"), CLOSE, ("send", 15), ("dump", 0)],
    ),
    "an answer after the request to stop is nobody's": (
        engine(features=[entry(restart=True)]),
        [(30, TICK), (31, TERM), (32, answer("wait:db", WELL))],
        [again(), status("stopping"), CLOSE, ("send", 15)],
    ),
    "the server starts again for a feature that needs it": (
        engine(features=[entry(restart=True)], drain=2.0),
        [(30, TICK), (31, answer("wait:db", WELL)), (33, TICK), (34, ENDED), (34, EMPTY), (34, TICK), (35, UP)],
        [again(), on("search", "wait:db", 31), status("ready"), ("environ", {}), status("starting"), ("send", 15), REFUSE, SWEEP,
         SPAWN, status("ready")],
    ),
    "a server that boots meanwhile starts once more": (
        engine(features=[entry(restart=True, due=1.0)], restart=ALWAYS),
        [(0.1, DIED), (0.1, EMPTY), (0.6, TICK), (1, TICK), (2, answer("wait:db", WELL)), (3, UP)],
        [status("starting"), REFUSE, SWEEP, SPAWN, again(), on("search", "wait:db", 2), status("starting"), ("environ", {}),
         status("ready"), status("starting"), ("send", 15)],
    ),
    "a try that ended with the server is made again beside the next": (
        engine(features=[entry()], restart=ALWAYS),
        [(30, TICK), (31, DIED), (31, EMPTY), (31.5, TICK), (32, answer("wait:db", WELL))],
        [again(), status("starting"), REFUSE, SWEEP, SPAWN, again(), on("search", "wait:db", 32), status("starting")],
    ),
    "off for too long: its next action is to stop": (
        engine(features=[entry(over=40.0)]),
        [(30, TICK), (31, answer("wait:db", STILL)), (40, TICK), (41, answer("wait:db", STOPS)), (42, ENDED), (42, EMPTY)],
        [again(), again(last=True), ("send", 15), REFUSE, SWEEP, status("failed"), ("exit", 9)],
    ),
    "off for too long, and it drains": (
        engine(features=[entry(over=40.0)], drain=5.0),
        [(40, TICK), (41, answer("wait:db", STOPS)), (45, TICK), (46, TICK)],
        [again(last=True), ("send", 15)],
    ),
    "off for too long: the engine comes back": (
        engine(features=[entry(over=40.0)]),
        [(40, TICK), (41, answer("wait:db", SERVES)), (42, ENDED), (42, EMPTY), (43, GO)],
        [again(last=True), status("starting"), ("send", 15), REFUSE, SWEEP, status("maintenance"), MAINTENANCE, SCOUT,
         back(1, serve=True, since=42, item="wait:db", summary="refused", code=75)],
    ),
    "off for too long, and a verdict lets it go": (
        engine(features=[entry(over=40.0)]),
        [(40, TICK), (41, answer("wait:db", WARNED)), (1000, TICK)],
        [again(last=True)],
    ),
    "off for too long, and another feature goes": (
        engine(features=[entry(over=40.0)]),
        [(40, TICK), (41, answer("wait:db", WARNED | {"entry": entry("wait:db", "orders", due=71.0, tried=2)})), (71, TICK)],
        [again(last=True), ("feature", "orders", False, "wait:db", 0.0), status("degraded"), again(tried=2)],
    ),
    "nothing came of the try: again, and later": (
        engine(features=[entry(over=40.0)]),
        [(40, TICK), (41, answer("wait:db", BROKEN)), (42, TICK), (71, TICK)],
        [again(last=True), again(last=True)],
    ),
    "the engine comes back to serve something else": (
        engine(on_failure=[{"do": "serve", "app": "maintenance", "for": None}]),
        [(1, DIED), (1, EMPTY), (2, GO)],
        [status("starting"), REFUSE, SWEEP, status("maintenance"), MAINTENANCE, SCOUT, back(0, serve=True, since=1)],
    ),
    "the engine cannot come back: maintenance stays": (
        engine(on_failure=[{"do": "serve", "app": "maintenance", "for": 10.0}, {"do": "stop", "code": 9}]),
        [(1, DIED), (1, EMPTY), (2, STUCK), (11, TICK), (11, EMPTY)],
        [status("starting"), REFUSE, SWEEP, status("maintenance"), MAINTENANCE, SCOUT, REFUSE, SWEEP, status("failed"), ("exit", 9)],
    ),
    "maintenance died before the engine could not come back": (
        engine(on_failure=[{"do": "serve", "app": "maintenance", "for": None}]),
        [(1, DIED), (1, EMPTY), (1.5, ("maintenance_ended", 1)), (2, STUCK), (2, EMPTY)],
        [status("starting"), REFUSE, SWEEP, status("maintenance"), MAINTENANCE, SCOUT, REFUSE, SWEEP, status("failed"), ("exit", 137)],
    ),
    "the engine comes back to set a variable": (
        engine(on_failure=[{"do": "remedy", "name": "set", "beside": False}]),
        [(1, DIED), (1, EMPTY), (2, GO)],
        [status("starting"), REFUSE, SWEEP, SCOUT, back(0, serve=False, since=1)],
    ),
    "the engine cannot come back: the next action": (
        engine(on_failure=[{"do": "remedy", "name": "set", "beside": False}, {"do": "remedy", "name": "run", "beside": True}, {"do": "stop", "code": 9}]),
        [(1, DIED), (1, EMPTY), (2, STUCK), (2, EMPTY), (3, STUCK), (3, EMPTY)],
        [status("starting"), REFUSE, SWEEP, SCOUT, REFUSE, SWEEP, SCOUT, REFUSE, SWEEP, status("failed"), ("exit", 9)],
    ),
    "asked while the engine comes back": (
        engine(on_failure=[{"do": "serve", "app": "maintenance", "for": None}]),
        [(1, DIED), (1, EMPTY), (2, TERM), (2, GO), (2, EMPTY)],
        [status("starting"), REFUSE, SWEEP, status("maintenance"), MAINTENANCE, SCOUT, status("stopping"), CLOSE, SWEEP,
         status("stopped"), ("exit", 0)],
    ),
    "without an engine its actions are no actions": (
        plan(on_failure=[{"do": "remedy", "name": "set", "beside": False}, {"do": "remedy", "name": "run", "beside": True}, {"do": "serve", "app": "closed:app", "for": None}, {"do": "warn"}, {"do": "stop", "code": 9}]),
        [(1, DIED), (1, EMPTY)],
        [REFUSE, SWEEP, status("failed"), ("exit", 9)],
    ),
    "nothing is kept of a server that ended": (
        engine(on_failure=[{"do": "warn"}, {"do": "stop", "code": 9}]),
        [(1, FAILED), (1, EMPTY)],
        [REFUSE, SWEEP, status("failed"), ("exit", 9)],
    ),
    "a server that lives is kept": (
        engine(health=LIVE, on_failure=[{"do": "warn", "limit": 5.0}]),
        [(1, ILL), (2, ILL), (3, ILL), (4, answer("health:live", WARNED | {"tried": 1})), (5, ILL), (6, ILL), (7, ILL), (8, ILL)],
        [again("health:live", last=True, tried=0)],
    ),
    "a remedy helps a server that lives": (
        engine(health=LIVE, on_failure=[{"do": "remedy", "name": "run", "beside": True, "limit": 5.0}, {"do": "stop", "code": 9}]),
        [(1, ILL), (2, ILL), (3, ILL), (4, answer("health:live", WELL)), (5, ILL), (6, ILL), (7, ILL), (8, ENDED), (8, EMPTY)],
        [again("health:live", last=True, tried=0), ("send", 15), REFUSE, SWEEP, status("failed"), ("exit", 9)],
    ),
    "a remedy does not help: the next action": (
        engine(health=LIVE, on_failure=[{"do": "remedy", "name": "run", "beside": True, "limit": 5.0}, {"do": "restart", "times": 1}]),
        [(1, ILL), (2, ILL), (3, ILL), (4, answer("health:live", STOPS | {"what": "restart"})), (5, ENDED), (5, EMPTY), (5.5, TICK)],
        [again("health:live", last=True, tried=0), status("starting"), ("send", 15), REFUSE, SWEEP, SPAWN],
    ),
    "the remedy itself goes wrong: the next action": (
        engine(health=LIVE, on_failure=[{"do": "remedy", "name": "run", "beside": True, "limit": 5.0}, {"do": "stop", "code": 9}]),
        [(1, ILL), (2, ILL), (3, ILL), (4, answer("health:live", BROKEN)), (5, ENDED), (5, EMPTY)],
        [again("health:live", last=True, tried=0), ("send", 15), REFUSE, SWEEP, status("failed"), ("exit", 9)],
    ),
    "features do not hide that the service is not ready": (
        engine(health={**BOTH, "failures": 1}, features=[entry()]),
        [(1, ("probed", "ready", False, "503")), (30, TICK), (31, answer("wait:db", WELL)), (32, ("probed", "ready", True, ""))],
        [("probe", "live"), again(), on("search", "wait:db", 31), status("degraded"), status("ready")],
        "degraded",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HISTORIES)
def test_a_history_leads_to_its_decisions(name):
    given_plan, history, decided, *initial = HISTORIES[name]
    first = initial[0] if initial else "degraded" if given_plan.get("features") else "ready"
    found = run(given_plan, history, first)
    assert [each for each in found if each[0] != "probe" or each in decided] == decided


def test_what_is_said_of_an_item_that_fails_is_said_when_it_changes():
    supervision = Supervised(engine(features=[entry()]), 0.0, "degraded")
    said = []
    for number, each in enumerate([STILL, STILL, WORSE, WORSE, BROKEN, BROKEN], 1):
        supervision.on(TICK, 100.0 * number)
        said.append(
            [what[2] for what in supervision.on(answer("wait:db", each), 100.0 * number) if what[0] == "say"]
        )
    assert said == [
        [], [], ["wait:db still fails: timeout"], [], ["cannot try wait:db again: the engine ended with 1"], [],
    ]  # fmt: skip


def test_there_is_no_wake_up_but_for_what_is_due():
    supervision = Supervised(engine(features=[entry(due=30.0, over=50.0)]), 0.0, "degraded")
    assert supervision.deadline() == 30.0
    supervision.on(TICK, 30.0)
    assert supervision.deadline() is None
    supervision.on(answer("wait:db", STILL), 31.0)
    assert supervision.deadline() == 50.0
    supervision.on(TICK, 50.0)
    supervision.on(answer("wait:db", WELL), 51.0)
    assert supervision.deadline() is None


def spent(supervised):
    found = supervised.state.restarts
    return found.action, found.used, found.streak, found.rounds


def test_what_was_spent_is_handed_on_and_forgiven_after_long_service():
    budget = {"recent": [1.0], "streak": 3, "action": 1, "used": 1, "rounds": 4, "since": 5.0}
    crashes = plan(
        restarts=budget,
        on_failure=[{"do": "restart", "times": 1}, {"do": "restart", "times": 2}, {"do": "stop", "code": 9}],
    )
    soon, late = Supervised(crashes, 100.0), Supervised(crashes, 100.0)
    soon.on(DIED, 101.0)
    assert spent(soon) == (1, 2, 4, 4)
    late.on(DIED, 100.0 + STABLE)
    assert spent(late) == (0, 1, 1, 0)


ACTIONS = st.lists(
    st.one_of(
        st.builds(lambda times: {"do": "restart", "times": times}, st.integers(1, 5)),
        st.builds(lambda limit: {"do": "serve", "app": "maintenance", "for": limit}, st.floats(0.1, 100.0)),
        st.sampled_from(
            [
                {"do": "stop", "code": 9},
                {"do": "remedy", "name": "set", "beside": False},
                {"do": "remedy", "name": "run", "beside": True, "limit": 5.0},
                {"do": "warn", "limit": 5.0},
            ]
        ),
    ),
    max_size=8,
)


@ON_A_BUSY_MACHINE
@given(
    actions=ACTIONS, attempts=st.integers(0, 5), live=st.booleans(), beside=st.sampled_from([STOPS, BROKEN])
)
def test_no_list_of_actions_loops_for_ever(actions, attempts, live, beside):
    """The worst of all services: each server dies or fails at once, every maintenance dies, no engine can come back."""
    restart = {"policy": "on-failure", "attempts": attempts, "within": 1000.0}
    supervision = Supervised(
        plan(engine=True, restart=restart, on_failure=actions, health=LIVE if live else WATCH), 0.0
    )
    now, spawned = 0.0, 0
    events = deque([ILL, ILL, ILL] if live else [DIED])
    budget = attempts + sum(action.get("times", 1) for action in actions)
    for _ in range(100 * (budget + 2)):
        now = now + 0.01 if events else max(now, supervision.deadline() or now)
        for what, *more in supervision.on(events.popleft() if events else TICK, now):
            spawned += what == "spawn"
            events.extend(_worst(what, more, beside, live=live))
            if what == "exit":
                assert spawned <= budget
                return
    raise AssertionError(f"it goes on: {supervision.state.server.phase}")


def _worst(what, more, beside, *, live):
    """What the world answers to a decision."""
    return {
        "spawn": [UP, ILL, ILL, ILL] if live else [DIED],
        "send": [ENDED],
        "sweep": [EMPTY],
        "scout": [STUCK],
        "maintain": [("maintenance_ended", 1)],
        "recheck": [answer(more[0], beside | {"tried": more[1] + 1})] if what == "recheck" else [],
        "probe": [ILL],
    }.get(what, [])
