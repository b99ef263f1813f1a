"""The worked examples of CONTRIBUTING.md, done: as files in a copy of the package, and as a plug-in."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from docs_blocks import ROOT, blocks

from orchestrator.testing import answering_port

pytestmark = pytest.mark.timeout(180)

BLOCKS = blocks(ROOT / "CONTRIBUTING.md")
FILES = {each.file: each.text for each in BLOCKS if each.file}
KIND, TEST = "orchestrator/waits/memcached.py", "tests/waits/test_wait_memcached.py"
ACTION, TEST_OF_ACTION = "orchestrator/fallbacks/remove.py", "tests/fallbacks/test_remove.py"
SPEC = (
    "version: 1\nservice: shop\nwait_for:\n  - {{name: cache, memcached: '127.0.0.1:{port}', deadline: 2s}}\n"
)


def python(*words, cwd, path):
    environ = {**os.environ, "PYTHONPATH": str(path), "PYTHONDONTWRITEBYTECODE": "1"}
    environ.pop("PYTEST_ADDOPTS", None)
    return subprocess.run(
        [sys.executable, *words],
        cwd=cwd,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture
def copy(tmp_path):
    """A copy of the package and of the tests of waits, with the files of the examples."""
    unwanted = shutil.ignore_patterns("__pycache__", "test_wait_*.py")
    for name in ("orchestrator", "tests/waits"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=unwanted)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_the_files_of_the_example_are_those_it_names():
    assert set(FILES) == {KIND, TEST, ACTION, TEST_OF_ACTION}


def test_the_example_keeps_the_contract_and_passes_its_own_tests(copy):
    words = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "0", "-k", "memcached", "tests/waits")
    done = python(*words, cwd=copy, path=copy)
    assert done.returncode == 0, done.stdout
    assert int(done.stdout.rpartition(" passed")[0].rpartition("\n")[2]) > 8, done.stdout


def test_the_action_is_found_by_its_file_and_does_what_it_says(copy):
    words = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "0", "tests/fallbacks")
    done = python(*words, cwd=copy, path=copy)
    assert done.returncode == 0, done.stdout
    done = python("-m", "orchestrator", "explain", "remove", cwd=copy, path=copy)
    assert "Remove a file that is in the way, then check again." in done.stdout


def test_the_example_explains_itself(copy):
    done = python("-m", "orchestrator", "explain", "memcached", cwd=copy, path=copy)
    assert "Waits until memcached tells its version" in done.stdout


def test_the_example_is_clean_to_the_linters(copy):
    files = [str(copy / name) for name in FILES]
    for words in (["check", "--no-cache"], ["format", "--check", "--no-cache"]):
        done = python("-m", "ruff", *words, *files, cwd=copy, path=copy)
        assert done.returncode == 0, done.stdout


def test_the_example_works_as_a_plug_in(tmp_path):
    project = tomllib.loads(next(each.text for each in BLOCKS if each.language == "toml"))["project"]
    _install(project, tmp_path / "site")
    with answering_port(b"VERSION 1.6.31\r\n") as port:
        (tmp_path / "startup.yaml").write_text(SPEC.format(port=port))
        done = python("-m", "orchestrator", "check", cwd=tmp_path, path=tmp_path / "site")
    assert done.returncode == 0, done.stdout
    assert f"127.0.0.1:{port} is memcached 1.6.31" in done.stdout


def _install(project: dict, site: Path) -> None:
    """What pip leaves behind of such a distribution."""
    metadata = site / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    metadata.mkdir(parents=True)
    (site / "memcached.py").write_text(FILES[KIND], encoding="utf-8")
    head = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    (metadata / "METADATA").write_text(head)
    lines = [
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in entries.items())
        for group, entries in project["entry-points"].items()
    ]
    (metadata / "entry_points.txt").write_text("\n".join(lines))


def test_every_place_it_names_is_there():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    table = text.partition("| place |")[2].partition("\n\n")[0]
    named = [part.strip("` ") for line in table.splitlines() for part in line.split("|")[1:2] if "`" in part]
    paths = [each.strip("` ") for part in named for each in part.split(",")]
    assert paths
    assert [each for each in paths if not (ROOT / each).exists()] == []
