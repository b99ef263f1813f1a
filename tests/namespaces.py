"""Where a process is started: as process 1 of a PID namespace of the test's own, as any process, or on a terminal."""

import functools
import subprocess
import sys
from pathlib import Path

import pytest

TERMINAL = (sys.executable, str(Path(__file__).with_name("on_a_terminal.py")))
UNSHARE = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")

ZOMBIES = """
import os
from tiny_asgi import App
app = App()

@app.get("/zombies")
def zombies():
    found = 0
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat") as file:
                found += ") Z " in file.read()
        except OSError:
            pass
    return {"zombies": found}
"""
"""An app that tells how many processes have ended that nobody has collected."""


@functools.cache
def allowed():
    """Whether this machine gives us one."""
    try:
        return subprocess.run([*UNSHARE, "true"], capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


needed = pytest.mark.skipif(not allowed(), reason="PID namespaces need root and `unshare`")
PLACES = (
    pytest.param((), id="not pid 1"),
    pytest.param(UNSHARE, id="pid 1", marks=needed),
    pytest.param(TERMINAL, id="terminal"),
)
everywhere = pytest.mark.parametrize("prefix", PLACES)
