import subprocess
import sys
import tempfile

import pytest
from rehearsing import Service


@pytest.fixture
def service(tmp_path):
    return Service(tmp_path / "service")


@pytest.fixture(scope="module")
def private_places():
    """Skips where the kernel gives no namespaces: then `--prove` proves nothing, and says so."""
    with tempfile.TemporaryDirectory() as box:
        words = [sys.executable, "-m", "orchestrator.rehearsal.sandbox", box]
        why = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True).stdout.strip()
    if why:
        pytest.skip(why)
