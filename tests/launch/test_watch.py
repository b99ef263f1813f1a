from orchestrator.launch.watch import JUDGED_EVERY, Watch

COMMAND = {"kind": "command", "argv": ["ask"], "timeout": 2.0}
HTTP = {"port": 1, "timeout": 2.0}


def watch(**health):
    return Watch({"failures": 2, "successes": 2, **health}, 100.0)


def test_what_is_not_watched_is_asked_only_where_nobody_else_can_judge():
    assert watch(live=HTTP, ready=HTTP).due is None
    assert list(watch(live=HTTP, more={"queue": COMMAND}).endpoints()) == ["queue"]
    assert list(watch(interval=5.0, live=HTTP, more={"queue": COMMAND}).endpoints()) == ["live", "queue"]


def test_a_command_is_judged_at_once_and_the_rest_after_an_interval():
    assert watch(interval=5.0, live=HTTP).due == 105.0
    judged = watch(more={"queue": COMMAND})
    assert judged.due == 100.0
    judged.plan(100.0, first=False)
    assert judged.due == 100.0 + JUDGED_EVERY


def test_a_round_asks_everything_and_a_server_that_boots_for_ready_alone():
    whole = watch(interval=5.0, live=HTTP, ready=HTTP)
    assert whole.begin(booting=False) == "live"
    assert (whole.round, whole.due) == (["ready"], None)
    assert whole.begin(booting=True) == "ready"
    assert whole.round == []


def test_one_answer_to_the_contrary_begins_the_count_again():
    counted = watch(interval=5.0, live=HTTP)
    for ok in (False, True, False):
        counted.note("live", ok=ok)
    assert not counted.has_failed("live")
    counted.note("live", ok=False)
    assert counted.has_failed("live")
    assert not counted.is_well("live")
    counted.begin_anew(200.0)
    assert not counted.has_failed("live")


def test_a_verdict_is_for_what_a_status_does_not_say_and_lasts_three_rounds():
    asked = watch(interval=5.0, live=HTTP, ready={**HTTP, "asked": b"x"})
    assert asked.verdict("live", True, "") is None
    assert asked.verdict("ready", False, "ill") == ("verdict", "ready", False, "ill", 17.0)
    assert asked.verdict("nothing", True, "") is None
