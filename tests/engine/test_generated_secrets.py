import os
import signal
import stat
import subprocess
import sys
import time

import pytest

from orchestrator.core.context import Context
from orchestrator.engine import generated_secrets
from orchestrator.engine.generated_secrets import generate, why_not_kept
from orchestrator.spec.variable_parts import Generate

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def in_a_process(action):
    """A process of its own that does this; its pid and the end of a pipe that it may write to."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            action(writing)
        finally:
            os._exit(0)
    os.close(writing)
    return child, reading


def made(project, store="state/key", *, ephemeral=True, size=32):
    return generate(Generate(store=store, ephemeral=ephemeral, bytes=size), Context({}, cwd=project.root))


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


def test_a_secret_is_made_once_and_kept_for_its_owner_alone(project):
    text, outcome = made(project)
    assert outcome.ok
    assert len(text) >= 43
    assert text not in outcome.summary
    assert mode(project.path("state/key")) == 0o600
    assert mode(project.path("state")) == 0o700
    assert made(project)[0] == text
    assert made(project, "state/other")[0] != text


def test_one_trailing_newline_of_a_secret_that_was_put_there_is_not_meant(project):
    project.write("state/key", "from elsewhere\n\n")
    assert made(project)[0] == "from elsewhere\n"
    assert project_text(project) == "from elsewhere\n\n"


def project_text(project, name="state/key"):
    with open(project.path(name)) as file:
        return file.read()


def test_an_empty_file_is_filled(project):
    project.write("state/key", "")
    text, outcome = made(project)
    assert outcome.ok
    assert project_text(project) == f"{text}\n"
    assert mode(project.path("state/key")) == 0o600


def test_twenty_starts_at_once_have_the_same_secret(project):
    gate, starter = os.pipe()

    def start(told):
        os.close(starter)
        os.read(gate, 1)  # all wait here until the gate is closed
        text, outcome = made(project)
        os.write(told, f"{text}|{outcome.summary}".encode())

    starts = [in_a_process(start) for _ in range(20)]
    os.close(starter)
    said = []
    for child, reading in starts:
        with open(reading) as file:
            said.append(file.read().split("|"))
        os.waitpid(child, 0)
    os.close(gate)
    assert len({text for text, _ in said}) == 1
    assert sum("made" in outcome for _, outcome in said) == 1
    assert sorted(os.listdir(project.path("state"))) == ["key", "key.lock"]


def test_a_start_that_is_killed_leaves_no_half_secret(project):
    """Killed at many moments while it makes one after another: each file is whole, and a new start has its secret."""

    def make_for_ever(told):
        number = 0
        while True:
            made(project, f"many/{number}")
            os.write(told, b".")
            number += 1

    for round_number in range(20):
        child, reading = in_a_process(make_for_ever)
        os.read(reading, 1)
        time.sleep(round_number * 0.0011)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(reading)
        names = [name for name in os.listdir(project.path("many")) if name.isdigit()]
        assert all(len(project_text(project, f"many/{name}")) == 44 for name in names)
        assert all(made(project, f"many/{name}")[1].ok for name in (*names, str(len(names))))
        for name in os.listdir(project.path("many")):
            os.unlink(project.path(f"many/{name}"))


def test_drafts_of_starts_that_were_killed_are_swept_away(project):
    project.write("state/.key.4711.deadbeef", "half")
    project.write("state/.key.mine", "not ours")
    assert made(project)[1].ok
    assert sorted(os.listdir(project.path("state"))) == [".key.mine", "key", "key.lock"]


def test_who_waits_for_the_lock_gives_up_and_says_what_for(project, monkeypatch):
    import fcntl

    monkeypatch.setattr(generated_secrets, "PATIENCE", 0.05)
    project.directory("state")
    with open(project.path("state/key.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        text, outcome = made(project)
    assert text is None
    assert outcome.reason == "locked"
    assert "key.lock" in outcome.summary


def test_a_kept_secret_needs_no_lock_and_no_right_to_write(project, in_reading):
    project.write("state/key", "kept\n")
    assert in_reading(project, 0o555) == "kept"


@pytest.fixture
def in_reading():
    """Reads a secret as somebody who may not write."""

    def read(project, rights):
        os.chmod(project.path("state/key"), 0o644)
        os.chmod(project.path("state"), rights)
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                if os.geteuid() == 0:
                    os.setresgid(54321, 54321, 54321)
                    os.setresuid(54321, 54321, 54321)
                os.write(writing, (made(project)[0] or "").encode())
            finally:
                os._exit(0)
        os.close(writing)
        with open(reading) as file:
            text = file.read()
        os.waitpid(child, 0)
        os.chmod(project.path("state"), 0o755)
        return text

    return read


@pytest.mark.parametrize(
    ("content", "reason"), [(b"\xff\xfe", "invalid"), (b"a\0b", "invalid"), (b"x" * 70_000, "invalid")]
)
def test_what_cannot_be_a_secret_is_refused_and_left_alone(project, content, reason):
    path = project.write("state/key", content)
    text, outcome = made(project)
    assert text is None
    assert (outcome.code, outcome.reason) == ("ORC404", reason)
    assert outcome.hint
    with open(path, "rb") as file:
        assert file.read() == content


def test_a_directory_or_a_pipe_in_its_place_is_refused_and_nobody_hangs(project):
    project.directory("state/key")
    assert made(project)[1].reason == "invalid"
    os.mkfifo(project.path("state/pipe"))
    assert made(project, "state/pipe")[1].reason == "invalid"


def test_a_store_below_a_file_is_told_with_its_remedy(project):
    project.write("state", "a file")
    text, outcome = made(project)
    assert text is None
    assert outcome.reason == "unwritable"
    assert f"for uid {os.geteuid()}" in outcome.hint


@needs_root
def test_root_reads_nothing_behind_a_symlink_or_a_second_name(project):
    """Who can write in the directory could have the engine read a file of root's, and hand its content to the service."""
    project.write("private", "root's own", 0o600)
    project.directory("state")
    os.symlink(project.path("private"), project.path("state/key"))
    text, outcome = made(project)
    assert (text, outcome.reason) == (None, "symlink")
    os.unlink(project.path("state/key"))
    os.link(project.path("private"), project.path("state/key"))
    text, outcome = made(project)
    assert (text, outcome.reason) == (None, "hard-link")
    assert "root's own" not in outcome.summary
    os.symlink(project.path("state"), project.path("link"))
    text, outcome = made(project, "link/new")
    assert text is None
    assert "symlink" in outcome.summary


