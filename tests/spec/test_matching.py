"""Matchers and HTTP expectations against values."""

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.spec.expect import Expect, Matcher
from orchestrator.spec.matching import Answer, at, mismatch, mismatches, same, shown, unexpected
from orchestrator.system import bounded

CATASTROPHIC = r"^(a+)+$"
HOSTILE = "a" * 40 + "!"


def match(**operators):
    return Matcher.model_validate({name.rstrip("_"): value for name, value in operators.items()})


def answer(status=200, body=b"", headers=None, seconds=0.01):
    return Answer(status, headers or {}, body, seconds)


def expect(**given):
    return Expect.model_validate(given)


@pytest.mark.parametrize(
    ("matcher", "value"),
    [
        ("ok", "ok"), (1, 1), (1, 1.0), (True, True), (None, None), ((1, "a"), [1, "a"]),
        (match(in_=(1, "a")), "a"),
        (match(contains="b"), "abc"), (match(contains=2), [1, 2]),
        (match(matches=r"^0\."), "0.12"), (match(matches="b+"), "abbb"),
        (match(gt=1), 2), (match(ge=2), 2), (match(lt=2), 1.5), (match(le=2), 2),
        (match(version=">=0.3"), "0.4.1rc1"),
        (match(not_="x"), "y"), (match(not_=None), 1), (match(not_={"gt": 3}), 1),
        (match(gt=1, lt=3), 2),
    ],
)  # fmt: skip
def test_values_that_match(matcher, value):
    assert mismatch(matcher, value) is None


@pytest.mark.parametrize(
    ("matcher", "value", "message"),
    [
        ("ok", "no", 'expected "ok", got "no"'),
        (True, 1, "expected true, got 1"),
        (1, True, "expected 1, got true"),
        (0, False, "expected 0, got false"),
        ("1", 1, 'expected "1", got 1'),
        (None, 0, "expected null, got 0"),
        ((1,), [True], "expected [1], got [true]"),
        (match(in_=(1, 2)), True, "expected one of 1, 2, got true"),
        (match(contains="x"), "abc", 'expected something that contains "x", got "abc"'),
        (match(contains=1), [True], "expected something that contains 1, got [true]"),
        (match(contains=1), "1", 'expected something that contains 1, got "1"'),
        (match(matches=r"^0\."), "1.0", 'expected a match of `^0\\.`, got "1.0"'),
        (match(matches="1"), 1, "expected a match of `1`, got 1"),
        (match(gt=2), 2, "expected greater than 2, got 2"),
        (match(ge=2), "3", 'expected a number at least 2, got "3"'),
        (match(le=2), True, "expected a number at most 2, got true"),
        (match(lt=2), float("nan"), "expected less than 2, got nan"),
        (match(version=">=2"), "1.9", 'expected a version >=2, got "1.9"'),
        (match(version=">=2"), "new", 'expected a version >=2, got "new", which is no version'),
        (match(version=">=2"), 3, "expected a version >=2, got 3"),
        (match(not_="x"), "x", 'expected anything but "x", got "x"'),
        (match(not_=None), None, "expected anything but null, got null"),
        (match(gt=1, lt=3), 0, "expected greater than 1, got 0"),
    ],
)  # fmt: skip
def test_values_that_do_not_match_say_what_was_expected_and_found(matcher, value, message):
    assert mismatch(matcher, value) == message


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(PLAIN)
def test_every_value_is_the_same_as_itself_and_can_be_shown(value):
    assert same(value, json.loads(json.dumps(value)))
    assert len(shown(value)) <= 320


@given(PLAIN, PLAIN)
def test_sameness_has_no_direction(one, other):
    assert same(one, other) == same(other, one)


def test_a_long_value_is_shown_short():
    assert len(shown("x" * 100_000)) == 60
    assert shown("x" * 100_000).endswith("…")


@pytest.mark.parametrize("text", [HOSTILE, HOSTILE * 1000])
def test_a_catastrophic_pattern_ends_in_time(text):
    started = time.monotonic()
    found = mismatch(match(matches=CATASTROPHIC), text)
    assert time.monotonic() - started < bounded.SECONDS + 1
    assert found is not None
    assert "simplify the pattern" in found


