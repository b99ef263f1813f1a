"""The number of workers of whole starts, under real limits."""

import errno
import os
import subprocess

import pytest
from starting import eventually


def notes(engine):
    return [each["message"] for each in engine.report()["notes"]]


@pytest.fixture
def limited():
    """Words before a command that put it under 2.5 CPUs and 600 MB of cgroup v1."""
    groups = [f"/sys/fs/cgroup/{each}/orchestrator-e2e-{os.getpid()}" for each in ("cpu", "memory")]
    limits = [("cpu.cfs_quota_us", "250000"), ("memory.limit_in_bytes", "600000000")]
    made = []
    try:
        for group, (name, value) in zip(groups, limits, strict=True):
            os.mkdir(group)
            made.append(group)
            with open(f"{group}/{name}", "w") as file:
                file.write(value)
    except OSError as error:
        for group in made:
            os.rmdir(group)
        pytest.skip(f"no cgroup v1 to write to: {error}")
    yield ("sh", "-c", "".join(f"echo $$ > {group}/cgroup.procs && " for group in groups) + 'exec "$@"', "sh")
    for group in groups:
        subprocess.run(["sh", "-c", f"for pid in $(cat {group}/cgroup.procs); do kill -9 $pid; done"])
    for group in groups:
        eventually(lambda group=group: removed(group), what=group)


def removed(group):
    try:
        os.rmdir(group)
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        return False  # what was killed is still going
    return True


def answering(engine, number):
    """The processes that answer, once there are so many."""
    seen = set()

    def enough():
        found = engine.tries()
        if found:
            seen.add(found[1]["pid"])
        return len(seen) >= number

    engine.until(enough)
    return seen


def test_real_limits_give_the_number_and_the_report_says_which_decided(engine, limited):
    launch = "{app: main:app, host: 127.0.0.1, port: PORT, workers: {per_cpu: 8, max: 4, memory_each: 200MB}}"
    engine.spec(launch=launch).start(prefix=limited).serving()
    said = next(each for each in notes(engine) if "workers" in each)
    assert said.startswith("3 workers: `memory_each`")
    assert "`max` is 4" in said
    assert len(answering(engine, 3)) == 3
    assert engine.stop() == 0


def test_web_concurrency_is_what_serves(engine):
    engine.spec().start(env={"WEB_CONCURRENCY": "2"}).serving()
    assert "2 workers: WEB_CONCURRENCY says so" in notes(engine)
    assert len(answering(engine, 2)) == 2
    assert engine.stop() == 0


def test_a_web_concurrency_that_is_no_number_is_told_at_its_place_before_anything_is_done(engine):
    engine.spec("steps:\n  - {name: mark, run: [touch, mark]}\n")
    done = engine.run(env={"WEB_CONCURRENCY": "many"})
    assert done.returncode == 78
    assert "from 1 to 1024, got `many`" in done.stderr
    assert not (engine.root / "mark").exists()
