from orchestrator.core import watch
from orchestrator.core.state import Watch

COMMAND = {"kind": "command", "argv": ["ask"], "timeout": 2.0}
HTTP = {"port": 1, "timeout": 2.0}


def health(**given):
    return {"failures": 2, "successes": 2, **given}


def planned(given, *, first=True):
    made = Watch()
    watch.plan_round(made, given, 100.0, first=first)
    return made


def test_what_is_not_watched_is_asked_only_where_nobody_else_can_judge():
    assert planned(health(live=HTTP, ready=HTTP)).due is None
    assert list(watch.endpoints(health(live=HTTP, more={"queue": COMMAND}))) == ["queue"]
    assert list(watch.endpoints(health(interval=5.0, live=HTTP, more={"queue": COMMAND}))) == [
        "live",
        "queue",
    ]


def test_a_command_is_judged_at_once_and_the_rest_after_an_interval():
    assert planned(health(interval=5.0, live=HTTP)).due == 105.0
    judged = health(more={"queue": COMMAND})
    assert planned(judged).due == 100.0
    assert planned(judged, first=False).due == 100.0 + watch.UNWATCHED_INTERVAL


def test_a_round_asks_everything_and_a_server_that_boots_for_ready_alone():
    given = health(interval=5.0, live=HTTP, ready=HTTP)
    whole = planned(given)
    assert watch.begin_round(whole, given, booting=False) == "live"
    assert (whole.round, whole.due) == (["ready"], None)
    assert watch.begin_round(whole, given, booting=True) == "ready"
    assert whole.round == []


def test_one_answer_to_the_contrary_begins_the_count_again():
    given = health(interval=5.0, live=HTTP)
    counted = planned(given)
    for ok in (False, True, False):
        watch.count(counted, "live", ok=ok)
    assert not watch.has_failed(counted, given, "live")
    watch.count(counted, "live", ok=False)
    assert watch.has_failed(counted, given, "live")
    assert not watch.is_healthy(counted, given, "live")
    watch.restart(counted, given, 200.0)
    assert not watch.has_failed(counted, given, "live")


def test_a_verdict_is_for_what_a_status_does_not_say_and_lasts_three_rounds():
    given = health(interval=5.0, live=HTTP, ready={**HTTP, "asked": b"x"})
    assert watch.verdict_for(given, "live") is None
    assert watch.verdict_for(given, "ready") == 17.0
    assert watch.verdict_for(given, "nothing") is None
