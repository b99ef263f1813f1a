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


def check(*, environ=None, cwd="/", **spec):
    return Python.model_validate(spec).attempt(Context(environ=environ or {}, cwd=cwd))


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


def test_each_thing_that_is_wrong_has_a_reason_of_its_own():
    machine = os.uname().machine
    assert check(arch=machine, bits=64 if sys.maxsize > 2**32 else 32, prefix=sys.prefix).ok
    assert check(arch=("s390x", machine)).ok
    outcome = check(arch="s390x")
    assert (outcome.code, outcome.reason) == ("ORC411", "arch")
    assert outcome.summary == f"needs a machine of the kind s390x, this is {machine}"
    assert outcome.hint == "build the image for it: docker build --platform linux/s390x"
    assert check(bits=32 if sys.maxsize > 2**32 else 64).reason == "bits"
    assert check(implementation="graalpy").reason == "implementation"


def test_docker_and_the_kernel_name_the_same_machine_differently():
    name = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine)
    if name is None:
        pytest.skip("this machine has one name")
    assert check(arch=name).ok


def test_the_directory_it_is_installed_in(tmp_path):
    outcome = check(prefix="/opt/venv")
    assert outcome.reason == "prefix"
    assert outcome.hint == "put its bin directory first: ENV PATH=/opt/venv/bin:$PATH"
    link = tmp_path / "link"
    link.symlink_to(sys.prefix)
    assert check(prefix=str(link)).ok


def test_a_build_with_the_interpreter_lock_is_not_free_threaded():
    if "t" in sys.abiflags:
        pytest.skip("this one is")
    assert check(free_threaded=False).ok
    outcome = check(free_threaded=True)
    assert (outcome.reason, outcome.summary) == (
        "free-threaded",
        "needs a free-threaded Python, this is none",
    )


@pytest.mark.parametrize(
    ("spec", "environ", "reason"),
    [
        ({"optimise": 1}, {"PYTHONOPTIMIZE": "1"}, ""),
        ({"optimise": 1}, {"PYTHONOPTIMIZE": "yes"}, ""),
        ({"optimise": 0}, {"PYTHONOPTIMIZE": "2"}, "optimise"),
        ({"optimise": 2}, {}, "optimise"),
        ({"hash_seed": "random"}, {}, ""),
        ({"hash_seed": "random"}, {"PYTHONHASHSEED": "0"}, "hash-seed"),
        ({"hash_seed": 0}, {"PYTHONHASHSEED": "0"}, ""),
        ({"hash_seed": 7}, {}, "hash-seed"),
        ({"unbuffered": True}, {"PYTHONUNBUFFERED": "1"}, ""),
        ({"unbuffered": True}, {"PYTHONUNBUFFERED": ""}, "unbuffered"),
        ({"unbuffered": False}, {"PYTHONUNBUFFERED": "1"}, "unbuffered"),
        ({"dont_write_bytecode": False}, {"PYTHONDONTWRITEBYTECODE": "1"}, "dont-write-bytecode"),
        ({"user_site": False}, {"PYTHONNOUSERSITE": "1"}, ""),
        ({"user_site": True}, {"PYTHONNOUSERSITE": "1"}, "user-site"),
    ],
)
def test_what_the_environment_tells_python_is_what_the_server_gets(spec, environ, reason):
    outcome = check(environ=environ, **spec)
    assert outcome.reason == reason, outcome.summary


def test_the_line_of_the_dockerfile_is_the_remedy():
    assert check(unbuffered=True).hint == "ENV PYTHONUNBUFFERED=1 in the Dockerfile"
    unwanted = check(unbuffered=False, environ={"PYTHONUNBUFFERED": "1"})
    assert unwanted.hint == "take PYTHONUNBUFFERED out of the environment"
    assert (
        check(optimise=0, environ={"PYTHONOPTIMIZE": "1"}).hint
        == "take PYTHONOPTIMIZE out of the environment"
    )


def test_an_optimising_python_is_told_by_its_flags():
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from orchestrator.core.context import Context\n"
        "from orchestrator.requirements.python import KIND\n"
        "print(KIND.model_validate({'optimise': 1}).attempt(Context(environ={})).ok)"
    )
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    for flags, wanted in ((["-O"], "True"), ([], "False")):
        done = subprocess.run(
            [sys.executable, *flags, "-c", code, root], capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == wanted


def test_where_modules_are_looked_for(tmp_path):
    (tmp_path / "src").mkdir()
    here = str(tmp_path)
    assert check(path_contains=(here,), cwd=here).ok
    outcome = check(path_contains=("src",), cwd=here)
    assert (outcome.reason, outcome.summary) == ("path", f"modules are not looked for in {here}/src")
    assert outcome.hint.startswith(f"ENV PYTHONPATH={here}/src in the Dockerfile")
    assert check(path_contains=("src",), cwd=here, environ={"PYTHONPATH": "src"}).ok
