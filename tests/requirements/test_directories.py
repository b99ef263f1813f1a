import contextlib
import os
import stat

import pytest
from pydantic import ValidationError

from orchestrator.core.context import User
from orchestrator.requirements.directories import KIND as Directory


def check(project, spec, **context):
    return Directory.model_validate(spec).attempt(project.context(**context))


def owner(path):
    status = os.lstat(path)
    return status.st_uid, status.st_gid


def mode(path):
    return stat.S_IMODE(os.lstat(path).st_mode)


def code_of(spec):
    with pytest.raises(ValidationError) as caught:
        Directory.model_validate(spec)
    return caught.value.errors()[0]["type"]


@pytest.mark.parametrize(
    ("spec", "code"),
    [
        ({"path": "a", "mode": "0555"}, "ORC124"),
        ({"path": "a", "create": True, "empty": False}, "ORC124"),
        ({"path": "a", "mode": 750}, "ORC108"),
        ({"path": "a", "min_free": 200}, "ORC107"),
        ({"path": "a", "fix": "tree", "writable": False}, "ORC113"),
        ({"path": ""}, "ORC130"),
    ],
)
def test_what_contradicts_itself_is_refused(spec, code):
    assert code_of(spec) == code


def test_a_directory_is_made_with_what_is_above_it(project):
    outcome = check(project, "state/a/b")
    assert outcome.ok
    assert os.path.isdir(project.path("state/a/b"))
    assert outcome.summary == f"{project.path('state/a/b')} (made)"
    assert not check(project, "state/a/b").data["made"]


def test_nothing_is_left_behind_by_the_trial(project):
    assert check(project, "logs").ok
    assert os.listdir(project.path("logs")) == []


def test_without_create_a_missing_directory_names_the_line(project, somebody):
    outcome = check(project, {"path": "data", "create": False, "mode": "0750"}, user=somebody)
    assert (outcome.code, outcome.reason) == ("ORC431", "missing")
    wanted = f"RUN install -d -m 0750 -o 10001 -g 10001 {project.path('data')}, before USER in the Dockerfile"
    assert outcome.hint.startswith(wanted)
    assert not os.path.exists(project.path("data"))


def test_a_missing_parent_is_named(project):
    outcome = check(project, {"path": "a/b", "create": False})
    assert f"there is no {project.path('a')}" in outcome.summary


def test_a_file_in_the_way_is_said(project):
    project.write("data")
    outcome = check(project, "data")
    assert (outcome.code, outcome.reason) == ("ORC435", "not-a-directory")
    assert check(project, "data/inner").code == "ORC435"


def test_the_mode_is_mended(project):
    path = project.directory("state", 0o777)
    assert check(project, {"path": "state", "mode": "0750"}).ok
    assert mode(path) == 0o750
    assert check(project, {"path": "new", "mode": "2775"}).ok
    assert mode(project.path("new")) == 0o2775


def test_with_fix_none_a_wrong_mode_is_only_said(project):
    path = project.directory("state", 0o777)
    outcome = check(project, {"path": "state", "mode": "0750", "fix": "none"})
    assert (outcome.code, outcome.reason) == ("ORC433", "mode")
    assert outcome.summary == f"{path} has mode 0777, expected 0750"
    assert "chmod 0750" in outcome.hint
    assert mode(path) == 0o777


def test_empty_and_not_empty(project):
    project.write("full/x")
    project.directory("bare")
    assert check(project, {"path": "bare", "empty": True}).ok
    assert check(project, {"path": "full", "empty": False}).ok
    full = check(project, {"path": "full", "empty": True})
    assert (full.reason, full.code) == ("not-empty", "ORC435")
    assert "1 entries: x" in full.summary
    assert check(project, {"path": "bare", "empty": False}).reason == "empty"


