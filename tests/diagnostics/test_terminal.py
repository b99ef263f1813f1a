import io
import os
import pty

import pytest

from orchestrator.diagnostics.terminal import color, paint, tolerate, width


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("choice", "stream", "environ", "expected"),
    [
        ("auto", Terminal(), {"TERM": "xterm"}, True),
        ("auto", Terminal(), {"NO_COLOR": "1"}, False),
        ("auto", Terminal(), {"NO_COLOR": ""}, True),
        ("auto", Terminal(), {"TERM": "dumb"}, False),
        ("auto", io.StringIO(), {}, False),
        ("always", io.StringIO(), {"NO_COLOR": "1"}, True),
        ("never", Terminal(), {}, False),
    ],
)
def test_colour_is_as_chosen_or_as_the_terminal_can(choice, stream, environ, expected):
    assert color(choice, stream, environ) is expected


@pytest.mark.parametrize(
    ("columns", "expected"), [("72", 72), ("0", 0), ("wide", 0), ("-3", 0), ("²", 0), ("", 0)]
)
def test_columns_gives_the_width_where_it_is_a_number(columns, expected):
    assert width(io.StringIO(), {"COLUMNS": columns}) == expected


def test_a_terminal_in_name_only_has_no_width():
    assert width(Terminal(), {}) == 0


def test_a_real_terminal_is_asked():
    import fcntl
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 91, 0, 0))
    with os.fdopen(theirs, "w") as stream:
        assert width(stream, {}) == 91
        assert color("auto", stream, {"TERM": "xterm"})
    os.close(ours)


def test_paint_does_nothing_without_colour():
    assert paint(False, "error", "x") == "x"
    assert paint(True, "error", "x") == "\x1b[1;31mx\x1b[0m"


def test_a_tolerant_stream_escapes_what_its_encoding_lacks():
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    tolerate(stream)
    stream.write("…é\ud800")
    stream.flush()

    assert raw.getvalue() == b"\\u2026\\xe9\\ud800"
