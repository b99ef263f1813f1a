import marshal

from orchestrator.launch.plan import LaunchPlan, endpoint


def test_a_plan_survives_marshalling():
    plan = LaunchPlan(
        "shop",
        app="shop:app",
        environ={"A": "b"},
        options={"log_level": "info"},
        health={"live": endpoint(port=1, request=b"GET")},
    )
    assert LaunchPlan.of(marshal.loads(marshal.dumps(plan.data()))) == plan


def test_a_printed_plan_holds_no_environment():
    assert "hunter2" not in repr(LaunchPlan("shop", environ={"PASSWORD": "hunter2"}))


def test_what_needs_a_new_interpreter_is_said():
    same = {"PATH": "/bin", "TZ": "UTC"}
    assert LaunchPlan("shop", environ=same).why_exec(same) == ""
    assert "TZ" in LaunchPlan("shop", environ={"PATH": "/bin"}).why_exec(same)
    assert "LD_PRELOAD" in LaunchPlan("shop", environ={**same, "LD_PRELOAD": "x"}).why_exec(same)
    assert "user" in LaunchPlan("shop", environ=same, uid=1).why_exec(same)
    assert "importer: exec" in LaunchPlan("shop", environ=same, importer="exec").why_exec(same)
