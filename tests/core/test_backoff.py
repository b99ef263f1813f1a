"""How long the pauses between attempts are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.backoff import NOTICE, Policy, delay, pause, policy
from orchestrator.spec.retry import Retry

POLICIES = st.builds(
    Policy,
    initial=st.floats(0, 1e7),
    factor=st.floats(1, 100),
    max=st.floats(0, 1e7),
    jitter=st.sampled_from(["full", "none"]),
)
DRAWS = st.floats(0, 1)


@given(POLICIES, st.integers(1, 10_000), DRAWS)
def test_a_delay_is_never_negative_and_never_above_the_cap(given_policy, attempt, draw):
    assert 0 <= delay(given_policy, attempt, draw) <= given_policy.max


@given(POLICIES, st.integers(1, 10_000), st.floats(0, 1e6), DRAWS)
def test_a_pause_is_never_longer_than_the_delay(given_policy, attempt, elapsed, draw):
    assert 0 <= pause(given_policy, attempt, elapsed, draw) <= delay(given_policy, attempt, draw)


@given(st.integers(1, 10_000), st.floats(0, 0.999), DRAWS)
def test_in_the_first_second_no_pause_is_longer_than_100_ms(attempt, elapsed, draw):
    assert pause(Policy(), attempt, elapsed, draw) <= NOTICE


def test_ten_thousand_attempts_do_not_overflow():
    assert delay(Policy(factor=100.0), 10_000, 1.0) == 5.0


def test_delays_double_from_50_ms_to_5_seconds():
    steady = Policy(jitter="none")
    found = [delay(steady, attempt, 0.3) for attempt in range(1, 10)]
    assert found == [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]


def test_full_jitter_draws_between_nothing_and_the_whole_delay():
    assert [delay(Policy(), 3, draw) for draw in (0.0, 0.5, 1.0)] == [0.0, 0.1, 0.2]


def test_a_pause_is_not_longer_than_what_was_waited_already():
    assert pause(Policy(jitter="none"), 30, 1.5, 1.0) == 1.5
    assert pause(Policy(jitter="none"), 30, 60.0, 1.0) == 5.0


def test_a_longer_first_delay_that_is_written_is_taken():
    assert pause(Policy(initial=2.0, jitter="none"), 1, 0.0, 1.0) == 2.0


def test_what_an_item_says_wins_over_the_defaults_and_those_over_the_built_in_numbers():
    found = policy(Retry(initial="1s", times=3), Retry(initial="2s", max="9s"))
    assert found == Policy(initial=1.0, factor=2.0, max=9.0, jitter="full", times=3)


@pytest.mark.parametrize("given_retry", [None, Retry()])
def test_saying_nothing_gives_the_built_in_numbers(given_retry):
    assert policy(given_retry) == Policy(0.05, 2.0, 5.0, "full", None)