@needs_root
def test_the_lock_of_another_is_not_followed_and_not_changed(project):
    project.write("private", "root's own", 0o644)
    project.directory("state")
    os.symlink(project.path("private"), project.path("state/key.lock"))
    assert made(project)[1].reason == "unwritable"
    assert mode(project.path("private")) == 0o644


def test_a_store_that_is_no_mount_is_refused_unless_it_need_not_last(project):
    text, outcome = made(project, ephemeral=False)
    assert (text, outcome.reason) == (None, "not-kept")
    assert "ephemeral: true" in outcome.hint
    assert not os.path.exists(project.path("state"))


@needs_root
def test_a_mount_keeps_it_and_memory_does_not(project):
    """A volume is a bind mount, often from the same file system that the container's root is on."""
    project.directory("volume")
    project.directory("state")
    project.directory("memory")
    script = (
        "mount --bind volume state && mount -t tmpfs none memory && exec "
        f'{sys.executable} -c "from orchestrator.engine.generated_secrets import why_not_kept as w; '
        "import os; print(repr(w(os.path.abspath('state/deep/er'))), repr(w(os.path.abspath('memory'))))\""
    )
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script], cwd=project.root, capture_output=True, text=True
    )
    if done.returncode:
        pytest.skip(f"cannot mount here: {done.stderr.strip()}")
    assert done.stdout.startswith("''")
    assert "is on a tmpfs" in done.stdout
    assert "on no mount" in why_not_kept(project.path("state/deep/er"))
