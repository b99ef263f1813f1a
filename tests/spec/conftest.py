import sys

import pytest

from orchestrator.spec import options


@pytest.fixture(autouse=True)
def _a_server_that_is_not_installed(monkeypatch):
    """The cases speak of hypercorn as a server that the image lacks, whatever this machine has."""
    monkeypatch.setitem(sys.modules, "hypercorn", None)
    monkeypatch.setitem(sys.modules, "hypercorn.config", None)
    options.options.cache_clear()
    yield
    options.options.cache_clear()
