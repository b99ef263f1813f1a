import os
import subprocess
import sys

import pytest

from orchestrator.requirements import _cgroup
from orchestrator.requirements._mounts import mount_of, mounts

V2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime - cgroup2 cgroup rw,nsdelegate\n"
V2_HOST_VIEW = "30 23 0:26 /docker/abc /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw\n"
V1 = (
    "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
    "33 31 0:30 /docker/abc /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct\n"
    "35 31 0:32 /docker/abc /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
    "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n"
)


def recorded(project, cgroup, mountinfo, **files):
    project.write("proc/self/cgroup", cgroup)
    project.write("proc/self/mountinfo", mountinfo)
    for path, content in files.items():
        project.write("sys/fs/cgroup/" + path.replace("__", "/").replace("-", "."), content + "\n")
    return project.root


def files(project, **content):
    for path, text in content.items():
        project.write(f"sys/fs/cgroup/{path}", text + "\n")


def test_v2_limits_of_a_container_with_a_namespace_of_its_own(project):
    root = recorded(project, "0::/\n", V2)
    project.write("sys/fs/cgroup/memory.max", "268435456\n")
    project.write("sys/fs/cgroup/cpu.max", "150000 100000\n")
    assert _cgroup.memory_limit(root) == 268435456
    assert _cgroup.cpu_quota(root) == 1.5
    assert _cgroup.version(root) == 2


def test_v2_without_a_limit(project):
    root = recorded(project, "0::/\n", V2)
    project.write("sys/fs/cgroup/memory.max", "max\n")
    project.write("sys/fs/cgroup/cpu.max", "max 100000\n")
    assert _cgroup.memory_limit(root) is None
    assert _cgroup.cpu_quota(root) is None


def test_v2_the_least_limit_above_holds(project):
    root = recorded(project, "0::/kubepods.slice/pod1/container\n", V2)
    project.write("sys/fs/cgroup/kubepods.slice/pod1/container/memory.max", "max\n")
    project.write("sys/fs/cgroup/kubepods.slice/pod1/memory.max", "1000000\n")
    project.write("sys/fs/cgroup/kubepods.slice/memory.max", "2000000\n")
    project.write("sys/fs/cgroup/kubepods.slice/pod1/container/cpu.max", "200000 100000\n")
    project.write("sys/fs/cgroup/kubepods.slice/cpu.max", "50000 100000\n")
    assert _cgroup.memory_limit(root) == 1000000
    assert _cgroup.cpu_quota(root) == 0.5


def test_v2_seen_with_the_paths_of_the_host(project):
    root = recorded(project, "0::/docker/abc\n", V2_HOST_VIEW)
    project.write("sys/fs/cgroup/memory.max", "12345678\n")
    assert _cgroup.memory_limit(root) == 12345678


def test_v2_a_group_outside_of_the_namespace(project):
    root = recorded(project, "0::/../../init.scope\n", V2)
    project.write("sys/fs/cgroup/memory.max", "4096000\n")
    assert _cgroup.memory_limit(root) == 4096000


def test_v1_limits(project):
    root = recorded(project, "8:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n0::/\n", V1)
    project.write("sys/fs/cgroup/memory/memory.limit_in_bytes", "536870912\n")
    project.write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "50000\n")
    project.write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n")
    assert _cgroup.memory_limit(root) == 536870912
    assert _cgroup.cpu_quota(root) == 0.5
    assert _cgroup.version(root) == 1


def test_v1_without_a_limit(project):
    root = recorded(project, "8:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n", V1)
    project.write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n")
    project.write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n")
    project.write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n")
    assert _cgroup.memory_limit(root) is None
    assert _cgroup.cpu_quota(root) is None


def test_nothing_is_known_without_proc(project):
    assert _cgroup.memory_limit(project.root) is None
    assert _cgroup.cpu_quota(project.root) is None
    assert _cgroup.version(project.root) == 0


@pytest.mark.parametrize("text", ["", "garbage", "-5", "1e9"])
def test_what_is_no_limit_is_none(project, text):
    root = recorded(project, "0::/\n", V2)
    project.write("sys/fs/cgroup/memory.max", text)
    project.write("sys/fs/cgroup/cpu.max", text)
    assert _cgroup.memory_limit(root) is None
    assert _cgroup.cpu_quota(root) is None


def test_a_real_memory_limit_of_this_machine_is_seen(as_root):
    groups = _cgroup._groups("/")
    mount = next(
        (each for each in mounts() if each.kind == "cgroup" and "memory" in each.super_options), None
    )
    if mount is None or "memory" not in groups:
        pytest.skip("this machine has no memory controller of cgroup v1")
    group = os.path.join(mount.point, groups["memory"].lstrip("/"), f"orchestrator-test-{os.getpid()}")
    try:
        os.mkdir(group)
    except OSError as error:
        pytest.skip(f"cannot make a group here: {error}")
    try:
        _limit(group, 512 * 2**20)
        code = (
            f"open({group + '/cgroup.procs'!r}, 'w').write('0')\n"
            "from orchestrator.requirements import _cgroup, _host\nprint(_cgroup.memory_limit(), *_host.memory())\n"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    finally:
        os.rmdir(group)
    assert done.stdout == f"{512 * 2**20} {512 * 2**20} the container's limit (cgroup v1)\n"


def _limit(group, size):
    with open(f"{group}/memory.limit_in_bytes", "w") as file:
        file.write(str(size))


def test_mount_points_with_spaces_are_read(project):
    root = recorded(project, "", r"50 27 0:44 / /mnt/my\040data rw,relatime - ext4 /dev/sdb1 rw" + "\n")
    (mount,) = mounts(root)
    assert mount.point == "/mnt/my data"


def test_the_longest_mount_point_above_a_path_is_its_mount(project):
    recorded(
        project,
        "",
        "1 0 0:1 / / rw - ext4 a rw\n2 1 0:2 / /data rw - ext4 b rw\n3 1 0:3 / /data2 ro - ext4 c rw\n",
    )
    found = mounts(project.root)
    assert mount_of("/data/x", found).point == "/data"
    assert mount_of("/data2/x", found).options == {"ro"}
    assert mount_of("/dat", found).point == "/"
