from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.core.order import Node, Order
from orchestrator.core.phases import CHECK, HEALTH, IMPORT, LAUNCH, QUICK, STEP, WAIT
from orchestrator.engine.plan import timed

ON_A_BUSY_MACHINE = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def order(*nodes):
    return Order([Node(*each) if isinstance(each, tuple) else each for each in nodes])


def before(made, name):
    return made.names(made.before_mask(name))


def test_phases_order_what_nothing_else_orders():
    made = order(
        ("file", QUICK),
        ("module", IMPORT),
        ("db", WAIT),
        ("check", CHECK),
        ("step", STEP),
        ("launch", LAUNCH),
        ("ready", HEALTH),
    )
    assert before(made, "file") == []
    assert before(made, "module") == before(made, "db") == ["file"]
    assert before(made, "check") == ["file", "db"]
    assert before(made, "step") == ["file", "db", "check"]
    assert set(before(made, "launch")) == {"file", "module", "db", "check", "step"}
    assert before(made, "ready") == ["launch"]


def test_what_needs_a_step_comes_behind_it_and_nothing_waits_for_it_in_vain():
    made = order(("file", QUICK, ("step",)), ("db", WAIT), ("step", STEP), ("launch", LAUNCH))
    assert "step" in before(made, "file")
    assert "file" not in before(made, "db")
    assert "file" not in before(made, "step")
    assert "file" in before(made, "launch")


def test_steps_follow_one_another_unless_they_need_each_other_the_other_way():
    made = order(("a", STEP, ("b",)), ("b", STEP), ("c", STEP))
    assert before(made, "a") == ["b"]
    assert before(made, "b") == []
    assert set(before(made, "c")) == {"a", "b"}


def test_a_step_between_two_that_need_each_other_the_other_way_closes_no_circle():
    made = order(("a", STEP, ("c",)), ("b", STEP), ("c", STEP))
    assert before(made, "c") == []
    assert before(made, "a") == ["c"]
    assert set(before(made, "b")) == {"a", "c"}


def test_imports_wait_for_steps_that_set_variables_unless_something_needs_them_before():
    made = order(
        Node("late", IMPORT),
        Node("module", IMPORT),
        Node("step", STEP, outputs=True),
        Node("after", STEP, ("module",)),
    )
    assert "step" in before(made, "late")
    assert before(made, "module") == []


def test_a_wish_gives_way_where_it_would_close_a_circle():
    made = order(Node("a", QUICK, after=("b",)), Node("b", QUICK, after=("a",)))
    assert sorted(len(before(made, name)) for name in "ab") == [0, 1]


def test_without_a_bound_there_is_no_worst_case():
    plan = timed(order(("step", STEP), ("launch", LAUNCH)), {"step": None})
    assert plan.worst is None
    assert plan.unbounded == ("step",)
    assert plan.critical == ("step",)


def test_side_by_side_the_longest_counts():
    plan = timed(order(("a", WAIT), ("b", WAIT), ("s", STEP)), {"a": 10.0, "b": 30.0, "s": 5.0})
    assert plan.worst == 35.0
    assert plan.critical == ("b", "s")


@st.composite
def acyclic(draw):
    phases = draw(st.lists(st.sampled_from([QUICK, IMPORT, WAIT, CHECK, STEP]), min_size=1, max_size=9))
    nodes = []
    shuffled = draw(st.permutations(range(len(phases))))
    for at, phase in enumerate(phases):
        earlier = [f"n{other}" for other in range(len(phases)) if shuffled[other] < shuffled[at]]
        needs = tuple(draw(st.lists(st.sampled_from(earlier), unique=True, max_size=2))) if earlier else ()
        after = tuple(
            draw(
                st.lists(
                    st.sampled_from([f"n{other}" for other in range(len(phases))]), unique=True, max_size=2
                )
            )
        )
        nodes.append(Node(f"n{at}", phase, needs, after, outputs=phase == STEP and draw(st.booleans())))
    return nodes


@ON_A_BUSY_MACHINE
@given(acyclic())
def test_everything_can_be_done_whatever_needs_what(nodes):
    made = Order(nodes)
    done, left = set(), set(made.nodes)
    while left:
        free = {name for name in left if set(before(made, name)) <= done}
        assert free, f"nothing can begin of {left}"
        done |= free
        left -= free
    for node in nodes:
        assert set(node.needs) <= set(before(made, node.id))


def test_the_order_of_many_items_is_linear():
    """Ten needs each, a chain that is listed the other way round, and everything in between."""
    import random
    import time

    draw = random.Random(1)
    needs = [tuple(f"s{each}" for each in draw.sample(range(at), min(at, 10))) for at in range(1200)]
    steps = [Node(f"s{at}", STEP, needs[at]) for at in range(1200)]
    chain = [Node(f"c{at}", STEP, (f"c{at + 1}",) if at < 2999 else ()) for at in range(3000)]
    began = time.process_time()
    timed(Order(steps), {})
    timed(Order(chain), {})
    assert time.process_time() - began < 10, "a second on a machine with nothing else to do"


def test_only_what_comes_directly_before_is_shown():
    made = order(("file", QUICK), ("db", WAIT, ("file",)), ("a", STEP, ("db", "file")), ("b", STEP))
    assert made.reduced("a") == ["db"]
    assert made.reduced("b") == ["a"]
