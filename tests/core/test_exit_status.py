import pytest

from orchestrator.core.exit_status import ECHO, Asked, ending, exit_code


@pytest.mark.parametrize(("code", "expected"), [(0, 0), (7, 7), (-9, 137), (-15, 143)])
def test_a_signal_is_told_as_a_shell_tells_it(code, expected):
    assert exit_code(code) == expected


def test_an_end_is_told_in_words():
    assert ending(7) == "ended with 7"
    assert ending(-9) == "was ended by SIGKILL"
    assert ending(-40) == "was ended by signal 40", "a real-time signal has no name"


def test_the_same_request_a_moment_later_is_the_same():
    asked = Asked()
    assert not asked.again(2, 10.0)
    assert asked.again(2, 10.0 + ECHO / 2)
    assert not asked.again(2, 11.0)


def test_a_further_term_changes_nothing_and_a_second_int_forces():
    asked = Asked()
    assert not asked.again(15, 10.0)
    assert asked.again(15, 11.0)
    assert asked.again(2, 12.0)
    assert asked.again(15, 13.0)
    assert not asked.again(2, 14.0)
