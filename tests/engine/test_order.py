import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.engine.item import CHECK, HEALTH, IMPORT, LAUNCH, QUICK, STEP, WAIT
from orchestrator.engine.plan import Node, Order, timed


def order(*nodes):
    return Order([Node(*each) if isinstance(each, tuple) else each for each in nodes])


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
    assert made.before("file") == []
    assert made.before("module") == made.before("db") == ["file"]
    assert made.before("check") == ["file", "db"]
    assert made.before("step") == ["file", "db", "check"]
    assert set(made.before("launch")) == {"file", "module", "db", "check", "step"}
    assert made.before("ready") == ["launch"]


def test_what_needs_a_step_comes_behind_it_and_nothing_waits_for_it_in_vain():
    made = order(("file", QUICK, ("step",)), ("db", WAIT), ("step", STEP), ("launch", LAUNCH))
    assert "step" in made.before("file")
    assert "file" not in made.before("db")
    assert "file" not in made.before("step")
    assert "file" in made.before("launch")


def test_steps_follow_one_another_unless_they_need_each_other_the_other_way():
    made = order(("a", STEP, ("b",)), ("b", STEP), ("c", STEP))
    assert made.before("a") == ["b"]
    assert made.before("b") == []
    assert set(made.before("c")) == {"a", "b"}


def test_a_step_between_two_that_need_each_other_the_other_way_closes_no_circle():
    made = order(("a", STEP, ("c",)), ("b", STEP), ("c", STEP))
    assert made.before("c") == []
    assert made.before("a") == ["c"]
    assert set(made.before("b")) == {"a", "c"}


def test_imports_wait_for_steps_that_set_variables_unless_something_needs_them_before():
    made = order(
        Node("late", IMPORT),
        Node("module", IMPORT),
        Node("step", STEP, outputs=True),
        Node("after", STEP, ("module",)),
    )
    assert "step" in made.before("late")
    assert made.before("module") == []


def test_a_wish_gives_way_where_it_would_close_a_circle():
    made = order(Node("a", QUICK, after=("b",)), Node("b", QUICK, after=("a",)))
    assert sorted(len(made.before(name)) for name in "ab") == [0, 1]


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


@given(acyclic())
def test_everything_can_be_done_whatever_needs_what(nodes):
    made = Order(nodes)
    done, left = set(), set(made.nodes)
    while left:
        free = {name for name in left if set(made.before(name)) <= done}
        assert free, f"nothing can begin of {left}"
        done |= free
        left -= free
    for node in nodes:
        assert set(node.needs) <= set(made.before(node.id))


@pytest.mark.parametrize("count", [400])
def test_many_items_are_ordered_fast(count):
    import time

    began = time.perf_counter()
    timed(Order([Node(f"n{at}", [QUICK, WAIT, STEP][at % 3]) for at in range(count)]), {})
    assert time.perf_counter() - began < 20
