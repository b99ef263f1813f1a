import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.diagnostics import Diagnostic, Place
from orchestrator.diagnostics.suppress import apply, find
from orchestrator.spec.loading import load_text
from orchestrator.spec.values import RunValues


def _finding(code, line, severity="warning", file="startup.yaml"):
    return Diagnostic(code, severity, "said", Place(file, line, 1))


def _left(text, *found, **options):
    return [(each.code, each.place.line) for each in apply(found, {"startup.yaml": text}, **options)]


def test_a_comment_behind_a_value_silences_its_own_line():
    text = "a: 1\nb: 2026-05-01  # orchestrator: ignore[ORC021] a text to us\n"

    assert _left(text, _finding("ORC021", 2), _finding("ORC021", 1)) == [("ORC021", 1)]


def test_a_comment_of_its_own_silences_the_line_below():
    text = "# orchestrator: ignore[ORC021] a text to us\nb: 2026-05-01\n"

    assert _left(text, _finding("ORC021", 2)) == []


def test_comments_may_be_stacked():
    text = "# orchestrator: ignore[ORC021] one\n# why\n  # orchestrator: ignore[ORC013] two\nb: x\n"

    assert _left(text, _finding("ORC021", 4), _finding("ORC013", 4)) == []


def test_one_comment_may_name_several_codes():
    text = "b: x  # orchestrator: ignore[ORC021, ORC013] both\n"

    assert _left(text, _finding("ORC021", 1), _finding("ORC013", 1)) == []


def test_every_finding_of_the_code_on_the_line_is_silenced():
    text = "b: [no, no]  # orchestrator: ignore[ORC013] Norway twice\n"
    twice = [Diagnostic("ORC013", "warning", "said", Place("startup.yaml", 1, column)) for column in (5, 9)]

    assert _left(text, *twice) == []


def test_without_a_reason_nothing_is_silenced():
    text = "b: no  # orchestrator: ignore[ORC013]\n"

    assert _left(text, _finding("ORC013", 1)) == [("ORC013", 1), ("ORC223", 1)]


def test_a_comment_without_effect_is_a_finding():
    text = "b: 1  # orchestrator: ignore[ORC013] was Norway\n"

    assert _left(text) == [("ORC223", 1)]


def test_a_comment_for_a_family_that_was_not_looked_for_is_left_alone():
    text = "b: 1  # orchestrator: ignore[ORC312] built elsewhere\n"

    assert _left(text) == []
    assert _left(text, families=["ORC3"]) == [("ORC223", 1)]


@pytest.mark.parametrize(
    ("comment", "message", "hint"),
    [
        ("ignore[ORC1O4] x", "suppression names an unknown code `ORC1O4`", "did you mean `ORC104`?"),
        ("ignore[] x", "suppression names no code", "write `# orchestrator: ignore[ORC213] why`"),
    ],
)
def test_a_comment_that_means_nothing_says_so(comment, message, hint):
    (found,) = apply([], {"startup.yaml": f"a: 1  # orchestrator: {comment}"})

    assert (found.code, found.severity, found.message, found.hint) == ("ORC223", "warning", message, hint)
    assert (found.place.column, found.place.end_column) == (7, 7 + len(f"# orchestrator: {comment}"))


def test_an_error_cannot_be_silenced():
    text = "a: 1  # orchestrator: ignore[ORC104] please\n"
    left = apply([_finding("ORC104", 1, "error")], {"startup.yaml": text})

    assert [each.code for each in left] == ["ORC104", "ORC223"]
    assert left[1].message == "`ORC104` is an error and cannot be silenced"


def test_an_error_of_lint_can_be_silenced():
    text = "FROM python  # orchestrator: ignore[ORC312] pinned by the mirror\n"
    left = apply([_finding("ORC312", 1, "error")], {"startup.yaml": text}, ["ORC3"])

    assert left == []


def test_a_comment_counts_in_its_own_file_only():
    text = "b: x  # orchestrator: ignore[ORC013] mine\n"
    left = apply([_finding("ORC013", 1, file="other.yaml")], {"startup.yaml": text, "other.yaml": "b: no\n"})

    assert [(each.code, each.place.file) for each in left] == [
        ("ORC013", "other.yaml"),
        ("ORC223", "startup.yaml"),
    ]


@pytest.mark.parametrize(
    "line",
    [
        'run: [echo, "# orchestrator: ignore[ORC013] not a comment"]',
        "run: [echo, '# orchestrator: ignore[ORC013] not a comment']",
        "run: echo#orchestrator: ignore[ORC013] no blank before it",
        "# orchestrator ignores nothing",
    ],
)
def test_what_only_looks_like_a_comment_is_none(line):
    assert find("f", line) == []


def test_an_apostrophe_before_a_comment_is_no_quote():
    assert len(find("f", "why: it's Norway  # orchestrator: ignore[ORC013] it is")) == 1


@given(st.text(max_size=200))
def test_any_text_can_be_searched(text):
    assert isinstance(find("f", text + "# orchestrator: ignore[" + text), list)


def test_a_spec_full_of_comments_is_searched_in_linear_time():
    comment = "# orchestrator: ignore[ORC013] x\n"
    unclosed = "a: 1 " + " # orchestrator: ignore[" * 50_000
    found = [_finding("ORC013", line) for line in range(1, 20_001)]

    assert len(apply(found, {"startup.yaml": comment * 20_000 + unclosed})) == 40_000


def test_what_the_spec_accepts_holds_for_every_line_and_for_a_start():
    text = "version: 1\nservice: shop\nvariables: {A: {default: 1:1}, B: {default: 2:2}}\nlint: {ignore: {ORC014: on purpose}}\n"
    loaded = load_text(text)
    assert loaded.diagnostics == []
    assert loaded.resolve(RunValues(loaded.spec.variables, {}, frozenset())).diagnostics == []


def test_an_overlay_accepts_for_its_environment_alone():
    base = "version: 1\nservice: shop\nvariables: {A: {default: 1:1}}\n"
    over = {"startup.production.yaml": "lint: {ignore: {ORC014: on purpose}}\n"}
    assert [each.code for each in load_text(base).diagnostics] == ["ORC014"]
    assert load_text(base, overlays=over).diagnostics == []