def test_too_little_space_says_how_much_there_is(project):
    assert check(project, {"path": "d", "min_free": "1kB", "min_free_inodes": 1}).ok
    outcome = check(project, {"path": "d", "min_free": "900TB"})
    assert (outcome.code, outcome.reason) == ("ORC434", "space")
    assert "are needed" in outcome.summary
    assert "df -h" in outcome.hint


def test_an_unknown_owner_is_said(project):
    outcome = check(project, {"path": "d", "owner": "no-such-user"})
    assert outcome.code == "ORC433"
    assert "useradd" in outcome.hint


def test_no_mount_says_that_its_files_are_lost(project):
    outcome = check(project, {"path": "d", "mount": True})
    assert (outcome.code, outcome.reason) == ("ORC435", "no-mount")
    assert f"docker run -v NAME:{project.path('d')}" in outcome.hint
    assert not os.path.exists(project.path("d"))


def test_all_that_is_wrong_is_said_at_once(project):
    project.directory("d", 0o777)
    outcome = check(
        project, {"path": "d", "mode": "0750", "fix": "none", "empty": False, "min_free": "900TB"}
    )
    assert outcome.code == "ORC433"
    assert "is empty" in outcome.summary
    assert "are needed" in outcome.summary


# --- as root, for another user ------------------------------------------------------------------------------------


def test_what_root_makes_belongs_to_the_user(project, as_root, somebody):
    assert check(project, "a/b", user=somebody).ok
    assert owner(project.path("a")) == owner(project.path("a/b")) == (10001, 10001)


def test_what_is_above_and_was_there_is_left_alone(project, as_root, somebody):
    project.directory("a")
    assert check(project, "a/b", user=somebody).ok
    assert owner(project.path("a")) == (0, 0)


def test_a_directory_the_user_cannot_write_to_is_handed_over(project, as_root, somebody):
    path = project.directory("state", 0o755)
    assert check(project, "state", user=somebody).ok
    assert owner(path) == (10001, 10001)


def test_a_directory_the_user_can_write_to_is_left_alone(project, as_root, somebody):
    path = project.directory("shared", 0o1777)
    assert check(project, "shared", user=somebody).ok
    assert owner(path) == (0, 0)


def test_with_fix_none_nothing_is_handed_over(project, as_root, somebody):
    path = project.directory("state", 0o755)
    outcome = check(project, {"path": "state", "fix": "none"}, user=somebody)
    assert (outcome.code, outcome.reason) == ("ORC432", "permission")
    assert f"for uid 10001: {path} belongs to 0:0, mode 0755" in outcome.summary
    assert f"install -d -o 10001 -g 10001 {path}" in outcome.hint
    assert owner(path) == (0, 0)


def test_a_supplementary_group_is_enough_to_write(project, as_root, somebody):
    path = project.directory("shared", 0o770)
    os.chown(path, 0, 10002)
    assert check(project, {"path": "shared", "fix": "none"}, user=somebody).ok
    assert not check(project, {"path": "shared", "fix": "none"}, user=User(10001, 10001)).ok


def test_a_closed_directory_above_is_what_is_named(project, as_root, somebody):
    project.directory("closed/data", 0o777)
    os.chmod(project.path("closed"), 0o700)
    outcome = check(project, "closed/data", user=somebody)
    assert outcome.code == "ORC432"
    assert f"{project.path('closed')} belongs to 0:0, mode 0700" in outcome.summary
    assert f"chmod a+x {project.path('closed')}" in outcome.hint
    assert owner(project.path("closed/data")) == (0, 0)


def test_an_owner_is_given_by_number_and_by_name(project, as_root):
    path = project.directory("state")
    assert check(project, {"path": "state", "owner": 10001, "group": "10002"}).ok
    assert owner(path) == (10001, 10002)
    assert check(project, {"path": "state", "owner": "nobody"}).ok
    assert owner(path)[0] == 65534


