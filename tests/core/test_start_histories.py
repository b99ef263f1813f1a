"""Histories from the first event to ready, and back: what happened, and what was commanded."""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from started import OK, RUN, SERVE, STOP, WARN, Started, degrade, failed, plan, words

from orchestrator.core.state import ENDED, SUPERVISOR

TERM = 15
LAUNCH = {"port": {}, "launch": {}}


def statuses(start):
    return [each[1] for each in start.commands if each[0] == "status"]


def ready(start):
    """From the import on, everything is ok."""
    start.imported()
    found = start.on("serving")
    while start.state.driver != SUPERVISOR:
        name = next(each[1] for each in found if each[0] == "attempt")
        found = start.attempted(name)
    return found


def test_waiting():
    start = Started(plan({"wait:db": {}, "step:migrate": {}, **LAUNCH, "health:ready": {}}))
    assert words(start.begin()) == ["attempt port"]
    assert words(start.attempted("port")) == ["attempt wait:db", "import 1"]
    assert start.attempted("wait:db", failed("refused")) == []
    assert words(start.tick()) == ["attempt wait:db"]
    assert words(start.attempted("wait:db")) == ["attempt step:migrate"]
    assert start.imported() == []
    assert words(start.attempted("step:migrate")) == ["spawn"]
    assert words(start.on("serving")) == ["attempt health:ready"]
    assert start.attempted("health:ready", failed("unexpected")) == []
    assert words(start.tick()) == ["attempt health:ready"]
    assert words(start.attempted("health:ready")) == ["supervise"]
    assert statuses(start) == ["ready"]


def test_many_failures():
    files = {f"file:{name}": {} for name in "abcd"}
    start = Started(plan({**files, "wait:db": {}, "step:migrate": {}, **LAUNCH}))
    start.begin()
    for name in files:
        start.attempted(name, failed())
    start.attempted("port")
    start.attempted("wait:db", failed("refused"))
    assert start.state.over == 5.0
    start.imported()
    while start.state.server.phase != ENDED:
        for name, *_ in [each[1:] for each in start.tick() if each[0] == "attempt"]:
            start.attempted(name, failed("refused"))
    assert 4.0 < start.now <= 5.0, "a wait that can change nothing has but a moment"
    assert (start.status("step:migrate"), start.status("launch")) == ("blocked", "blocked")
    assert start.commands[-1] == ("exit", 3)


def test_fallbacks():
    start = Started(plan({"file:a": {"actions": [RUN, RUN, degrade("search")]}, **LAUNCH}))
    start.begin()
    start.attempted("port")
    assert words(start.attempted("file:a", failed())) == ["remedy file:a"]
    assert words(start.remedied("file:a")) == ["attempt file:a"]
    assert words(start.attempted("file:a", failed())) == ["remedy file:a"]
    assert words(start.remedied("file:a", ok=False)) == ["import 1"]
    assert start.status("file:a") == "degraded"
    assert ("feature", "search", False, "file:a", 0.0) in start.commands
    ready(start)
    assert statuses(start) == ["degraded"]
    assert start.state.features.entries[0]["features"] == ["search"]


def test_imports_at_the_start():
    start = Started(plan({"module:a": {}, "step:migrate": {}, **LAUNCH}))
    start.begin()
    assert words(start.attempted("port")) == ["attempt step:migrate", "import 1"]
    assert start.imported("module:a", lost="launch") == []
    assert words(start.attempted("step:migrate")) == ["import 2"]
    assert words(start.imported()) == ["spawn"]


def test_an_import_that_nothing_can_fix_is_judged():
    start = Started(plan({"module:a": {"actions": [STOP]}, **LAUNCH}))
    start.begin()
    start.attempted("port")
    assert words(start.imported(lost="module:a")) == ["exit 3"]


def test_the_app_needs_it():
    start = Started(plan({"module:a": {"actions": [degrade("search")]}, **LAUNCH}))
    start.begin()
    start.attempted("port")
    assert words(start.imported(lost="module:a")) == ["import 2"]
    assert start.status("module:a") == "degraded"
    assert words(start.imported(lost="launch", needed=["module:a"])) == ["exit 3"]
    assert (start.status("module:a"), start.status("launch")) == ("failed", "blocked")
    assert ("feature", "search", True, "module:a", 0.0) in start.commands


def test_maintenance():
    start = Started(plan({"file:a": {"actions": [SERVE]}, **LAUNCH}))
    start.begin()
    start.attempted("port")
    assert words(start.attempted("file:a", failed()))[0].startswith("maintain")
    start.imported()
    pauses = []
    for outcome in (failed(), failed(), OK):
        before = start.now
        assert words(start.tick())[0] == "attempt file:a"
        pauses.append(start.now - before)
        start.attempted("file:a", outcome)
    assert pauses == [1.0, 2.0, 4.0]
    start.imported()
    assert words(start.on("serving")) == ["unmaintain", "supervise"]
    assert statuses(start) == ["maintenance", "ready"]


