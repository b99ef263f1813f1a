"""Broken specs, each with the exact text that is answered. `UPDATE_GOLDEN=1` rewrites the answers; read them all.

A case is a directory: `startup.yaml`, and what else it needs: overlays (`environment` names the one to lay, production
where there is one), further files that are laid over it (`second.yaml`, `third.yaml`), bases, and `environ.json` for
what only a start can find.
"""

import json
import os
from pathlib import Path

import pytest

from orchestrator.diagnostics import in_order
from orchestrator.diagnostics.catalogue import CODES
from orchestrator.diagnostics.formats import Options, text
from orchestrator.document.read import MAX_BYTES
from orchestrator.spec.loading import load_files, missing_findings
from orchestrator.spec.values import RunValues

CASES = Path(__file__).parent.parent / "cases" / "specs"
NAMES = sorted(each.name for each in CASES.iterdir())
LAYERS = ("startup.yaml", "second.yaml", "third.yaml")


def _load():
    named = Path("environment")
    environment = (
        named.read_text().strip()
        if named.exists()
        else "production"
        if Path("startup.production.yaml").exists()
        else ""
    )
    return load_files([each for each in LAYERS if Path(each).exists()], environment=environment)


def _answer(loaded):
    found = loaded.diagnostics
    if Path("environ.json").exists():
        values = RunValues(loaded.spec.variables, json.loads(Path("environ.json").read_text()))
        resolved = loaded.resolve(values)
        found = in_order([*resolved.diagnostics, *missing_findings(resolved)])
    return found, text.render(found, loaded.sources, Options(width=100))


@pytest.fixture
def answer(request, monkeypatch):
    monkeypatch.chdir(CASES / request.param)
    return request.param, *_answer(_load())


@pytest.mark.parametrize("answer", NAMES, indirect=True)
def test_the_answer_is_exactly_as_expected(answer):
    name, found, written = answer
    expected = CASES / name / "expected.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        expected.write_text(written)

    assert found, "a broken spec without a finding"
    assert written == expected.read_text(), (
        f"{name}: if this is better, run UPDATE_GOLDEN=1 pytest {__file__}"
    )


def test_there_are_enough_of_them():
    assert len(NAMES) >= 120


def test_every_code_of_reading_structure_and_references_is_triggered(monkeypatch, tmp_path):
    triggered = set()
    for name in NAMES:
        monkeypatch.chdir(CASES / name)
        triggered.update(each.code for each in _answer(_load())[0])
    (tmp_path / "large.yaml").write_text("#" * (MAX_BYTES + 1))  # not kept in the repository
    triggered.update(each.code for each in load_files([str(tmp_path / "large.yaml")]).diagnostics)

    assert {code for code in CODES if code < "ORC3"} == triggered & {code for code in CODES if code < "ORC3"}
