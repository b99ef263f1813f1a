import os

import pytest

from orchestrator.core.context import User

SOMEBODY = User(uid=10001, gid=10001, groups=(10002,), name="app", home="/tmp")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="switching users and mounting need root")


@pytest.fixture
def somebody():
    return SOMEBODY


@pytest.fixture
def as_root():
    if os.geteuid() != 0:
        pytest.skip("switching users and mounting need root")


@pytest.fixture
def tmpfs(as_root, project):
    """Mounts a small file system in the project; unmounted at the end."""
    import subprocess

    mounted = []

    def mount(name, options="size=256k"):
        path = project.directory(name)
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", path], capture_output=True, text=True
        )
        if done.returncode:
            pytest.skip(f"cannot mount here: {done.stderr.strip()}")
        mounted.append(path)
        return path

    yield mount
    for path in reversed(mounted):
        subprocess.run(["umount", path], check=True)


@pytest.fixture
def in_child():
    """Runs something in a forked child as another user; returns what it returned, if that is picklable."""
    import pickle

    def run(user, action):
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.setgroups(list(user.groups))
                os.setresgid(user.gid, user.gid, user.gid)
                os.setresuid(user.uid, user.uid, user.uid)
                os.write(writing, pickle.dumps(action()))
            except BaseException as error:
                os.write(writing, pickle.dumps(AssertionError(f"{type(error).__name__}: {error}")))
            finally:
                os._exit(0)
        os.close(writing)
        with open(reading, "rb") as file:
            answer = pickle.loads(file.read())
        os.waitpid(child, 0)
        if isinstance(answer, AssertionError):
            raise answer
        return answer

    return run
