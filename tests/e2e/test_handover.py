"""The hand-over from maintenance under load, in the quick form of `benchmarks/handover.py`."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from matrices import mostly_long

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("server", "workers"), mostly_long([("uvicorn", 1), ("uvicorn", 2), ("gunicorn", 2)], ("uvicorn", 2))
)
def test_a_hand_over_under_load_loses_nothing(server, workers):
    pytest.importorskip(server)
    words = ["-m", "benchmarks.handover", "seconds=3", f"server={server}", f"workers={workers}", "write=no"]
    done = subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True, timeout=110)
    assert done.stdout, done.stderr
    found = json.loads(done.stdout)
    assert set(found["lost"].values()) == {0}, found
    assert set(found["answers"]) == {"200", "503"}
    assert min(found["answers"].values()) > 20
