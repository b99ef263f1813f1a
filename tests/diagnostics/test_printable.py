from hypothesis import given
from hypothesis import strategies as st

from orchestrator.diagnostics.printable import printable, printable_lines


def test_plain_text_of_any_script_stays():
    assert printable("naïve 数据 `x` \\") == "naïve 数据 `x` \\"


def test_what_moves_a_cursor_or_hides_is_escaped():
    assert printable("a\x1b[2Jb\nc\r\x07") == "a\\x1b[2Jb\\nc\\r\\x07"
    assert printable("\u202eevil\u2028\x85\xa0\ufeff") == "\\u202eevil\\u2028\\x85\\xa0\\ufeff"
    assert printable("\ud800") == "\\ud800"


def test_lines_stay_lines():
    assert printable_lines("a\r\nb\x1b") == ["a", "b\\x1b"]


@given(st.text(st.characters(codec=None)))
def test_the_result_is_one_printable_line(text):
    shown = printable(text)

    assert shown.isprintable()
    assert isinstance(shown.encode(), bytes)
