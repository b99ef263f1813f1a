import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.suggest import MANY, Lookup, closest, did_you_mean, slip

KEYS = ["on_failure", "timeout", "deadline", "needs", "when", "wait_for", "unless", "user", "tcp", "tls"]


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("timout", "timeout"),
        ("tiemout", "timeout"),
        ("dedline", "deadline"),
        ("onFailure", "on_failure"),
        ("on-failure", "on_failure"),
        ("ON_FAILURE", "on_failure"),
        ("waitfor", "wait_for"),
        ("need", "needs"),
        ("tpc", "tcp"),
        ("timeout", "timeout"),
    ],
)
def test_the_word_that_was_meant_is_found(word, meant):
    assert closest(word, KEYS) == meant


@pytest.mark.parametrize("word", ["", "x", "volumes", "healthcheck", "zz"])
def test_nothing_is_suggested_where_nothing_is_near(word):
    assert closest(word, KEYS) is None


def test_the_same_letters_win_over_a_near_word():
    assert closest("max-age", ["maxage2", "max_age"]) == "max_age"


def test_the_nearest_wins_and_then_the_first():
    assert closest("abcdef", ["abcxyf", "abcdex"]) == "abcdex"
    assert closest("abcdef", ["abcdex", "abcdey"]) == "abcdex"


def test_the_hint_is_a_question_or_nothing():
    assert did_you_mean("timout", KEYS) == "did you mean `timeout`?"
    assert did_you_mean("volumes", KEYS) == ""


@given(st.text(max_size=30), st.lists(st.text(max_size=30), max_size=6))
def test_any_text_gives_a_candidate_or_none(word, candidates):
    found = closest(word, candidates)

    assert found is None or found in candidates


@given(st.text("abcdefgh", min_size=6, max_size=20), st.data())
def test_one_slip_in_a_long_word_is_always_forgiven(word, data):
    at = data.draw(st.integers(0, len(word) - 1))
    slips = [word[:at] + word[at + 1 :], word[:at] + "x" + word[at:], word[:at] + "x" + word[at + 1 :]]

    assert {closest(slip, [word, "zzzzzzzzz"]) for slip in slips} == {word}


def test_a_very_long_word_costs_next_to_nothing():
    assert closest("x" * 100_000, ["timeout", "x" * 50]) is None


@pytest.mark.parametrize(("word", "meant"), [
    ("LOG_LEVLE", "LOG_LEVEL"), ("LOGLEVE", "LOG_LEVEL"), ("DATABASE_URLS", "DATABASE_URL"),
    ("DB_HOST2", None), ("DB_PORT", None), ("LOG_LEVEL", None), ("CI", None), ("PRT", None),
])  # fmt: skip
def test_a_slip_is_one_letter_in_a_long_word(word, meant):
    assert slip(word, ["LOG_LEVEL", "DB_HOST", "DATABASE_URL", "PORT", "C"]) == meant


@pytest.mark.parametrize(
    ("word", "meant"),
    [("TERM", "SIGTERM"), ("warn", "warning"), ("sig", None), ("SIGT", "SIGTERM"), ("USER", None)],
)
def test_a_part_of_a_word_stands_for_the_only_one_that_begins_or_ends_with_it(word, meant):
    assert closest(word, ["SIGTERM", "SIGINT_USER", "SIGQUIT_USER", "warning"]) == meant


def test_a_word_is_looked_for_once_and_not_thousands_of_them():
    asked = []

    def find(word, candidates):
        asked.append(word)
        return candidates[0]

    lookup = Lookup(["deadline"], find)
    assert [lookup("dedline"), lookup("dedline")] == ["deadline", "deadline"]
    found = [lookup(f"word{number}") for number in range(3 * MANY)]
    assert len(asked) == MANY
    assert (found[0], found[-1]) == ("deadline", None)