def test_only_the_first_64_kib_are_searched():
    assert not bounded.search("x", "a" * bounded.LIMIT + "x")
    assert not bounded.search("x+", "a" * bounded.LIMIT + "x")
    assert bounded.search("x+", "a" * (bounded.LIMIT - 1) + "x")


@settings(max_examples=15, deadline=None)
@given(st.text("ac\nü", max_size=5))
def test_what_is_searched_here_and_in_a_child_is_judged_alike(text):
    assert bounded.search("a.c", text) == bounded.search("(?:a.c)", text)


def test_json_nested_too_deep_is_a_mismatch():
    value = ["x"]
    for _ in range(100_000):
        value = [value]
    assert mismatch(1, value) == "expected 1, got something nested very deep"


def test_text_that_is_not_ascii_reaches_the_child_whole():
    assert bounded.search("^ü\ud800+é$", "ü\ud800é")
    assert not bounded.search("^(?:x|y)$", "é")


@pytest.mark.parametrize(
    ("path", "found"), [("a.0.b", 1), ("a.1", "x"), ("", {"a": [{"b": 1}, "x"]})]
)  # fmt: skip
def test_dotted_paths_lead_through_mappings_and_lists(path, found):
    assert at(path, {"a": [{"b": 1}, "x"]}) == found


@pytest.mark.parametrize(
    ("path", "missing"),
    [("a.2.b", "a.2"), ("b", "b"), ("a.0.b.c", "a.0.b.c"), ("a.x", "a.x"), ("a.-1", "a.-1")],
)
def test_a_missing_part_of_a_path_is_said(path, missing):
    with pytest.raises(LookupError, match=rf"^there is no `{missing}`$"):
        at(path, {"a": [{"b": 1}, "x"]})


def test_every_path_that_does_not_match_is_said():
    found = list(mismatches({"a": 1, "b": 2, "c.d": 3}, {"a": 1, "b": 3}))
    assert found == ["b: expected 2, got 3", "there is no `c`"]


@pytest.mark.parametrize("status", [200, 204, 299])
def test_without_expectations_200_to_299_is_well(status):
    assert unexpected(None, answer(status)) is None


@pytest.mark.parametrize(
    ("given_expect", "given_answer", "message"),
    [
        (None, answer(503), "status 503, expected 200-299"),
        (expect(status=(200, "301-302")), answer(404), "status 404, expected 200, 301-302"),
        (expect(headers={"X-One": "a"}), answer(), "header X-One: is missing"),
        (
            expect(headers={"X-One": "a"}),
            answer(headers={"x-one": "b"}),
            'header X-One: expected "a", got "b"',
        ),
        (
            expect(body={"contains": "ok"}),
            answer(body=b"no"),
            'body: expected something that contains "ok", got "no"',
        ),
        (expect(json={"a.0": 1}), answer(body=b"[]"), "json there is no `a`"),
        (expect(json={"a": 1}), answer(body=b'{"a": true}'), "json a: expected 1, got true"),
        (expect(json={"a": 1}), answer(body=b"<html>"), 'body is not JSON: "<html>"'),
        (expect(max_time="1s"), answer(seconds=1.5), "took 1.5 s, expected at most 1 s"),
    ],
)
def test_the_first_thing_wrong_with_an_answer_is_said(given_expect, given_answer, message):
    assert unexpected(given_expect, given_answer) == message


def test_an_answer_that_is_all_that_was_expected():
    wanted = expect(
        status=418, headers={"Server": {"matches": "^tea"}}, json={"pot.0": "short"}, max_time="1s"
    )
    assert unexpected(wanted, answer(418, b'{"pot": ["short"]}', {"server": "teapot"})) is None


def test_json_nested_too_deep_is_an_answer_that_is_not_json():
    assert unexpected(expect(json={"a": 1}), answer(body=b"[" * 60_000)).startswith("body is not JSON")
