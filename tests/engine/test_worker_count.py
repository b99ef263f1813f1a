import os
import subprocess
import sys

import pytest

from orchestrator.engine.workers import NoCount, count
from orchestrator.spec.launch import Computed

V2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime - cgroup2 cgroup rw,nsdelegate\n"
MB = 10**6


@pytest.fixture(autouse=True)
def sixty_four_processors(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)))


def limits(project, cpus=None, memory=None):
    """A recorded tree of cgroup v2 with these limits; its root."""
    project.write("proc/self/cgroup", "0::/\n")
    project.write("proc/self/mountinfo", V2)
    project.write("sys/fs/cgroup/cpu.max", f"{int(cpus * 100000)} 100000\n" if cpus else "max 100000\n")
    project.write("sys/fs/cgroup/memory.max", f"{memory or 'max'}\n")
    return project.root


def computed(**bounds):
    return Computed.model_validate(bounds)


def test_nothing_said_is_one_worker(project):
    assert count(None, {}, limits(project, cpus=8))[0] == 1


@pytest.mark.parametrize(("cpus", "expected"), [(0.5, 1), (1, 1), (1.5, 1), (2, 2), (4.9, 4), (16, 16)])
def test_auto_is_the_whole_cpus_of_the_quota(project, cpus, expected):
    number, why = count("auto", {}, limits(project, cpus=cpus))
    assert number == expected
    assert f"{cpus:g} CPUs" in why


@pytest.mark.parametrize(("wanted", "expected"), [("auto", 2), (computed(per_cpu=2.0), 4)])
def test_a_quota_beyond_the_processors_that_may_be_used_is_not_counted_on(
    project, monkeypatch, wanted, expected
):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})

    number, why = count(wanted, {}, limits(project, cpus=8))

    assert number == expected
    assert "2 CPUs" in why


@pytest.mark.parametrize("wanted", ["auto", computed(per_cpu=4.0)])
def test_without_a_quota_it_is_one_and_said_so(project, wanted):
    number, why = count(wanted, {}, limits(project))
    assert number == 1
    assert "without a CPU quota is 1" in why


@pytest.mark.parametrize(
    ("bounds", "cpus", "memory", "expected", "decided"),
    [
        ({"per_cpu": 2.0}, 3, None, 6, "per_cpu"),
        ({"per_cpu": 0.1}, 30, None, 3, "per_cpu"),
        ({"per_cpu": 1.0, "min": 2}, 0.5, None, 2, "min"),
        ({"per_cpu": 1.0, "min": 2}, None, None, 2, "min"),
        ({"per_cpu": 1.0, "max": 4}, 16, None, 4, "max"),
        ({"per_cpu": 1.0, "max": 4, "memory_each": "150MB"}, 16, 512 * MB, 3, "memory_each"),
        ({"per_cpu": 1.0, "max": 4, "memory_each": "150MB"}, 2, 4096 * MB, 2, "per_cpu"),
        ({"per_cpu": 1.0, "memory_each": "150MB"}, 2, None, 2, "no memory limit"),
        ({"per_cpu": 1.0, "min": 3, "memory_each": "150MB"}, 2, 320 * MB, 2, "memory_each"),
        ({"per_cpu": 1.0, "memory_each": "600MB"}, 2, 512 * MB, 1, "not even one worker"),
        ({"memory_each": "100MB"}, None, 512 * MB, 5, "memory_each"),
        ({"memory_each": "100MB", "max": 2}, None, 512 * MB, 2, "max"),
        ({"min": 3}, 8, None, 3, "min"),
    ],
)
def test_each_bound_decides_where_it_is_the_tightest_and_is_named(
    project, bounds, cpus, memory, expected, decided
):
    number, why = count(computed(**bounds), {}, limits(project, cpus, memory))
    assert number == expected
    assert decided in why


@pytest.mark.parametrize("wanted", [None, "auto", computed(per_cpu=1.0, max=2)])
def test_web_concurrency_wins_over_an_absent_or_computed_number(project, wanted):
    assert count(wanted, {"WEB_CONCURRENCY": "7"}, limits(project, cpus=2)) == (7, "WEB_CONCURRENCY says so")


def test_web_concurrency_does_not_win_over_a_written_number_and_that_is_said(project):
    number, why = count(2, {"WEB_CONCURRENCY": "7"}, limits(project))
    assert number == 2
    assert "WEB_CONCURRENCY=7 does not win" in why
    assert "WEB_CONCURRENCY" not in count(2, {"WEB_CONCURRENCY": "2"}, limits(project))[1]


def test_an_empty_web_concurrency_says_nothing(project):
    assert count("auto", {"WEB_CONCURRENCY": ""}, limits(project, cpus=3))[0] == 3


@pytest.mark.parametrize("text", ["0", "-1", "two", "2.5", " 3", "1025", "٣", "9" * 5000])
def test_a_web_concurrency_that_is_no_number_of_workers_is_refused(project, text):
    with pytest.raises(NoCount, match="from 1 to 1024"):
        count("auto", {"WEB_CONCURRENCY": text}, limits(project))


def v1_group(controller):
    return f"/sys/fs/cgroup/{controller}/orchestrator-workers-{os.getpid()}"


@pytest.fixture
def real_v1_group():
    """A real group of cgroup v1 with two and a half CPUs and 600 MB."""
    made = []
    try:
        for controller, settings in {
            "cpu": {"cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "250000"},
            "memory": {"memory.limit_in_bytes": "600000000"},
        }.items():
            os.mkdir(v1_group(controller))
            made.append(v1_group(controller))
            for name, value in settings.items():
                with open(f"{v1_group(controller)}/{name}", "w") as file:
                    file.write(value)
    except OSError as error:
        for path in made:
            os.rmdir(path)
        pytest.skip(f"no cgroup v1 to write to: {error}")
    yield
    for path in made:
        os.rmdir(path)


def test_the_real_limits_of_a_group_of_v1_are_seen(real_v1_group):
    script = (
        "import os\n"
        f"for path in {[v1_group('cpu'), v1_group('memory')]!r}:\n"
        "    open(path + '/cgroup.procs', 'w').write(str(os.getpid()))\n"
        "from orchestrator.engine.workers import count\n"
        "from orchestrator.spec.launch import Computed\n"
        "print(count('auto', {})[0], count(Computed(per_cpu=2), {})[0], "
        'count(Computed(per_cpu=2, memory_each="200MB"), {})[0], len(os.sched_getaffinity(0)))\n'
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    *numbers, usable = map(int, done.stdout.split())
    # The quota is 2.5: more than a process of one or two processors can use.
    assert numbers == [min(2, usable), min(5, 2 * usable), min(3, 2 * usable)], done.stderr
