from orchestrator.core import restarts
from orchestrator.core.backoff import RESTARTS
from orchestrator.core.state import Restarts


def spent(*actions, engine=False, **restart):
    """Nothing has been spent of a policy and of a list of actions."""
    return Restarts({}), {"restart": restart, "on_failure": list(actions), "engine": engine}


def purposes(given, count):
    return [restarts.next_action(*given, 4) for _ in range(count)]


def test_actions_are_gone_through_in_order_and_then_it_is_the_end():
    given = spent(
        {"do": "restart", "times": 2},
        {"do": "serve", "app": "maintenance", "for": 5.0},
        {"do": "stop", "code": None},
    )
    assert purposes(given, 5) == [
        ("spawn", 0.5), ("spawn", 1.0), ("maintain", 5.0), ("exit", 4), ("exit", 4),
    ]  # fmt: skip
    assert given[0].tried == ["restart", "restart", "serve: maintenance"]


def test_what_needs_an_engine_is_passed_over_where_none_can_come():
    actions = [
        {"do": "remedy", "name": "set", "beside": False},
        {"do": "remedy", "name": "run", "beside": True},
        {"do": "serve", "app": "other:app", "for": None},
        {"do": "stop", "code": 9},
    ]
    assert purposes(spent(*actions), 1) == [("exit", 9)]
    assert purposes(spent(*actions, engine=True), 3) == [
        ("engine", 0, False, None), ("engine", 1, False, None), ("engine", 2, True, None),
    ]  # fmt: skip


def test_what_keeps_the_server_is_seen_before_it_is_taken():
    given = spent({"do": "warn"}, {"do": "stop", "code": None}, engine=True)
    assert restarts.beside(*given) == {"do": "warn"}
    restarts.passed(given[0], 1)
    assert restarts.beside(*given) is None
    assert restarts.beside(*spent({"do": "warn"})) is None


def test_the_policys_restarts_come_back_with_the_time_and_pauses_grow_to_a_limit():
    given = spent(policy="on-failure", attempts=2, within=10.0)
    assert restarts.after_exit(*given, 0.0, 0) is None
    assert [restarts.after_exit(*given, now, 1) for now in (0.0, 1.0)] == [("spawn", 0.5), ("spawn", 1.0)]
    assert restarts.after_exit(*given, 9.9, 1) is None
    assert restarts.after_exit(*given, 10.0, 1) == ("spawn", 2.0)
    steady = spent(policy="always")
    assert [restarts.after_exit(*steady, 100.0, 1)[1] for _ in range(2000)][-1] == RESTARTS.max


def test_what_an_engine_remembers_is_where_the_next_one_goes_on():
    given = spent({"do": "restart", "times": 3}, {"do": "stop", "code": 9})
    purposes(given, 1)
    again = Restarts(given[0].dump())
    assert restarts.next_action(again, given[1], 4) == ("spawn", 1.0)


def test_long_service_is_forgiven():
    given = spent({"do": "restart", "times": 1}, within=60.0)
    purposes(given, 1)
    restarts.forgive(*given, 50.0, 0.0)
    assert purposes(given, 1) == [("exit", 4)]
    restarts.forgive(*given, 60.0, 0.0)
    assert purposes(given, 1) == [("spawn", 0.5)]
    restarts.forgive(*given, 1000.0, None)  # it never served
    assert purposes(given, 1) == [("exit", 4)]