def test_what_is_served_instead_has_its_time():
    start = Started(plan({"file:a": {"actions": [SERVE | {"for": 3.0}, STOP | {"code": 9}]}, **LAUNCH}))
    start.begin()
    start.attempted("port")
    start.attempted("file:a", failed())
    start.imported()
    while start.state.server.phase != ENDED:
        for name, *_ in [each[1:] for each in start.tick() if each[0] == "attempt"]:
            start.attempted(name, failed())
        start.imported()
    assert start.now == 3.0
    assert start.commands[-1] == ("exit", 9)


def test_a_feature_comes_back_before_the_launch():
    start = Started(plan({"file:a": {"actions": [degrade("search", recheck=1.0)]}, "wait:db": {}, **LAUNCH}))
    start.begin()
    start.attempted("port")
    start.attempted("file:a", failed())
    assert start.state.imports.features == ["search"]
    start.imported()
    start.attempted("wait:db", failed("refused"))
    while "attempt file:a" not in (found := words(start.tick())):
        if "attempt wait:db" in found:
            start.attempted("wait:db", failed("refused"))
    start.attempted("file:a")
    assert ("feature", "search", True, "file:a", start.now) in start.commands
    while start.status("wait:db") != "ok":
        start.tick()
        start.attempted("wait:db")
    assert ("discard",) in start.commands, "the app reads its features while it is imported"


def crash(start, code=-9):
    """The server ends, and nothing of it is left."""
    return start.on("exited", code) + start.on("empty")


def test_the_engine_comes_back():
    policy = {"policy": "on-failure", "attempts": 2, "within": 60.0}
    start = Started(plan(LAUNCH, restart=policy, after_ready=[SERVE]))
    start.begin()
    start.attempted("port")
    ready(start)
    for pause in (0.5, 1.0):
        began = start.now
        crash(start)
        assert words(start.tick()) == ["spawn"]
        assert start.now - began == pause
        start.on("serving")
    assert words(crash(start))[-2:] == ["maintain", "scout"]
    assert words(start.on("scouted", True, "")) == ["come_back " + str(start.state.failed)]
    assert start.on("resumed") == []
    assert start.status("launch") == "failed"
    assert words(start.tick()) == ["import 1"]
    start.imported()
    assert words(start.on("serving")) == ["unmaintain", "supervise"]
    assert statuses(start)[-2:] == ["maintenance", "ready"]


def test_the_engine_comes_back_to_apply_a_remedy():
    start = Started(plan({**LAUNCH, "health:ready": {}}, after_ready=[RUN, STOP | {"code": 9}]))
    start.begin()
    start.attempted("port")
    ready(start)
    crash(start)
    start.on("scouted", True, "")
    assert words(start.on("resumed")) == ["remedy health:ready"]
    assert words(start.remedied("health:ready")) == ["import 1"]
    assert words(ready(start)) == ["supervise"]
    crash(start)
    assert start.commands[-1] == ("exit", 9)


def test_interruptions():
    start = Started(plan({"step:migrate": {}, **LAUNCH}))
    start.begin()
    start.attempted("port")
    lane = start.state.items["step:migrate"].lane
    for _ in range(3):
        start.on("signal", TERM)
        start.now += 1.0
    assert [each for each in start.commands if each[0] in ("give_up", "sweep")] == [
        ("give_up", "step:migrate", lane),
        ("sweep", TERM),
    ]
    start.attempted("step:migrate")
    assert words(start.on("empty")) == ["exit 143"]


def test_after_ready_a_request_to_stop_is_0():
    start = Started(plan(LAUNCH))
    start.begin()
    start.attempted("port")
    ready(start)
    assert words(start.on("signal", TERM)) == ["close", "send 15"]
    assert words(crash(start, 0)) == ["sweep 15", "exit 0"]


def test_a_late_import_starts_nothing_after_a_stop():
    start = Started(plan(LAUNCH))
    start.begin()
    start.attempted("port")
    start.on("signal", TERM)
    assert start.imported() == []
    assert words(start.on("empty")) == ["exit 143"]


def test_conditions():
    asks = ("all", (("variable", "OUT", "is", "set"), ("exists", "a"), ("succeeds", ("b",), (1,), None)))
    items = {"step:make": {"outputs": True}, "check:it": {"when": asks, "needs": ["step:make"]}, **LAUNCH}
    start = Started(plan(items))
    start.begin()
    start.attempted("port")
    assert words(start.attempted("step:make", values={"OUT": "x"}))[0] == "ask check:it"
    lane = start.state.items["check:it"].lane
    (asked,) = start.on("answered", "check:it", lane, ("exists", "a"), True, "a exists")
    assert asked[:2] == ("ask", "check:it")
    assert asked[3][0] == "succeeds"
    start.on("answered", "check:it", asked[2], asked[3], None, "`b` ended with 7")
    assert start.status("check:it") == "failed"
    assert start.state.items["check:it"].outcome["reason"] == "condition"


