"""The laws of three-valued logic, and what the evaluator asks for."""

import marshal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.core.conditions import Facts, evaluate, leaves

ON_A_BUSY_MACHINE = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

PATHS = [("exists", path) for path in "abcd"]
ANSWERS = st.sampled_from([True, False, None])
CONDITIONS = st.recursive(
    st.sampled_from(PATHS),
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(["all", "any"]), st.lists(inner, min_size=1, max_size=4).map(tuple)),
        st.tuples(st.just("not"), inner),
    ),
    max_leaves=12,
)
WORLDS = st.fixed_dictionaries(dict.fromkeys(PATHS, ANSWERS))


def facts(world):
    known = Facts({})
    known.answers = {leaf: (value, str(leaf)) for leaf, value in world.items()}
    return known


def value(condition, world):
    return evaluate(condition, facts(world))[0]


def opposite(found):
    return None if found is None else not found


@ON_A_BUSY_MACHINE
@given(CONDITIONS, WORLDS)
def test_a_double_negation_changes_nothing(condition, world):
    assert value(("not", ("not", condition)), world) is value(condition, world)


@ON_A_BUSY_MACHINE
@given(st.lists(CONDITIONS, min_size=1, max_size=4).map(tuple), WORLDS)
def test_not_all_is_any_not(parts, world):
    some = tuple(("not", part) for part in parts)

    assert value(("not", ("all", parts)), world) is value(("any", some), world)


@ON_A_BUSY_MACHINE
@given(CONDITIONS, CONDITIONS, WORLDS, st.sampled_from(["all", "any"]))
def test_the_order_does_not_matter(one, other, world, word):
    assert value((word, (one, other)), world) is value((word, (other, one)), world)


@ON_A_BUSY_MACHINE
@given(CONDITIONS, CONDITIONS, WORLDS)
def test_absorption(one, other, world):
    assert value(("all", (one, ("any", (one, other)))), world) is value(one, world)


@ON_A_BUSY_MACHINE
@given(CONDITIONS, WORLDS, st.sampled_from(PATHS), st.booleans())
def test_what_is_decided_stays_so_when_more_becomes_known(condition, world, leaf, found):
    before = value(condition, {**world, leaf: None})

    if before is not None:
        assert value(condition, {**world, leaf: found}) is before


@ON_A_BUSY_MACHINE
@given(CONDITIONS, WORLDS)
def test_asking_one_leaf_after_the_other_comes_to_the_answer_of_all_at_once(condition, world):
    known, asked = Facts({}), []
    found, _, leaf = evaluate(condition, known)
    while leaf is not None:
        assert found is None
        assert leaf not in asked
        asked.append(leaf)
        known.answers[leaf] = (world[leaf], "")
        found, _, leaf = evaluate(condition, known)

    assert found is value(condition, world)
    assert set(asked) <= set(leaves(condition))


@ON_A_BUSY_MACHINE
@given(CONDITIONS)
def test_a_condition_is_data(condition):
    assert marshal.loads(marshal.dumps(condition)) == condition


def test_leaves_are_asked_left_to_right_and_only_while_they_matter():
    condition = ("any", (("exists", "a"), ("succeeds", ("b",), (1,), None)))
    known = Facts({})

    assert evaluate(condition, known)[2] == ("exists", "a")
    known.answers["exists", "a"] = (True, "a exists")
    assert evaluate(condition, known) == (True, "a exists", None)


def test_what_is_false_anyway_asks_nothing():
    assert evaluate(("all", (("exists", "a"), ("role", ("web",)))), Facts({}, role="worker")) == (
        False,
        "the role is `worker`",
        None,
    )


@pytest.mark.parametrize(
    ("words", "environment", "expected"),
    [
        (("prod",), "prod", True),
        (("prod",), "test", False),
        ((None,), "prod", None),
        (("prod", None), "prod", True),
        (("prod", None), "test", None),
    ],
)
def test_a_word_that_only_a_start_knows_leaves_open_what_nothing_else_decides(words, environment, expected):
    assert evaluate(("environment", words), Facts({}, environment=environment))[0] is expected


def test_a_leaf_with_a_part_that_only_a_start_knows_cannot_be_asked():
    assert evaluate(("exists", None), Facts({}))[::2] == (None, None)
    assert evaluate(("succeeds", ("test", None), (1,), None), Facts({}))[::2] == (None, None)


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        (Facts({"A": "1"}), True),
        (Facts({}), False),
        (Facts({}, complete=False), None),
        (Facts({"A": "1"}, complete=False), True),
        (Facts({"A": "1"}, late={"A"}), None),
    ],
)
def test_a_variable_may_be_set_unset_or_unknown(known, expected):
    assert evaluate(("variable", "A", "is", "set"), known)[0] is expected


def test_of_steps_and_of_root_nothing_is_known_before_a_start():
    assert evaluate(("step", "step:migrate", "ok"), Facts({}))[0] is None
    assert evaluate(("step", "step:migrate", "ok"), Facts({}, steps={}))[:2] == (
        False,
        "step `migrate` is unknown",
    )
    assert evaluate(("root", True), Facts({}))[0] is None
