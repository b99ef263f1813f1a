"""`${VAR}` and its operators, as Compose has them."""

import pytest

from orchestrator.document import interpolate

SET = {"A": "a", "EMPTY": "", "B": "b"}


@pytest.mark.parametrize(
    ("written", "filled"),
    [
        ("${A}", "a"), ("x${A}y${B}", "xayb"), ("$A", "$A"), ("$$", "$"), ("$${A}", "${A}"), ("$", "$"), ("a$b$$c", "a$b$c"),
        ("${NO:-d}", "d"), ("${NO-d}", "d"), ("${EMPTY:-d}", "d"), ("${EMPTY-d}", ""), ("${A:-d}", "a"),
        ("${A:+o}", "o"), ("${NO:+o}", ""), ("${EMPTY:+o}", ""), ("${EMPTY+o}", "o"), ("${A:?m}", "a"),
        ("${NO:-${B}}", "b"), ("${NO:-x${NO2:-${A}}y}", "xay"), ("${NO:-$$}", "$"), ("{${A}}", "{a}"), ("${NO:-}", ""),
    ],
)  # fmt: skip
def test_a_text_is_filled_in(written, filled):
    assert interpolate.expand(interpolate.parse(written), SET.get) == filled


@pytest.mark.parametrize(
    ("written", "name", "said"),
    [("${NO}", "NO", ""), ("${NO:?why ${A}}", "NO", "why a"), ("${EMPTY:?m}", "EMPTY", "m")],
)
def test_a_variable_without_a_value_is_missing(written, name, said):
    with pytest.raises(interpolate.Missing) as missing:
        interpolate.expand(interpolate.parse(written), SET.get)

    assert (missing.value.name, missing.value.text) == (name, said)


@pytest.mark.parametrize(
    ("written", "offset"),
    [("${", 0), ("x${A", 1), ("${1}", 0), ("${A/b}", 3), ("${A:-${B}", 0), ("${}", 0), ("${A:-" * 30, 100)],
)
def test_what_cannot_be_read_is_said_with_its_place(written, offset):
    with pytest.raises(interpolate.BadInterpolation) as bad:
        interpolate.parse(written)

    assert bad.value.offset == offset
