import pytest
from commanding import Command


@pytest.fixture
def orchestrator(tmp_path):
    root = tmp_path / "service"
    root.mkdir()
    return Command(root)