def test_tree_gives_all_below_but_no_hard_links_and_not_through_symlinks(project, as_root, somebody):
    project.write("data/a/b/file")
    outside = project.write("outside/file")
    secret = project.write("outside/secret")
    os.symlink(project.path("outside"), project.path("data/a/link"))
    os.symlink(outside, project.path("data/filelink"))
    os.link(secret, project.path("data/hard"))
    os.mkfifo(project.path("data/pipe"))
    assert check(project, {"path": "data", "fix": "tree"}, user=somebody).ok
    for name in ("data", "data/a", "data/a/b", "data/a/b/file", "data/pipe", "data/a/link"):
        assert owner(project.path(name)) == (10001, 10001), name
    for name in ("outside", "outside/file", "outside/secret", "data/hard"):
        assert owner(project.path(name)) == (0, 0), name


def test_tree_touches_only_what_differs(project, as_root, somebody):
    path = project.write("data/file")
    assert check(project, {"path": "data", "fix": "tree"}, user=somebody).ok
    before = os.stat(path).st_ctime_ns
    assert check(project, {"path": "data", "fix": "tree"}, user=somebody).ok
    assert os.stat(path).st_ctime_ns == before


@pytest.mark.parametrize("path", ["link", "link/inner", "link/deep/er"])
def test_root_follows_no_symlink_and_names_the_target(project, as_root, somebody, path):
    target = project.directory("elsewhere")
    os.symlink("elsewhere", project.path("link"))
    outcome = check(project, {"path": path, "owner": 10001}, user=somebody)
    assert (outcome.code, outcome.reason) == ("ORC431", "symlink")
    assert f"{project.path('link')} is a symlink to elsewhere" in outcome.summary
    assert outcome.hint == f"write the target itself: {target}{path.removeprefix('link')}"
    assert owner(target) == (0, 0)
    assert os.listdir(target) == []


def test_another_user_may_follow_his_own_symlinks(project, as_root, somebody, in_child):
    os.chown(project.root, 10001, 10001)

    def try_it():
        os.mkdir(project.path("real"))
        os.symlink("real", project.path("link"))
        return Directory.model_validate("link/inner").attempt(project.context())

    assert in_child(somebody, try_it).ok
    assert os.path.isdir(project.path("real/inner"))


# --- as another user ----------------------------------------------------------------------------------------------


def test_not_root_and_not_writable_names_who_owns_what_and_the_line(project, as_root, somebody, in_child):
    path = project.directory("data", 0o755)
    outcome = in_child(somebody, lambda: check(project, "data"))
    assert (outcome.code, outcome.reason) == ("ORC432", "permission")
    assert outcome.summary.endswith(f"for uid 10001: {path} belongs to 0:0, mode 0755")
    assert outcome.hint == f"RUN install -d -o 10001 -g 10001 {path}, before USER in the Dockerfile"


def test_not_root_and_not_to_be_made_names_the_directory_above(project, as_root, somebody, in_child):
    outcome = in_child(somebody, lambda: check(project, "data"))
    assert (outcome.code, outcome.reason) == ("ORC431", "permission")
    assert f"{project.root} belongs to 0:0" in outcome.summary
    assert f"install -d -o 10001 -g 10001 {project.path('data')}" in outcome.hint


def test_not_root_and_of_another_owner_says_what_to_change(project, as_root, somebody, in_child):
    path = project.directory("data", 0o777)
    outcome = in_child(somebody, lambda: check(project, {"path": "data", "owner": 10001, "mode": "0700"}))
    assert outcome.code == "ORC433"
    assert f"{path} belongs to 0:0, expected 10001" in outcome.summary
    assert f"{path} has mode 0777, expected 0700" in outcome.summary
    assert outcome.hint.startswith(f"RUN chown 10001 {path}")


# --- real mounts --------------------------------------------------------------------------------------------------


def test_a_mount_point_is_one(project, tmpfs):
    tmpfs("volume")
    assert check(project, {"path": "volume", "mount": True}).ok
    inner = check(project, {"path": "volume/inner", "mount": True})
    assert f"it is part of the mount {project.path('volume')}" in inner.summary


