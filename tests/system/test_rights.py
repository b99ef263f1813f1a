"""Rights given up for real, in forked children of a test that is root."""

import errno
import os
import subprocess
import sys
import threading
import traceback

import pytest

from orchestrator.system import rights
from orchestrator.system.rights import NotHeld, Rights

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="rights are given up by root")
NOBODY = Rights(65534, 65533, (65533, 4711))
BIND = rights.mask(["NET_BIND_SERVICE"])


def in_a_child(act):
    """Whatever it asserts, in a process of its own; its traceback is this test's failure."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(reader)
            act()
            code = 0
        except BaseException:
            os.write(writer, traceback.format_exc().encode())
        finally:
            os._exit(code)
    os.close(writer)
    with open(reader, "rb") as file:
        said = file.read().decode()
    assert os.waitpid(child, 0)[1] == 0, said


def test_capabilities_have_their_kernel_numbers():
    assert rights.mask(["CHOWN"]) == 1
    assert rights.mask(["CAP_NET_BIND_SERVICE", "kill"]) == 1 << 10 | 1 << 5
    assert rights.mask(["CHECKPOINT_RESTORE"]) == 1 << 40
    with pytest.raises(KeyError):
        rights.mask(["NET_BIND_SERVICES"])


@needs_root
def test_who_has_dropped_is_the_user_and_nothing_else():
    def act():
        rights.drop(NOBODY)
        assert os.getresuid() == (65534,) * 3
        assert os.getresgid() == (65533,) * 3
        assert sorted(os.getgroups()) == [4711, 65533]
        found = rights.status()
        assert [found[name] for name in ("CapInh", "CapPrm", "CapEff", "CapAmb", "NoNewPrivs")] == [
            0,
            0,
            0,
            0,
            1,
        ]
        assert found["CapBnd"]
        for attempt in (os.seteuid, os.setuid):
            with pytest.raises(PermissionError):
                attempt(0)

    in_a_child(act)


@needs_root
def test_kept_capabilities_outlive_an_exec():
    def act():
        rights.drop(Rights(65534, 65534, (), BIND))
        said = subprocess.run(["cat", "/proc/self/status"], capture_output=True, text=True, check=True).stdout
        found = dict(
            line.split(":\t") for line in said.splitlines() if line.startswith(("Cap", "NoNew", "Uid"))
        )
        for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            assert int(found[name], 16) == BIND
        assert found["NoNewPrivs"] == "1"
        assert found["Uid"].split() == ["65534"] * 4

    in_a_child(act)


@needs_root
def test_escalation_leaves_no_new_privs_off():
    def act():
        rights.drop(Rights(65534, 65534, (), escalation=True))
        assert rights.status()["NoNewPrivs"] == 0

    in_a_child(act)


@needs_root
def test_root_by_another_name_is_root_without_its_rights():
    def act():
        rights.drop(Rights(0, 0, (0,)))
        assert rights.status()["CapEff"] == 0

    in_a_child(act)


@needs_root
def test_a_second_thread_is_refused_before_anything_is_given_up():
    def act():
        stop = threading.Event()
        thread = threading.Thread(target=stop.wait)
        thread.start()
        with pytest.raises(RuntimeError, match="2 threads"):
            rights.drop(NOBODY)
        assert os.getresuid() == (0, 0, 0)
        stop.set()
        thread.join()

    in_a_child(act)


@needs_root
def test_setuid_that_keeps_capabilities_is_no_way_around():
    def act():
        rights.load()
        rights._prctl(28, 1 << 2)  # PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP
        rights.drop(NOBODY)
        assert rights.status()["CapPrm"] == 0

    in_a_child(act)


@needs_root
def test_what_is_left_over_is_named():
    def act():
        os.setgroups([4711, 0])
        os.setresgid(65533, 65533, 0)
        with pytest.raises(NotHeld) as raised:
            rights.verify(NOBODY)
        for part in (
            "uids (0, 0, 0)",
            "gids (65533, 65533, 0)",
            "groups [0, 4711",
            "become root again",
            "CapEff",
            "no_new_privs",
        ):
            assert part in str(raised.value)

    in_a_child(act)


@needs_root
def test_a_trial_names_what_is_closed_and_leaves_this_process_as_it_is(tmp_path):
    shut = tmp_path / "shut"
    (shut / "inner").mkdir(parents=True)
    shut.chmod(0o700)
    (tmp_path / "file").write_text("")
    (tmp_path / "file").chmod(0o600)
    for each in tmp_path.parents:
        if each.stat().st_mode & 0o055 != 0o055 and each.stat().st_uid == 0:
            each.chmod(each.stat().st_mode | 0o055)
    tmp_path.chmod(0o755)
    assert rights.closed(NOBODY, ["/", "/proc/version", str(tmp_path)]) == ""
    assert rights.closed(NOBODY, ["/", str(shut / "inner"), str(tmp_path / "file")]) == str(shut / "inner")
    assert rights.closed(NOBODY, [str(tmp_path / "file")]) == str(tmp_path / "file")
    assert os.getresuid() == (0, 0, 0)
    assert rights.status()["CapEff"]


@needs_root
def test_a_trial_that_the_kernel_refuses_says_so():
    def act():
        rights._capset(rights.mask(["CHOWN", "KILL"]))
        with pytest.raises(PermissionError) as raised:
            rights.closed(NOBODY, ["/"])
        assert raised.value.errno == errno.EPERM

    in_a_child(act)


def test_what_an_engine_needs_is_named_by_paths_that_are_there():
    found = rights.needed()
    assert sys.executable in found
    assert os.getcwd() in found
    assert all(os.path.exists(each) for each in found)


def test_no_new_privs_needs_no_right():
    def act():
        rights.no_new_privs()
        assert rights.status()["NoNewPrivs"] == 1

    in_a_child(act)
