from orchestrator.launch.budget import LONGEST_DELAY, Budget


def budget(*actions, engine=False, **restart):
    return Budget({"restart": restart, "on_failure": list(actions), "engine": engine})


def test_actions_are_gone_through_in_order_and_then_it_is_the_end():
    left = budget(
        {"do": "restart", "times": 2},
        {"do": "serve", "app": "maintenance", "for": 5.0},
        {"do": "stop", "code": None},
    )
    assert [left.next(4) for _ in range(5)] == [
        ("spawn", 0.5), ("spawn", 1.0), ("maintain", 5.0), ("exit", 4), ("exit", 4),
    ]  # fmt: skip
    assert left.tried == ["restart", "restart", "serve: maintenance"]


def test_what_needs_an_engine_is_passed_over_where_none_can_come():
    actions = [
        {"do": "remedy", "name": "set", "beside": False},
        {"do": "remedy", "name": "run", "beside": True},
        {"do": "serve", "app": "other:app", "for": None},
        {"do": "stop", "code": 9},
    ]
    assert budget(*actions).next(4) == ("exit", 9)
    able = budget(*actions, engine=True)
    assert [able.next(4) for _ in range(3)] == [
        ("engine", 0, False, None), ("engine", 1, False, None), ("engine", 2, True, None),
    ]  # fmt: skip


def test_what_keeps_the_server_is_seen_before_it_is_taken():
    left = budget({"do": "warn"}, {"do": "stop", "code": None}, engine=True)
    assert left.beside() == {"do": "warn"}
    left.passed(1)
    assert left.beside() is None
    assert budget({"do": "warn"}).beside() is None


def test_the_policys_restarts_come_back_with_the_time_and_pauses_grow_to_a_limit():
    left = budget(policy="on-failure", attempts=2, within=10.0)
    assert left.wants_restart(1)
    assert not left.wants_restart(0)
    pauses = [left.again(now)[1] for now in (0.0, 1.0)]
    assert pauses == [0.5, 1.0]
    assert not left.has_restart(9.9)
    assert left.has_restart(10.0)
    assert [left.again(100.0)[1] for _ in range(9)][-1] == LONGEST_DELAY


def test_what_an_engine_remembers_is_where_the_next_one_goes_on():
    left = budget({"do": "restart", "times": 3}, {"do": "stop", "code": 9})
    left.next(4)
    again = Budget({"restart": {}, "on_failure": left.actions, "budget": left.remembered()})
    assert again.remembered() == left.remembered()
    assert again.next(4) == ("spawn", 1.0)


def test_long_service_is_forgiven():
    left = budget({"do": "restart", "times": 1}, within=60.0)
    left.next(4)
    left.forgive(50.0, 0.0)
    assert left.next(4) == ("exit", 4)
    left.forgive(60.0, 0.0)
    assert left.next(4) == ("spawn", 0.5)
    left.forgive(1000.0, None)  # it never served
    assert left.next(4) == ("exit", 4)
