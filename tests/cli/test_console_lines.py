"""How the lines that stay are laid on a terminal's width."""

import pytest

from orchestrator.cli.console import in_columns
from orchestrator.diagnostics.printable import cells
from orchestrator.system.log_output import folded

LONG = "connection to 127.0.0.1:5432 refused: nothing listens there, and nobody has said so far that anybody will"


@pytest.mark.parametrize(("width", "lines"), [
    (0, [f"{'wait:db':28} {LONG}"]),
    (160, [f"{'wait:db':28} {LONG}"]),
    (120, [f"{'wait:db':28} connection to 127.0.0.1:5432 refused: nothing listens there, and nobody has",
           " " * 41 + "said so far that anybody will"]),
    (80, ["wait:db", " " * 12 + "connection to 127.0.0.1:5432 refused: nothing listens there, and",
          " " * 12 + "nobody has said so far that anybody will"]),
    (40, ["wait:db", " " * 12 + "connection to", " " * 12 + "127.0.0.1:5432 refused:", " " * 12 + "nothing listens there, and",
          " " * 12 + "nobody has said so far that", " " * 12 + "anybody will"]),
])  # fmt: skip
def test_what_does_not_fit_stands_below_where_there_is_room(width, lines):
    assert in_columns("wait:db", LONG, width) == lines


def test_an_id_that_is_too_long_for_its_column_has_a_line_of_its_own():
    name = "directory:/srv/data/of/the/shop/in/production"
    assert in_columns(name, LONG, 120)[0] == name


def test_wide_characters_take_two_cells():
    lines = in_columns("file:a", "データベース の旗 " * 6, 60)
    assert len(lines) > 2
    assert max(map(cells, lines[1:])) < 60
    assert folded("- ", "データ ベース", 8, cells) == ["- データ", "  ベース"]
