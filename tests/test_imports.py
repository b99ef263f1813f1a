"""What importing may cost: each entry point in a fresh interpreter, and what must not have come along.

Add a line for a module whose lightness somebody pays for: the probe for the container's whole life, the supervisor
for weeks, the app at each start.
"""

import subprocess
import sys
from pathlib import Path

import pytest

import orchestrator

HEAVY = {"pydantic", "yaml", "jsonschema", "asyncio", "uvicorn", "fastapi", "importlib.metadata"}
PROBE = HEAVY | {
    "re", "typing", "dataclasses", "argparse", "logging", "json", "socket", "select", "selectors", "urllib",
    "enum", "subprocess", "ssl", "encodings.idna", "__future__",
}  # fmt: skip
UNWANTED = {
    "orchestrator": PROBE | {"orchestrator.startup"},
    "orchestrator.health.probe": PROBE,
    "orchestrator.health.command": PROBE,
    "orchestrator.health.probe_verdict": PROBE,
    "orchestrator.health.http_probe": PROBE,
    "orchestrator.system.files": PROBE | {"_socket"},
    "orchestrator.status.http_server": HEAVY
    | {"argparse", "logging", "dataclasses", "subprocess", "urllib", "json"},
    "orchestrator.status.maintenance": HEAVY | {"argparse", "logging", "dataclasses", "subprocess", "urllib"},
    "orchestrator.startup": HEAVY | {"re", "dataclasses", "json", "argparse", "logging", "socket"},
    "orchestrator.status.state": HEAVY | {"json", "logging", "argparse", "socket"},
    "orchestrator.integrations.asgi": HEAVY | {"starlette", "typing", "dataclasses", "urllib"},
    "orchestrator.integrations.wsgi": HEAVY | {"typing", "dataclasses", "urllib", "wsgiref"},
    "orchestrator.integrations.fastapi": {"fastapi", "starlette", "pydantic", "yaml"},
}
READING = HEAVY - {"yaml", "pydantic", "importlib.metadata"} | {"logging", "subprocess", "json"}
"""What reading a spec does without: a start pays for it, and so does every `validate` in CI.

pydantic validates it, and brings importlib.metadata with it to look for its plug-ins.
"""
ROOT = str(Path(orchestrator.__file__).parent.parent)


def imported_by(statement):
    """The modules that a statement brings along in an interpreter that has loaded nothing of its own."""
    code = f"import sys; sys.path.insert(0, {ROOT!r}); {statement}; print(' '.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


@pytest.mark.parametrize(("module", "unwanted"), UNWANTED.items(), ids=UNWANTED)
def test_importing_stays_light(module, unwanted):
    loaded = imported_by(f"import {module}")
    assert module in loaded
    assert loaded & unwanted == set()


def test_importing_the_package_imports_nothing_else():
    assert imported_by("import orchestrator") - imported_by("pass") == {"orchestrator"}


def test_a_whole_probe_stays_light(tmp_path):
    (tmp_path / "probe").write_text("status ready\npid 0\nendpoint ready http 127.0.0.1 1 GET / 200 0.5 -\n")
    statement = (
        f"import posix; posix.environ[b'ORCHESTRATOR_STATE_DIR'] = {str(tmp_path).encode()!r}; "
        "from orchestrator.health import probe; code = probe.main([]); assert code == 1"
    )
    loaded = imported_by(statement)
    assert "orchestrator.health.http_probe" in loaded
    assert loaded & PROBE == set()
    assert "os" not in loaded


def test_the_health_command_leaves_the_engine_alone(tmp_path):
    code = (
        "import sys, posix\n"
        "leave = posix._exit\n"
        "def told(code):\n"
        "    print('|'.join(sys.modules), flush=True)\n"
        "    leave(0 if code == 1 else 9)\n"
        "posix._exit = told\n"
        "sys.argv[1:] = ['health', 'nothing']\n"
        "from orchestrator.__main__ import main\n"
        "main()\n"
    )
    environ = {"ORCHESTRATOR_STATE_DIR": str(tmp_path), "PYTHONPATH": ROOT}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.splitlines()[-1].split("|"))
    assert {name for name in loaded if name.startswith("orchestrator.cli")} == set()
    assert loaded & HEAVY == set()


def test_reading_a_whole_spec_needs_yaml_and_little_else(tmp_path):
    (tmp_path / "startup.yaml").write_text(
        "version: 1\nservice: shop\nvariables: {PORT: {type: port, default: 8000}}\nwait_for: [{name: db, tcp: 'db:5432'}]\n"
        "launch: {app: 'shop:app', port: '${PORT}', options: {log_level: info}}\nhealth: {ready: /ready}\non_failure: stop\n"
    )
    file = str(tmp_path / "startup.yaml")
    code = (
        "import sys; from orchestrator.spec.loading import load_files; "
        f"assert load_files([{file!r}]).spec.launch.app == 'shop:app'; print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": ROOT}, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) & READING == set()
