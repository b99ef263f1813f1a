"""The fallbacks of the examples, rehearsed: by their specs, and the sample's and arkalia's for real."""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# The plug-in has to be installed before its spec can be read.
SPECS = sorted(
    path.relative_to(ROOT) for path in ROOT.glob("examples/**/startup.yaml") if path.parent.name != "plugin"
)


@pytest.fixture(scope="module")
def private_places(tmp_path_factory):
    box = tmp_path_factory.mktemp("box")
    words = [sys.executable, "-m", "orchestrator.rehearsal.sandbox", str(box)]
    why = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True).stdout.strip()
    if why:
        pytest.skip(why)


def proved(directory, *words, stand_ins=""):
    """Every row, and how long it took. What is in the folder of stand-ins comes before all else."""
    environ = {name: text for name, text in os.environ.items() if not name.startswith("ORCHESTRATOR_")}
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "orchestrator", *words, "rehearse", "--prove", "--all", "--format", "json"], cwd=directory,
        env=environ | {"PATH": ":".join(filter(None, (stand_ins, str(Path(sys.executable).parent), environ["PATH"])))}, capture_output=True, text=True,
        timeout=400, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)["rehearsals"], time.monotonic() - began


@pytest.mark.parametrize("path", SPECS, ids=lambda path: str(path.parent))
def test_every_example_can_be_rehearsed_in_all_its_roles(path):
    from orchestrator.rehearsal.expected import judged
    from orchestrator.rehearsal.simulate import simulated
    from orchestrator.spec.loading import load_files

    loaded = load_files([str(ROOT / path)])
    for role in ["", *(loaded.spec.roles or {})]:
        part = loaded.for_role(role)
        rows = simulated(part, {})
        assert judged(part, rows) == {}
        assert rows or part.spec.launch is None


@pytest.mark.timeout(420)
@pytest.mark.usefixtures("private_places")
@pytest.mark.long
def test_the_fallbacks_of_the_sample_do_what_they_say():
    rows, seconds = proved(ROOT)
    assert [row for row in rows if row["proved"] is not True] == []
    assert Counter(row["outcome"] for row in rows if row["break"] == "module:app.search") == {"degraded": 2}
    assert seconds < 300, "under two minutes on a machine with nothing else to do"


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("private_places")
@pytest.mark.long
def test_the_volume_of_the_sample_is_mended_behind_a_page_that_says_so():
    environ = os.environ | {"ORCHESTRATOR_ENV": "production"}
    done = subprocess.run(
        [sys.executable, "-m", "orchestrator", "rehearse", "--prove", "--break", "directory:data", "--format", "json"], cwd=ROOT,
        env=environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{environ['PATH']}"}, capture_output=True, text=True,
        timeout=200, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    rows = json.loads(done.stdout)["rehearsals"]
    assert [(row["outcome"], row["proved"]) for row in rows] == [("maintenance", True)] * 3
    assert all("answers 503" in row["note"] for row in rows)


@pytest.mark.timeout(420)
@pytest.mark.usefixtures("private_places")
@pytest.mark.long
def test_the_fallbacks_of_arkalia_do_what_they_say():
    rows, _ = proved(ROOT / "examples" / "arkalia")
    assert [row for row in rows if row["proved"] is not True] == []
    off = {tuple(row["degraded"]) for row in rows if row["outcome"] == "degraded"}
    assert off == {("zeroia",), ("assistantia",)}


SERVER = """#!{python} -IS
import os, signal, socket
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
listener = socket.create_server(("0.0.0.0", int(os.environ["SERVE"])))
while True:
    connection, _ = listener.accept()
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\nConnection: close\\r\\n\\r\\nok")
    connection.close()
"""


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("private_places")
@pytest.mark.parametrize(
    ("name", "server", "port"), [("flagsmith", "gunicorn", "8000"), ("litellm", "litellm", "4000")]
)
@pytest.mark.long
def test_the_fallbacks_of_the_cookbook_do_what_they_say(tmp_path, monkeypatch, name, server, port):
    path = tmp_path / server
    path.write_text(SERVER.format(python=sys.executable))
    path.chmod(0o755)
    monkeypatch.setenv("SERVE", port)
    monkeypatch.setenv("DATABASE_URL", "postgresql://db/a")
    rows, _ = proved(ROOT / "examples" / "cookbook" / name, stand_ins=str(tmp_path))
    tried = [row for row in rows if row["reason"] != "skipped"]
    assert len(tried) > 10
    assert [row for row in tried if row["proved"] is not True] == []
