"""`python`: the interpreter that runs this, and other ones started for the purpose."""

import os
import subprocess
import sys

import pytest

from orchestrator.core.context import Context
from orchestrator.requirements.python import KIND as Python

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
ASK = (
    "import sys; sys.path.insert(0, sys.argv[1])\n"
    "from orchestrator.core.context import Context\n"
    "from orchestrator.requirements.python import KIND\n"
    "found = KIND.model_validate({sys.argv[2]: True}).attempt(Context(environ={}))\n"
    "print(found.code, found.summary, found.hint, sep='|')"
)


def check(**spec):
    return Python.model_validate(spec).attempt(Context(environ={}))


def asked(python, field, **environ):
    """What another interpreter says of itself; it takes the libraries from this one."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    paths = os.pathsep.join(each for each in sys.path if each.endswith("site-packages"))
    done = subprocess.run(
        [python, "-c", ASK, root, field], capture_output=True, text=True, env={"PYTHONPATH": paths, **environ}
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().split("|")


def test_the_version_that_runs_is_compared():
    outcome = check(version=f">={HERE}")
    assert outcome.ok
    assert outcome.summary == f"{sys.implementation.name} {'.'.join(map(str, sys.version_info[:3]))}"


@pytest.mark.parametrize(
    ("wanted", "image"),
    [
        (">=3.30", "FROM python:3.30-slim"),
        ("<3.9", "FROM python:3.8-slim"),
        ("==3.31.*", "FROM python:3.31-slim"),
        ("~=3.30.4", "FROM python:3.30-slim"),
        (">=4", "FROM python:X.Y-slim"),
    ],
)
def test_the_remedy_is_the_image_of_the_nearest_version_that_fits(wanted, image):
    outcome = check(version=wanted)
    assert (outcome.code, outcome.reason, outcome.final) == ("ORC411", "version", True)
    assert outcome.summary.startswith(f"needs Python {wanted}, this is ")
    assert outcome.hint.endswith(image)


def test_all_that_is_wrong_is_said_with_a_remedy_for_each():
    outcome = check(version=">=3.30", implementation="graalpy")
    assert "needs Python >=3.30" in outcome.summary
    assert f"needs graalpy, this is {sys.implementation.name}" in outcome.summary
    assert "FROM python:3.30-slim" in outcome.hint
    assert "run it with graalpy" in outcome.hint


def test_a_virtual_environment_is_told_from_the_systems_python():
    base = os.path.realpath(sys.executable)
    code, summary, hint = asked(base, "venv")
    assert code == "ORC411"
    assert summary.startswith("needs a virtual environment, sys.prefix is ")
    assert hint == "put the environment's bin directory first: ENV PATH=/opt/venv/bin:$PATH"
    if sys.prefix != sys.base_prefix:
        assert check(venv=True).ok
        assert check(venv=False).hint == "use the system's Python"


def test_an_encoding_that_is_not_utf_8_is_told():
    code, summary, hint = asked(
        sys.executable, "utf8", LC_ALL="POSIX", PYTHONCOERCECLOCALE="0", PYTHONUTF8="0"
    )
    assert (code, summary) == ("ORC411", "the default encoding is not UTF-8")
    assert hint == "set PYTHONUTF8=1, or LANG=C.UTF-8"
    assert asked(sys.executable, "utf8", LC_ALL="POSIX", PYTHONUTF8="1")[0] == ""
