import os
import resource
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from orchestrator.core.context import User
from orchestrator.requirements import _host
from orchestrator.requirements.host import KIND as Host
from orchestrator.requirements.host import more_cpus, more_memory


def item(spec):
    ((_, found),) = Host.model_validate(spec).items()
    return found


def check(project, spec, **context):
    return item(spec).attempt(project.context(**context))


def code_of(spec):
    with pytest.raises(ValidationError) as caught:
        Host.model_validate(spec)
    return caught.value.errors()[0]["type"]


def test_each_key_is_an_item_with_its_own_id():
    host = Host.model_validate({"memory": ">=1MB", "user": "not-root", "bytecode": True, "x-note": 1})
    assert [(key, each.identity) for key, each in host.items()] == [
        ("memory", "host:memory"),
        ("user", "host:user"),
        ("bytecode", "host:bytecode"),
    ]


def test_a_value_may_carry_attributes():
    found = item({"memory": {"is": ">=256MB", "why": "the model", "on_failure": "warn"}})
    assert found.is_ == ">=256MB"
    assert found.why == "the model"


@pytest.mark.parametrize(
    ("spec", "code"),
    [
        ({"memory": "256MB"}, "ORC103"),
        ({"memory": ">=256"}, "ORC107"),
        ({"memory": 256}, "ORC102"),
        ({"memory": ">=2GB,<1GB"}, "ORC124"),
        ({"cpus": ">=two"}, "ORC103"),
        ({"open_files": 1024}, "ORC102"),
        ({"user": True}, "ORC102"),
        ({"user": "20000-10000"}, "ORC124"),
        ({"capabilities": "all"}, "ORC102"),
        ({"capabilities": ("NET_BIND_SERVIC",)}, "ORC103"),
        ({"bytecode": False}, "ORC125"),
        ({"memry": ">=1MB"}, "ORC104"),
    ],
)
def test_wrong_values_are_refused(spec, code):
    assert code_of(spec) == code


def test_too_little_memory_says_what_there_is_and_which_flag_gives_more(project):
    assert check(project, {"memory": ">=1MB"}).ok
    outcome = check(project, {"memory": ">=900TB"})
    assert (outcome.code, outcome.reason) == ("ORC451", "memory")
    assert "found" in outcome.summary
    assert "858306885 MiB" in outcome.hint


def test_a_flag_is_only_a_remedy_where_a_flag_is_the_limit():
    assert more_memory(256, "the container's limit (cgroup v2)").startswith("docker run --memory 256m")
    assert "docker run" not in more_memory(256, "the machine's memory")
    assert more_cpus(0.5, "the container's quota").startswith("docker run --cpus 0.5")
    assert "docker run" not in more_cpus(64, "the processors this process may use")


def test_the_container_limit_counts_and_not_the_machine(project):
    project.write("proc/meminfo", "MemTotal:       16000000 kB\n")
    project.write("proc/self/cgroup", "0::/\n")
    project.write("proc/self/mountinfo", "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup rw\n")
    project.write("sys/fs/cgroup/memory.max", "134217728\n")
    assert _host.memory(project.root) == (134217728, "the container's limit (cgroup v2)")
    project.write("sys/fs/cgroup/memory.max", "99999999999999\n")
    assert _host.memory(project.root) == (16384000000, "the machine's memory")


def test_cpus_are_the_quota_or_what_may_be_run_on(project):
    assert check(project, {"cpus": ">=0.1"}).ok
    outcome = check(project, {"cpus": ">=4096"})
    assert outcome.code == "ORC451"
    assert "4096 CPUs" in outcome.hint
    project.write("proc/self/cgroup", "0::/\n")
    project.write("proc/self/mountinfo", "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup rw\n")
    project.write("sys/fs/cgroup/cpu.max", "10000 100000\n")
    assert _host.cpus(project.root) == (0.1, "the container's quota")


def test_open_files_are_the_soft_limit(project):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        assert check(project, {"open_files": ">=256"}).ok
        outcome = check(project, {"open_files": ">=1024"})
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert (outcome.code, outcome.data["found"]) == ("ORC452", 256)
    assert "the limit is 256" in outcome.summary
    assert "--ulimit nofile=1024" in outcome.hint


@pytest.mark.parametrize(
    ("wanted", "uid", "well"),
    [
        ("not-root", 10001, True),
        ("not-root", 0, False),
        ("10000-20000", 10001, True),
        ("10000-20000", 20001, False),
        (10001, 10001, True),
        ("10001", 0, False),
        ("root", 0, True),
        ("nobody", 0, False),
    ],
)
def test_the_user_that_will_run_is_judged(project, wanted, uid, well):
    outcome = check(project, {"user": wanted}, user=User(uid, uid))
    assert outcome.ok is well
    if not well:
        assert outcome.code == "ORC453"
        assert f"uid {uid}" in outcome.summary
        assert outcome.hint.startswith("USER ")


def test_an_unknown_user_name_is_said(project):
    outcome = check(project, {"user": "no-such-user"}, user=User(0, 0))
    assert "no user `no-such-user`" in outcome.summary
    assert "useradd" in outcome.hint


def test_the_time_zone_of_the_service_counts(project):
    assert check(project, {"timezone": "UTC"}, environ={"TZ": "Etc/UTC"}).ok
    outcome = check(project, {"timezone": "Europe/Oslo"}, environ={"TZ": "UTC"})
    assert outcome.reason == "timezone"
    assert outcome.hint == "ENV TZ=Europe/Oslo in the Dockerfile"


def test_a_zone_without_rules_is_silently_utc_and_therefore_a_failure(project):
    outcome = check(project, {"timezone": "Mars/Olympus"}, environ={"TZ": "Mars/Olympus"})
    assert not outcome.ok
    assert "takes it for UTC" in outcome.summary
    assert "tzdata" in outcome.hint


def test_capabilities_are_those_left_after_the_switch(project, as_root, somebody):
    assert check(project, {"capabilities": "none"}, user=somebody).ok
    assert not check(project, {"capabilities": ("NET_BIND_SERVICE",)}, user=somebody).ok


def test_capabilities_of_root_are_seen(project, as_root):
    assert check(project, {"capabilities": ("cap_chown", "SETUID")}).ok
    outcome = check(project, {"capabilities": "none"})
    assert "--cap-drop ALL" in outcome.hint


def test_a_read_only_root_is_seen(project):
    found = bool(os.statvfs("/").f_flag & os.ST_RDONLY)
    assert check(project, {"read_only_root": found}).ok
    outcome = check(project, {"read_only_root": not found})
    assert outcome.reason == "read-only-root"
    assert outcome.hint


def test_packages_without_byte_code_are_named(project):
    place = project.directory("site-packages")
    project.write("site-packages/one/__init__.py")
    project.write("site-packages/two.py")
    assert _host.not_compiled([place]) == (["one", "two.py"], place)
    subprocess.run([sys.executable, "-m", "compileall", "-q", place], check=True)
    assert _host.not_compiled([place]) == ([], "")


@given(st.text(max_size=30))
def test_no_comparison_raises_anything_but_a_validation_error(text):
    try:
        found = item({"open_files": text})
    except ValidationError as error:
        codes = {each["type"] for each in error.errors()}
    else:
        codes = {"ORC103"}
        assert found.is_ == text
    assert codes <= {"ORC103", "ORC124"}