def test_a_bind_mount_of_the_same_file_system_is_a_mount(project, as_root):
    import subprocess

    source, target = project.directory("source"), project.directory("target")
    if subprocess.run(["mount", "--bind", source, target], capture_output=True).returncode:
        pytest.skip("cannot mount here")
    try:
        assert check(project, {"path": "target", "mount": True}).ok
    finally:
        subprocess.run(["umount", target], check=True)


def _fill(path):
    with contextlib.suppress(OSError), open(path, "wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)


def test_a_full_file_system_is_called_full(project, tmpfs):
    path = tmpfs("volume", "size=64k")
    _fill(os.path.join(path, "ballast"))
    outcome = check(project, "volume")
    assert (outcome.code, outcome.reason) == ("ORC434", "space")
    assert "no space left" in outcome.summary
    assert not [name for name in os.listdir(path) if name.startswith(".orchestrator")]


def test_no_room_for_files_is_said(project, tmpfs):
    tmpfs("volume", "size=1m,nr_inodes=20")
    outcome = check(project, {"path": "volume", "min_free_inodes": 100})
    assert (outcome.code, outcome.reason) == ("ORC434", "inodes")


def test_a_read_only_file_system_names_the_remedy(project, tmpfs):
    path = tmpfs("volume", "ro")
    outcome = check(project, "volume")
    assert (outcome.code, outcome.reason) == ("ORC432", "read-only")
    assert f"--tmpfs {path}" in outcome.hint
    outcome = check(project, "volume/inner")
    assert (outcome.code, outcome.reason) == ("ORC431", "read-only")


def test_a_volume_of_another_owner_is_mended_on_the_host(project, tmpfs, somebody, in_child):
    path = tmpfs("volume", "mode=755")
    outcome = in_child(somebody, lambda: check(project, "volume"))
    assert outcome.hint.startswith(f"{path} is a mount: chown 10001:10001 its source on the host")
    assert "fsGroup: 10001" in outcome.hint
    os.mkdir(f"{path}/inner", 0o700)
    os.chmod(path, 0o755)
    outcome = in_child(somebody, lambda: check(project, "volume/inner/x"))
    assert f"chown 10001:10001 {path}/inner at its source" in outcome.hint


def test_tree_leaves_a_read_only_mount_inside_alone(project, tmpfs, somebody):
    project.write("data/file")
    tmpfs("data/inner", "ro")
    assert check(project, {"path": "data", "fix": "tree"}, user=somebody).ok
    assert owner(project.path("data/file")) == (10001, 10001)


def test_no_descriptor_is_left_open(project, as_root, somebody):
    project.write("file")
    os.symlink("elsewhere", project.path("link"))
    project.directory("closed/data", 0o700)
    os.chmod(project.path("closed"), 0o700)
    before = os.listdir("/proc/self/fd")
    for path in ("made/inner", "file", "link", "file/inner", "closed/data", {"path": "made", "fix": "tree"}):
        check(project, path, user=somebody)
    assert os.listdir("/proc/self/fd") == before


def test_where_the_kernel_lets_nobody_make_anything_no_line_is_suggested(project):
    outcome = check(project, {"path": "/proc/logs"})
    assert (outcome.code, outcome.reason) == ("ORC431", "missing")
    assert (
        outcome.summary == "cannot create /proc/logs: nothing can be made in /proc, which is the kernel's own"
    )
    assert outcome.hint == "choose another path"


def test_a_directory_to_be_made_behind_a_closed_one_needs_both(project, as_root, somebody, in_child):
    closed = project.directory("closed", 0o700)
    outcome = in_child(somebody, lambda: check(project, "closed/x"))
    made = f"install -d -o 10001 -g 10001 {closed}/x, before USER in the Dockerfile"
    assert outcome.hint == f"RUN chmod a+x {closed} && {made}"
