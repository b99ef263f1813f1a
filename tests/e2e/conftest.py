import pytest
from starting import Engine


@pytest.fixture
def engine(tmp_path):
    """A service of its own; whatever it started has ended after the test."""
    made = Engine(tmp_path)
    yield made
    made.end()
