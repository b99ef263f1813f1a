"""What the fuzzer once found stays found: each input gives a spec or diagnostics, in time."""

import time
from pathlib import Path

import pytest

from orchestrator.diagnostics.formats import text
from orchestrator.spec.loading import load_files

CORPUS = sorted((Path(__file__).parent.parent / "cases" / "fuzz").glob("*.yaml"))


@pytest.mark.parametrize("file", CORPUS, ids=lambda each: each.stem)
def test_an_input_that_once_broke_the_reader_is_answered(file):
    began = time.process_time()
    loaded = load_files([str(file)])

    assert loaded.spec is not None or loaded.failed
    assert text.render(loaded.diagnostics, loaded.sources) or not loaded.diagnostics
    assert time.process_time() - began < 5
