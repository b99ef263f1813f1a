import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.diagnostics import Diagnostic, Place
from orchestrator.diagnostics.excerpt import NARROWEST, Sources, columns, excerpt, split

SPEC = "version: 1\nservice: shop\nwait_for:\n  - name: db\n    timout: 5s\n"


def shown(text, *place, width=0):
    found = excerpt(split(text), Place("startup.yaml", *place), width)
    return list(found.lines())


def test_the_line_stands_behind_its_number_with_carets_below():
    assert shown(SPEC, 5, 5, 5, 11) == ["    5 |     timout: 5s", "      |     ^^^^^^"]


def test_a_place_without_an_end_gets_one_caret():
    assert shown(SPEC, 2, 10) == ["    2 | service: shop", "      |          ^"]


def test_a_place_over_several_lines_is_marked_to_the_end_of_its_first():
    assert shown(SPEC, 3, 1, 5, 15) == ["    3 | wait_for:", "      | ^^^^^^^^^"]


def test_a_place_at_the_end_of_the_file_is_an_empty_line():
    assert shown(SPEC, 6, 1) == ["    6 |", "      | ^"]


def test_a_place_behind_the_end_is_shown_at_the_end():
    assert shown("version: 1", 9, 7) == ["    1 | version: 1", "      |           ^"]
    assert shown("version: 1", 1, 99, 1, 120) == ["    1 | version: 1", "      |           ^"]


def test_a_whole_file_and_an_unknown_file_have_no_excerpt():
    assert excerpt(split(SPEC), Place("startup.yaml")) is None
    assert Sources({}).excerpt(Place("other.yaml", 1, 1)) is None


def test_carets_stand_below_wide_characters():
    assert shown("数据库: x", 1, 6, 1, 7) == ["    1 | 数据库: x", "      |         ^"]
    assert shown("数据: x", 1, 2, 1, 3) == ["    1 | 数据: x", "      |   ^^"]


def test_combining_marks_take_no_column():
    assert shown("e\u0301: x", 1, 5) == ["    1 | e\u0301: x", "      |    ^"]


def test_a_tab_is_shown_as_spaces_and_marked_whole():
    assert shown("\tx: 1", 1, 1, 1, 2) == ["    1 |     x: 1", "      | ^^^^"]
    assert shown("\tx: 1", 1, 2, 1, 3) == ["    1 |     x: 1", "      |     ^"]


def test_control_characters_are_shown_as_escapes():
    assert shown("a: \x1b[31m", 1, 4, 1, 5) == ["    1 | a: \\x1b[31m", "      |    ^^^^"]


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r", "\x85", "\u2028"])
def test_lines_end_as_in_yaml(ends):
    assert split(f"a{ends}b") == ["a", "b"]


def test_other_separators_do_not_end_a_line():
    assert split("a\x0bb\x0cc\x1cd") == ["a\x0bb\x0cc\x1cd"]


def test_large_line_numbers_widen_the_gutter():
    text = "\n" * 1_234_567 + "x: 1"

    assert shown(text, 1_234_568, 1, 1_234_568, 2) == ["1234568 | x: 1", "        | ^"]


def test_a_long_line_is_cut_around_the_caret():
    text = "a" * 500 + "HERE" + "b" * 500
    line, marks = shown(text, 1, 501, 1, 505, width=60)

    assert line == "    1 | …" + "a" * 17 + "HERE" + "b" * 29 + "…"
    assert marks == "      | " + " " * 18 + "^^^^"


def test_a_long_line_keeps_its_start_where_the_caret_is_near_it():
    line, marks = shown("key: " + "x" * 500, 1, 1, 1, 4, width=60)

    assert line == "    1 | key: " + "x" * 46 + "…"
    assert marks == "      | ^^^"


def test_a_very_long_line_is_cut_quickly_and_marked_at_most_to_the_edge():
    line, marks = shown("x" * 1_000_000, 1, 500_000, 1, 900_000, width=80)

    assert len(line) == 80
    assert len(marks) <= 80
    assert "…" in line


@given(
    st.text(st.characters(codec=None), max_size=300),
    st.integers(1, 320),
    st.integers(0, 320),
    st.integers(0, 200),
)
def test_any_text_fits_the_width_and_has_its_carets_on_the_line(text, column, end_column, width):
    found = excerpt(split(text), Place("f", 1, column, 1, end_column), width)
    wide = max(width or 160, NARROWEST)
    line, marks = found.lines()

    assert found.text.isprintable()
    # One more where the place is the end of a line that fills its width.
    assert sum(map(columns, line)) <= wide
    assert len(marks) <= wide + 1
    assert found.carets >= 1
    assert found.offset <= sum(map(columns, found.text))


def test_a_secret_is_not_shown_by_its_own_finding_nor_by_others_on_the_line():
    text = "variables:\n  KEY: {secret: true, default: hunter2, requird: true}\n"
    secret = Diagnostic("ORC123", "error", "secret in `KEY`", Place("f", 2, 32, 2, 39))
    other = Place("f", 2, 8, 2, 14)
    sources = Sources({"f": text}, [secret])

    assert sources.excerpt(secret.place).lines() == (
        "    2 |   KEY: {secret: true, default: ********",
        "      |                                ^^^^^^^",
    )
    assert "hunter2" not in sources.excerpt(other).text


def test_a_secret_over_several_lines_is_concealed_in_all():
    secret = Diagnostic("ORC123", "error", "secret", Place("f", 1, 4, 3, 8))
    sources = Sources({"f": "a: |\n  hunter\n  hunter2\nb: 1"}, [secret])

    assert sources.lines("f") == ["a: *", "********", "********", "b: 1"]


@pytest.mark.parametrize(
    ("place", "last"), [((3, 1, 5, 15), 5), ((3, 1, 5, 1), 4), ((3, 1, 3, 1), 3), ((3, 1), 3), ((), 0)]
)
def test_an_end_at_the_start_of_a_line_is_that_of_the_line_above(place, last):
    assert Place("f", *place).last_line == last


@pytest.mark.parametrize(("line", "shown"), [
    ('url: "redis://:s3cr3t@cache/0" ]', 'url: "redis://:******@cache/0" ]'),
    ("a: postgresql://shop:pa/ss@db/x, b: amqp://u:p@q", "a: postgresql://shop:*****@db/x, b: amqp://u:*@q"),
    ("http://registry:4873/@shop", "http://registry:4873/@shop"),
    ("postgresql://shop:${DB_PASSWORD}@db/x", "postgresql://shop:${DB_PASSWORD}@db/x"),
])  # fmt: skip
def test_a_password_in_a_url_is_never_shown(line, shown):
    assert Sources({"a.yaml": line}).lines("a.yaml") == [shown]