def test_a_role_without_a_launch_ends_after_its_steps():
    start = Started(plan({"step:a": {}}))
    start.begin()
    assert words(start.attempted("step:a")) == ["exit 0"]


def test_what_is_written_with_a_variable_that_failed_is_blocked_or_skipped():
    written = {"variables": ["variable:A"]}
    for action, status in ((STOP, "blocked"), (WARN, "skipped")):
        start = Started(plan({"variable:A": {"actions": [action]}, "file:a": written}))
        start.begin()
        start.attempted("variable:A", failed())
        assert start.status("file:a") == status


# Any history


ACTIONS = st.lists(
    st.sampled_from([RUN, WARN, STOP, SERVE, SERVE | {"for": 5.0}, degrade("search"), degrade("x", recheck=1.0, max_degraded=3.0)]),
    max_size=3,
)  # fmt: skip
OF_SERVER = st.lists(
    st.sampled_from([RUN, STOP, SERVE | {"for": 5.0}, {"do": "restart", "name": "restart", "times": 2}]), max_size=3
)  # fmt: skip
IDS = ["file:a", "file:b", "module:m", "wait:db", "check:c", "step:s", "step:t"]


@st.composite
def plans(draw):
    items = {name: {"actions": draw(ACTIONS)} for name in draw(st.lists(st.sampled_from(IDS), unique=True))}
    if draw(st.booleans()):
        items |= {"port": {}, "launch": {"actions": draw(OF_SERVER)}}
        items |= {"health:ready": {"actions": draw(OF_SERVER)}} if draw(st.booleans()) else {}
    return plan(items, after_ready=draw(OF_SERVER))


def answers(start, command, chance):
    """What a driver may report after a command; a command may never be answered at all."""
    good = chance.random() < 0.6
    outcome = OK if good else failed(chance.choice(["missing", "refused"]), final=chance.random() < 0.3)
    what, *more = command
    match what:
        case "attempt":
            return [("attempted", *more[:2], outcome)]
        case "remedy":
            return [("remedied", *more[:2], good, "done")]
        case "ask":
            return [("answered", *more[:3], chance.choice([True, False, None]), "why")]
        case "import":
            lost = [
                name
                for name in (*more[1], *(["launch"] if "launch" in start.state.items else []))
                if chance.random() < 0.2
            ]
            events = [("imported", more[0], name, OK) for name in more[1] if name not in lost]
            events += [("not_imported", more[0], name, failed("import"), []) for name in lost]
            return [*events, ("import_ended" if lost else "import_ready", more[0])]
        case "spawn":
            return [("serving",)] if good else [("exited", 1)]
        case "send":
            return [("exited", 0)]
        case "sweep":
            return [("exited", -9), ("empty",)]
        case "scout":
            return [("scouted", good, "")]
        case "come_back":
            return [("resumed",)]
        case "supervise":
            return [("exited", 1)] if not good else []
    return []


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(made=plans(), seed=st.integers(0, 10_000), stops_at=st.integers(0, 40))
def test_any_history_comes_to_an_end(made, seed, stops_at):
    """Whatever is answered, in whatever order, marshalled at every event: a request to stop ends it."""
    chance = random.Random(seed)
    start = Started(made)
    pending = [("started",)]
    for number in range(400):
        if start.state.server.phase == ENDED:
            break
        if number == stops_at:
            pending.append(("signal", TERM))
        if pending:
            event = pending.pop(chance.randrange(len(pending)) if number < stops_at else 0)
            found = start.on(*event)
        else:
            found = start.tick() if _due(start) else start.on("signal", TERM)
        pending += [event for command in found for event in answers(start, command, chance)]
    assert start.state.server.phase == ENDED
    assert start.commands[-1][0] == "exit"
    assert [each[0] for each in start.commands].count("exit") == 1


def _due(start):
    from orchestrator.core.transition import deadline

    return deadline(start.state) is not None


@pytest.mark.parametrize("seed", range(5))
def test_where_everything_is_ok_in_the_end_the_service_is_ready(seed):
    """Failures that pass: each wait fails a few times, and whatever comes first."""
    chance = random.Random(seed)
    items = {name: {} for name in IDS} | {"port": {}, "launch": {}, "health:ready": {}}
    start = Started(plan(items))
    pending = [("started",)]
    while start.state.driver != SUPERVISOR:
        if not pending:
            start_commands = start.tick()
        else:
            start_commands = start.on(*pending.pop(chance.randrange(len(pending))))
        for command in start_commands:
            waits = command[0] == "attempt" and command[1] in ("wait:db", "health:ready")
            if waits and start.state.items[command[1]].attempts < 4:
                pending.append(("attempted", *command[1:3], failed("refused")))
            else:
                pending += answers(start, command, _Good())
    assert start.state.status == "ready"


class _Good(random.Random):
    """Everything is ok."""

    def random(self):
        return 0.5
